using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Attention of a layer, for one row and for many, with ancestors, windows and grouped heads. Queries of a batch go block by block through the keys
/// and values, so that a block is read once for all rows of a sequence and all heads that share it.
/// </summary>
/// <remarks>
/// Law 1: positions are reduced in logical order, in blocks of 64 and spans of 512 with edges at absolute positions; a span's state begins empty, spans
/// are merged in order. That is the same whether spans are shared among workers or run one after the other; masked slots never enter.
/// </remarks>
internal sealed unsafe class Attention
{
    /// <summary>Positions of a span, the unit that workers share in long contexts.</summary>
    public const int SpanPositions = 512;

    private const int Block = KvLayout.BlockPositions;

    // Heads that a worker takes at once, so that it can fetch what the next one reads.
    private const int TogetherHeads = 4;

    private readonly LayerShape _shape;
    private readonly RopeTable _rope;
    private readonly VectorKernels _vector;
    private readonly AttentionKernels _kernels;
    private readonly float _scale;
    private readonly int _stride;
    private readonly int _stateFloats;
    private readonly long _keyBytes;

    public Attention(LayerShape shape, RopeTable rope, KernelPath path, CacheFormat format)
    {
        _shape = shape;
        _rope = rope;
        _vector = VectorKernels.For(path);
        _kernels = AttentionKernels.For(path, format);
        _scale = 1f / MathF.Sqrt(shape.HeadDimension);
        var layout = new KvLayout(1, 1, shape.HeadDimension, format);
        (_stride, _keyBytes) = (layout.ValueStride, layout.KeyBytes);
        _stateFloats = AttentionKernels.StateHead + _stride;
    }

    /// <summary>Readies the workspace's plan for a pass. Not to be called inside one.</summary>
    public void Prepare(AttentionWorkspace workspace, PassRows rows, IReadOnlyList<DecoderLayer> layers, int workers)
    {
        workspace.Plan.Build(rows, _shape.HeadsPerGroup);
        AttentionPlan plan = workspace.Plan;
        int spans = (plan.LastPosition / SpanPositions) + 1;
        // Few heads and a long context: spans are shared too, and merged in a phase of their own.
        bool share = workers > 1 && spans > 1 && plan.StoresInPlace && plan.BatchCount * _shape.KeyValueHeads < 4 * workers;
        workspace.ShareSpans(share ? spans : 0, plan.RowCount * _shape.Heads, _stateFloats);
        // Counted here: inside the pass a late worker would count while the next pass is being planned.
        for (int i = 0; i < layers.Count; i++)
        {
            workspace.Tasks[i] = i > 0 && layers[i].Window == layers[i - 1].Window ? workspace.Tasks[i - 1] : Tasks(plan, workspace, layers[i].Window);
        }
    }

    /// <summary>
    /// Stores keys and values of the rows and writes what their queries attend to; inputs and outputs lie in the workspace [rows, stride].
    /// Inside a parallel region, every worker calling it: one to three phases.
    /// </summary>
    public void Execute(Worker worker, StackWorkspace workspace, PassRows rows, DecoderLayer layer, int index)
    {
        AttentionPlan plan = workspace.Attend.Plan;
        var pass = new LayerPass(workspace, workspace.Attend.Scratch(worker), rows, layer, index);
        if (!plan.StoresInPlace)
        {
            while (worker.Take(plan.RowCount, 1, 16, out int first, out int count))
            {
                for (int row = first; row < first + count; row++)
                {
                    for (int head = 0; head < _shape.KeyValueHeads; head++)
                    {
                        Store(pass, plan.Rows[row], head);
                    }
                }
            }
        }

        while (worker.Take(workspace.Attend.Tasks[index], 1, TogetherHeads, out int first, out int count))
        {
            for (int task = first; task < first + count; task++)
            {
                RunTask(pass, task, task + 1 < first + count);
            }
        }

        if (workspace.Attend.SharedSpans > 0)
        {
            while (worker.Take(plan.RowCount * _shape.Heads, 1, 8, out int first, out int count))
            {
                for (int i = first; i < first + count; i++)
                {
                    MergeSpans(pass, plan.Rows[i / _shape.Heads], i / _shape.Heads, i % _shape.Heads);
                }
            }
        }
    }

    // Spans that hold committed positions alone are tasks of their own, where spans are shared; the others, and the storing, are one task per head.
    private int Tasks(AttentionPlan plan, AttentionWorkspace workspace, int window)
    {
        int tasks = 0;
        for (int batch = 0; batch < plan.BatchCount; batch++)
        {
            tasks += _shape.KeyValueHeads * Parts(plan, plan[batch], workspace, window, out _, out _);
        }

        return tasks;
    }

    private static int Parts(AttentionPlan plan, in AttentionPlan.Batch batch, AttentionWorkspace workspace, int window, out int firstSpan, out int tailSpan)
    {
        int first = int.MaxValue;
        foreach (AttentionPlan.Row row in plan.Rows.Slice(batch.First, batch.Count))
        {
            first = Math.Min(first, FirstSeen(row, window));
        }

        firstSpan = first / SpanPositions;
        tailSpan = workspace.SharedSpans == 0 ? firstSpan : Math.Max(batch.Cache.Length / SpanPositions, firstSpan);
        return tailSpan - firstSpan + 1;
    }

    private static int FirstSeen(AttentionPlan.Row row, int window) => Math.Max(row.Position - window, -1) + 1;

    private void RunTask(in LayerPass pass, int task, bool goesOn)
    {
        AttentionPlan plan = pass.Plan;
        for (int i = 0; i < plan.BatchCount; i++)
        {
            AttentionPlan.Batch batch = plan[i];
            int parts = Parts(plan, batch, pass.Workspace.Attend, pass.Layer.Window, out int firstSpan, out int tailSpan), own = _shape.KeyValueHeads * parts;
            if (task >= own)
            {
                task -= own;
                continue;
            }

            // The tail of a head first: it is the longest.
            (int part, int head) = (task / _shape.KeyValueHeads, task % _shape.KeyValueHeads);
            if (part == 0)
            {
                if (plan.StoresInPlace)
                {
                    foreach (AttentionPlan.Row row in plan.Rows.Slice(batch.First, batch.Count))
                    {
                        Store(pass, row, head);
                    }
                }

                Attend(pass, batch, head, tailSpan, batch.LastPosition / SpanPositions, goesOn && head + 1 < _shape.KeyValueHeads);
            }
            else
            {
                Attend(pass, batch, head, firstSpan + part - 1, firstSpan + part - 1, goesOn: false);
            }

            return;
        }
    }

    private void Store(in LayerPass pass, AttentionPlan.Row row, int head)
    {
        float* key = pass.QueryKeyValue(row) + _shape.QueryWidth + (head * _shape.HeadDimension);
        float* value = key + _shape.KeyValueWidth;
        Turn(pass, key, pass.Layer.KeyNorm, row.Position, 1, pass.Scratch.Key);
        pass.Rows.Cache(row.Number).Store(pass.Index, head, pass.Rows.Slot(row.Number), pass.Scratch.Key, value);
    }

    // A head's vector, normalised where the layer says so, at its position.
    private void Turn(in LayerPass pass, float* vector, NativeBuffer? norm, int position, float scale, float* output)
    {
        if (norm is not null)
        {
            int width = _shape.HeadDimension;
            float* head = pass.Scratch.Head, normalized = head + _stride;
            new ReadOnlySpan<float>(vector, width).CopyTo(new Span<float>(head, width));
            _vector.RmsNorm(head, norm.Floats, _shape.NormEpsilon, width, normalized);
            vector = normalized;
        }

        _kernels.Rotate(vector, _rope.Cosines(position), _rope.Sines(position), _rope.HalfDimension, scale, output);
    }

    // The spans of a batch for the query heads of one key/value head: states of shared spans are kept, others merged and finished at once.
    private void Attend(in LayerPass pass, in AttentionPlan.Batch batch, int keyValueHead, int firstSpan, int lastSpan, bool goesOn)
    {
        AttentionScratch scratch = pass.Scratch;
        int group = _shape.HeadsPerGroup, queries = batch.Count * group, window = pass.Layer.Window;
        ReadOnlySpan<AttentionPlan.Row> rows = pass.Plan.Rows.Slice(batch.First, batch.Count);
        bool shared = pass.Workspace.Attend.SharedSpans > 0;
        // One span's state is the total.
        bool merges = !shared && lastSpan > firstSpan;
        for (int query = 0; query < queries; query++)
        {
            AttentionPlan.Row row = rows[query / group];
            float* vector = pass.QueryKeyValue(row) + (((keyValueHead * group) + (query % group)) * _shape.HeadDimension);
            Turn(pass, vector, pass.Layer.QueryNorm, row.Position, _scale, scratch.Queries + (query * _stride));
            if (merges)
            {
                _kernels.Clear(scratch.Totals + (query * _stateFloats), _stride);
            }
        }

        for (int span = firstSpan; span <= lastSpan; span++)
        {
            for (int query = 0; query < queries; query++)
            {
                _kernels.Clear(scratch.States + (query * _stateFloats), _stride);
            }

            int lastBlock = Math.Min((span + 1) * SpanPositions / Block, (batch.LastPosition / Block) + 1);
            for (int block = span * (SpanPositions / Block); block < lastBlock; block++)
            {
                if (goesOn && span == lastSpan && block == lastBlock - 1)
                {
                    AttentionKernels.Fetch(batch.Cache.Keys(pass.Index, keyValueHead + 1, firstSpan * (SpanPositions / Block)), _keyBytes);
                }

                AttendBlock(pass, batch, rows, keyValueHead, block);
            }

            for (int query = 0; query < queries; query++)
            {
                AttentionPlan.Row row = rows[query / group];
                if (span < FirstSeen(row, window) / SpanPositions || span > row.Position / SpanPositions)
                {
                    continue;
                }

                float* state = scratch.States + (query * _stateFloats);
                if (shared)
                {
                    float* kept = pass.Workspace.Attend.SpanState(batch.First + (query / group), (keyValueHead * group) + (query % group), _shape.Heads, span);
                    new ReadOnlySpan<float>(state, _stateFloats).CopyTo(new Span<float>(kept, _stateFloats));
                }
                else if (merges)
                {
                    _kernels.Merge(scratch.Totals + (query * _stateFloats), state, _stride);
                }
            }
        }

        for (int query = 0; query < queries && !shared; query++)
        {
            Finish(pass, rows[query / group], (keyValueHead * group) + (query % group), (merges ? scratch.Totals : scratch.States) + (query * _stateFloats));
        }
    }

    // One block for all queries, in tiles: whole where every row of the tile sees it whole, row by row at edges.
    private void AttendBlock(in LayerPass pass, in AttentionPlan.Batch batch, ReadOnlySpan<AttentionPlan.Row> rows, int keyValueHead, int block)
    {
        AttentionScratch scratch = pass.Scratch;
        int group = _shape.HeadsPerGroup, queries = rows.Length * group, window = pass.Layer.Window, begin = block * Block;
        byte* keys = batch.Cache.Keys(pass.Index, keyValueHead, block), values = batch.Cache.Values(pass.Index, keyValueHead, block);
        byte* next = (block + 1) * Block <= batch.LastPosition ? batch.Cache.Keys(pass.Index, keyValueHead, block + 1) : null;
        for (int tile = 0; tile < queries;)
        {
            int count = Math.Min(AttentionScratch.TileQueries, queries - tile);
            bool whole = true, seen = false;
            for (int row = tile / group; row <= (tile + count - 1) / group; row++)
            {
                int from = FirstSeen(rows[row], window);
                whole &= from <= begin && rows[row].InPlace >= begin + Block;
                seen |= from < begin + Block && rows[row].Position >= begin;
            }

            float* states = scratch.States + (tile * _stateFloats);
            if (whole)
            {
                _kernels.Scores(scratch.Queries + (tile * _stride), count, _stride, keys, _shape.HeadDimension, scratch.Scores);
                for (int i = 0; i < count; i++)
                {
                    _kernels.Weigh(scratch.Scores + (i * Block), 0, Block, states + (i * _stateFloats), _stride);
                }

                _kernels.Accumulate(scratch.Scores, count, values, 0, Block, _stride, states, _stateFloats, tile == 0 ? next : null);
            }
            else if (seen)
            {
                AttendEdge(pass, batch, rows, keyValueHead, block, tile, count);
            }

            tile += count;
        }
    }

    private void AttendEdge(in LayerPass pass, in AttentionPlan.Batch batch, ReadOnlySpan<AttentionPlan.Row> rows, int keyValueHead, int block, int tile, int count)
    {
        AttentionScratch scratch = pass.Scratch;
        int group = _shape.HeadsPerGroup, begin = block * Block, window = pass.Layer.Window;
        byte* values = batch.Cache.Values(pass.Index, keyValueHead, block);
        // What all rows of the tile see in slots of its own number, from the block's start on, is read once for all of them.
        int slots = 0, shared = Block;
        for (int query = tile; query < tile + count; query += Together(query))
        {
            AttentionPlan.Row row = rows[query / group];
            Edge edge = Edge.Of(row, window, begin);
            // Off the chain the last slot of a path is the row's own.
            slots = Math.Max(slots, edge.InPlace < edge.End ? Math.Min(pass.Rows.Slot(row.Number) + 1 - begin, Block) : edge.InPlace);
            shared = Math.Min(shared, edge.First == 0 ? edge.InPlace : 0);
        }

        // The scores are those of slots, whoever may see them.
        _kernels.Scores(
            scratch.Queries + (tile * _stride), count, _stride, batch.Cache.Keys(pass.Index, keyValueHead, block), _shape.HeadDimension, scratch.Scores, slots);
        for (int query = tile; query < tile + count; query += Together(query))
        {
            AttentionPlan.Row row = rows[query / group];
            Edge edge = Edge.Of(row, window, begin);
            float* scores = scratch.Scores + ((query - tile) * Block), states = scratch.States + (query * _stateFloats);
            if (edge.InPlace < edge.End)
            {
                GatherScores(pass, batch, row, keyValueHead, query, Together(query), begin, edge, scores);
            }

            for (int i = 0; i < Together(query) && edge.First < edge.End; i++)
            {
                _kernels.Weigh(scores + (i * Block), edge.First, edge.End, states + (i * _stateFloats), _stride);
            }
        }

        if (shared > 0)
        {
            _kernels.Accumulate(scratch.Scores, count, values, 0, shared, _stride, scratch.States + (tile * _stateFloats), _stateFloats);
        }

        for (int query = tile; query < tile + count; query += Together(query))
        {
            AttentionPlan.Row row = rows[query / group];
            Edge edge = Edge.Of(row, window, begin);
            float* scores = scratch.Scores + ((query - tile) * Block), states = scratch.States + (query * _stateFloats);
            int first = Math.Max(edge.First, shared);
            if (first < edge.InPlace)
            {
                _kernels.Accumulate(scores, Together(query), values, first, edge.InPlace, _stride, states, _stateFloats);
            }

            if (edge.InPlace < edge.End)
            {
                _ = pass.Rows.Path(row.Number, scratch.Path);
            }

            for (int i = edge.InPlace; i < edge.End; i++)
            {
                int slot = scratch.Path[begin + i - batch.Cache.Length], offset = slot % Block;
                _kernels.Accumulate(
                    scores + i - offset, Together(query), batch.Cache.Values(pass.Index, keyValueHead, slot / Block), offset, offset + 1, _stride, states, _stateFloats);
            }
        }

        // Queries of the tile that are of the same row.
        int Together(int query) => Math.Min(tile + count, ((query / group) + 1) * group) - query;
    }

    // Scores of positions whose slots lie elsewhere: a row's own path in a tree. Those in this block are there already, under the numbers of their slots, which are never less than those of their
    // positions; of other blocks whole ones are made, of which those of the path are taken.
    private void GatherScores(
        in LayerPass pass, in AttentionPlan.Batch batch, AttentionPlan.Row row, int keyValueHead, int query, int together, int begin, Edge edge, float* scores)
    {
        AttentionScratch scratch = pass.Scratch;
        _ = pass.Rows.Path(row.Number, scratch.Path);
        int slotBlock = -1;
        for (int i = edge.InPlace; i < edge.End; i++)
        {
            int slot = scratch.Path[begin + i - batch.Cache.Length];
            if (slot / Block == begin / Block)
            {
                for (int head = 0; head < together; head++)
                {
                    scores[(head * Block) + i] = scores[(head * Block) + (slot - begin)];
                }

                continue;
            }

            if (slot / Block != slotBlock)
            {
                slotBlock = slot / Block;
                _kernels.Scores(
                    scratch.Queries + (query * _stride), together, _stride, batch.Cache.Keys(pass.Index, keyValueHead, slotBlock), _shape.HeadDimension, scratch.SlotScores);
            }

            for (int head = 0; head < together; head++)
            {
                scores[(head * Block) + i] = scratch.SlotScores[(head * Block) + (slot % Block)];
            }
        }
    }

    private void MergeSpans(in LayerPass pass, AttentionPlan.Row row, int planned, int head)
    {
        float* total = pass.Scratch.Totals;
        _kernels.Clear(total, _stride);
        for (int span = FirstSeen(row, pass.Layer.Window) / SpanPositions; span <= row.Position / SpanPositions; span++)
        {
            _kernels.Merge(total, pass.Workspace.Attend.SpanState(planned, head, _shape.Heads, span), _stride);
        }

        Finish(pass, row, head, total);
    }

    private void Finish(in LayerPass pass, AttentionPlan.Row row, int head, float* state)
    {
        float* output = pass.Scratch.Head;
        _kernels.Finish(state, _stride, output);
        int width = _shape.HeadDimension;
        float* result = pass.Workspace.Attention + ((nint)row.Active * pass.Workspace.AttentionStride) + (head * width);
        new ReadOnlySpan<float>(output, width).CopyTo(new Span<float>(result, width));
    }

    /// <summary>What a row sees of a block: positions from <see cref="First"/> to before <see cref="End"/>, counted from the block's start; those before <see cref="InPlace"/> in slots of the same number.</summary>
    private readonly record struct Edge(int First, int InPlace, int End)
    {
        public static Edge Of(AttentionPlan.Row row, int window, int begin)
        {
            int first = Math.Max(FirstSeen(row, window), begin) - begin, end = Math.Min(row.Position + 1 - begin, Block);
            return first < end ? new Edge(first, Math.Clamp(row.InPlace - begin, first, end), end) : default;
        }
    }

    /// <summary>What a layer's attention works with.</summary>
    private readonly ref struct LayerPass(StackWorkspace workspace, AttentionScratch scratch, PassRows rows, DecoderLayer layer, int index)
    {
        public StackWorkspace Workspace { get; } = workspace;

        public AttentionScratch Scratch { get; } = scratch;

        public PassRows Rows { get; } = rows;

        public DecoderLayer Layer { get; } = layer;

        public int Index { get; } = index;

        public AttentionPlan Plan => Workspace.Attend.Plan;

        public float* QueryKeyValue(AttentionPlan.Row row) => Workspace.QueryKeyValue + ((nint)row.Active * Workspace.QueryKeyValueStride);
    }
}

using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Kernels;

/// <summary>The parts of attention: one chain per score and value however queries and positions are grouped, the twin's bits on every instruction set, softmax in double precision.</summary>
public unsafe class AttentionKernelTests
{
    private const int Block = AttentionKernels.BlockPositions;

    public static TheoryData<KernelPath, CacheFormat> Kernels
    {
        get
        {
            TheoryData<KernelPath, CacheFormat> all = [];
            foreach (KernelPath path in KernelPaths.Available)
            {
                all.Add(path, CacheFormat.F32);
                all.Add(path, CacheFormat.F16);
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Scores_are_one_chain_each_for_every_number_of_queries(KernelPath path, CacheFormat format)
    {
        var random = new Random(1);
        AttentionKernels kernels = AttentionKernels.For(path, format);
        foreach (int width in (int[])[2, 6, 16, 64])
        {
            using var block = new CacheBlock(format, width, random);
            int stride = block.Layout.ValueStride;
            float[] queries = Floats.Random(random, 9 * stride);
            using var query = new Floats(queries);
            for (int count = 1; count <= 9; count++)
            {
                using var scores = new Floats(count * Block);
                kernels.Scores(query.Pointer, count, stride, block.Head, width, scores.Pointer);
                scores.CheckMargin();
                for (int i = 0; i < count * Block; i++)
                {
                    float chain = 0;
                    for (int d = 0; d < width; d++)
                    {
                        chain = MathF.FusedMultiplyAdd(queries[(i / Block * stride) + d], block.Keys[i % Block][d], chain);
                    }

                    Assert.Equal(chain, scores.Span[i]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Values_are_one_chain_each_however_positions_and_queries_are_split(KernelPath path, CacheFormat format)
    {
        var random = new Random(2);
        AttentionKernels kernels = AttentionKernels.For(path, format);
        foreach (int width in (int[])[2, 16, 34, 64, 80])
        {
            using var block = new CacheBlock(format, width, random);
            int stride = block.Layout.ValueStride, state = AttentionKernels.StateHead + stride;
            float[] weights = Floats.Random(random, 8 * Block);
            using var weight = new Floats(weights);
            foreach ((int first, int end) in ((int, int)[])[(0, 64), (0, 1), (1, 2), (5, 5), (3, 42), (62, 63), (63, 64)])
            {
                int count = random.Next(1, 9), split = random.Next(first, end + 1);
                using var states = new Floats(8 * state);
                kernels.Accumulate(weight.Pointer, count, block.Values, first, split, stride, states.Pointer, state);
                kernels.Accumulate(weight.Pointer, count, block.Values, split, end, stride, states.Pointer, state);
                states.CheckMargin();
                for (int query = 0; query < 8; query++)
                {
                    for (int d = 0; d < width; d++)
                    {
                        float chain = 0;
                        for (int i = first; i < end && query < count; i++)
                        {
                            chain = MathF.FusedMultiplyAdd(weights[(query * Block) + i], block.ValueRows[i][d], chain);
                        }

                        Assert.Equal(chain, states.Span[(query * state) + AttentionKernels.StateHead + d]);
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_softmax_in_parts_is_right_and_has_the_twins_bits(KernelPath path, CacheFormat format)
    {
        var random = new Random(3);
        const int Width = 20;
        for (int round = 0; round < 40; round++)
        {
            using var first = new CacheBlock(format, Width, random);
            using var second = new CacheBlock(format, Width, random);
            float[] scores = Floats.Random(random, 2 * Block, random.Next(1, 120));
            (int from, int to) = (random.Next(Block), random.Next(1, Block + 1));
            float[] actual = Softmax(AttentionKernels.For(path, format), [first, second], scores, from, to, merged: round % 2 == 0);
            Assert.Equal(Floats.Bits(Softmax(AttentionKernels.For(KernelPath.Scalar, format), [first, second], scores, from, to, merged: round % 2 == 0)), Floats.Bits(actual));
            double most = scores[from..(Block + to)].Max(), sum = 0;
            double[] expected = new double[Width];
            for (int i = from; i < Block + to; i++)
            {
                double weight = Math.Exp(scores[i] - most);
                sum += weight;
                for (int d = 0; d < Width; d++)
                {
                    expected[d] += weight * (i < Block ? first : second).ValueRows[i % Block][d];
                }
            }

            for (int d = 0; d < Width; d++)
            {
                Assert.Equal(expected[d] / sum, actual[d], 2e-6);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Rotation_has_the_twins_bits(KernelPath path, CacheFormat format)
    {
        var random = new Random(4);
        foreach (int half in (int[])[1, 8, 16, 17, 40, 64])
        {
            using var vector = new Floats(Floats.Random(random, 2 * half));
            using var cosines = new Floats(Floats.Random(random, half));
            using var sines = new Floats(Floats.Random(random, half));
            using var actual = new Floats(2 * half);
            AttentionKernels.For(path, format).Rotate(vector.Pointer, cosines.Pointer, sines.Pointer, half, 0.3f, actual.Pointer);
            actual.CheckMargin();
            for (int i = 0; i < half; i++)
            {
                float low = vector.Span[i], high = vector.Span[half + i];
                Assert.Equal(((low * cosines.Span[i]) - (high * sines.Span[i])) * 0.3f, actual.Span[i]);
                Assert.Equal(((high * cosines.Span[i]) + (low * sines.Span[i])) * 0.3f, actual.Span[half + i]);
            }
        }
    }

    [Fact]
    public void Half_precision_caches_hold_numbers_beyond_their_range_at_its_ends()
    {
        var layout = new KvLayout(1, 1, 2, CacheFormat.F16);
        using var memory = new NativeBuffer(layout.BlockBytes);
        float* key = stackalloc float[2] { 1e30f, -1e30f }, value = stackalloc float[2] { 0.1f, -70000 }, read = stackalloc float[4];
        layout.Store(memory.Bytes, 17, key, value);
        layout.Load(memory.Bytes, 17, read, read + 2);
        Assert.Equal([65504, -65504, (float)(Half)0.1f, -65504], new ReadOnlySpan<float>(read, 4).ToArray());
    }

    private static float[] Softmax(AttentionKernels kernels, CacheBlock[] blocks, float[] scores, int from, int to, bool merged)
    {
        int stride = blocks[0].Layout.ValueStride;
        using var weights = new Floats(scores);
        using var states = new Floats(2 * (AttentionKernels.StateHead + stride));
        using var output = new Floats(stride);
        float* total = states.Pointer, part = total + AttentionKernels.StateHead + stride;
        kernels.Clear(total, stride);
        kernels.Clear(part, stride);
        for (int i = 0; i < 2; i++)
        {
            float* state = merged && i == 1 ? part : total;
            (int first, int end) = i == 0 ? (from, Block) : (0, to);
            kernels.Weigh(weights.Pointer + (i * Block), first, end, state, stride);
            kernels.Accumulate(weights.Pointer + (i * Block), 1, blocks[i].Values, first, end, stride, state, stride + AttentionKernels.StateHead);
        }

        if (merged)
        {
            kernels.Merge(total, part, stride);
        }

        kernels.Finish(total, stride, output.Pointer);
        weights.CheckMargin();
        output.CheckMargin();
        return output.Span.ToArray();
    }

    /// <summary>A head of one cache block with random keys and values, as they are after rounding.</summary>
    private sealed class CacheBlock : IDisposable
    {
        private readonly NativeBuffer _memory;

        public CacheBlock(CacheFormat format, int width, Random random)
        {
            Layout = new KvLayout(1, 1, width, format);
            _memory = new NativeBuffer(Layout.BlockBytes);
            for (int position = 0; position < Block; position++)
            {
                Keys[position] = Floats.Random(random, width);
                ValueRows[position] = Floats.Random(random, width);
                fixed (float* key = Keys[position], value = ValueRows[position])
                {
                    Layout.Store(_memory.Bytes, position, key, value);
                    Layout.Load(_memory.Bytes, position, key, value);
                }
            }
        }

        public KvLayout Layout { get; }

        public float[][] Keys { get; } = new float[Block][];

        public float[][] ValueRows { get; } = new float[Block][];

        public byte* Head => _memory.Bytes;

        public byte* Values => _memory.Bytes + Layout.KeyBytes;

        public void Dispose() => _memory.Dispose();
    }
}

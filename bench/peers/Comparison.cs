using System.Diagnostics;
using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Bench.Peers;

/// <summary>What to measure.</summary>
internal sealed record Settings(int Threads, int Rounds, bool Full, CacheFormat Cache, TimeSpan Limit);

/// <summary>Compares both engines on one file: every round takes each measure of both, one after the other.</summary>
internal sealed class Comparison(string model, Settings settings, IReadOnlyList<string> harnesses, Action<string> note)
{
    private const int UsualContext = 128;
    private const int LongContext = 4096;
    private const int DecodedTokens = 16;
    private const int ChoosingRounds = 3;
    private const int FewestRounds = 3;

    // Prompts and tokens of the greedy comparison, at first sight and in full.
    private static readonly (int Prompts, int Tokens) _glance = (4, 32);
    private static readonly (int Prompts, int Tokens) _wholeCheck = (20, 96);

    private static readonly int[] _passes = [1, 2, 4, 8, 16];
    private static readonly int[] _prompts = [128, 512];

    /// <summary>Measures: the rows of the table, and whether greedy tokens are the same.</summary>
    public (IReadOnlyList<ResultRow> Rows, GreedyResult Greedy) Run()
    {
        var clock = Stopwatch.StartNew();
        int positions = (settings.Full ? LongContext : UsualContext) + _prompts[^1];
        using var ours = new AdaEagleEngine(model, settings.Threads, positions, settings.Cache);
        using PeerProcess theirs = Choose(positions);
        note($"{Path.GetFileName(model)}: {ours.Description}; {Path.GetFileName(theirs.Harness)}, {theirs.Description}");
        (int prompts, int tokens) = settings.Full ? _wholeCheck : _glance;
        GreedyResult greedy = GreedyCheck.Run(model, ours, theirs, prompts, tokens, () => clock.Elapsed < settings.Limit / 4);
        note($"  {greedy.Text}");

        double stream = ours.Stream();
        ModelBytes bytes = ModelBytes.Of(model, settings.Cache);
        List<ResultRow> rows = [];
        TimeSpan each = settings.Full ? settings.Limit / 2 : settings.Limit;
        rows.AddRange(Measure(ours, theirs, UsualContext, [DecodeMeasure, .. _passes.Select(PassMeasure)], stream, bytes, () => clock.Elapsed < each));
        if (settings.Full)
        {
            rows.AddRange(Measure(ours, theirs, 0, [.. _prompts.Select(PromptMeasure)], stream, bytes, () => clock.Elapsed < each * 1.5));
            if (ours.Positions >= LongContext + DecodedTokens)
            {
                rows.AddRange(Measure(ours, theirs, LongContext, [DecodeMeasure], stream, bytes, () => clock.Elapsed < settings.Limit));
            }
        }

        return (rows, greedy);
    }

    private static Measure DecodeMeasure => new("decode", engine => engine.Decode(DecodedTokens));

    private static Measure PassMeasure(int rows) => new($"pass_{rows}", engine => engine.Pass(rows));

    private static Measure PromptMeasure(int tokens) => new("prefill", engine => engine.Prompt(tokens), tokens);

    /// <summary>The harness that decodes faster; both builds are asked where there are two.</summary>
    private PeerProcess Choose(int positions)
    {
        PeerProcess? best = null;
        double fastest = double.PositiveInfinity;
        foreach (string harness in harnesses)
        {
            var peer = new PeerProcess(harness, model, settings.Threads, positions, settings.Cache == CacheFormat.F32);
            peer.Context(UsualContext);
            peer.Decode(DecodedTokens);
            double seconds = Enumerable.Range(0, ChoosingRounds).Min(_ => peer.Decode(DecodedTokens));
            (PeerProcess? worse, best) = seconds < fastest ? (best, peer) : (peer, best);
            fastest = Math.Min(fastest, seconds);
            worse?.Dispose();
        }

        return best!;
    }

    private List<ResultRow> Measure(
        AdaEagleEngine ours, PeerProcess theirs, int context, Measure[] measures, double stream, ModelBytes bytes, Func<bool> goesOn)
    {
        ours.Context(context);
        theirs.Context(context);
        var times = measures.Select(_ => (Ours: new List<double>(), Theirs: new List<double>())).ToArray();
        for (int round = -1; round < settings.Rounds && (round < FewestRounds || goesOn()); round++)
        {
            for (int i = 0; i < measures.Length; i++)
            {
                // Who comes first changes from round to round. The first round warms up.
                bool weFirst = round % 2 == 0;
                double first = measures[i].Of(weFirst ? ours : theirs);
                double second = measures[i].Of(weFirst ? theirs : ours);
                if (round >= 0)
                {
                    times[i].Ours.Add(weFirst ? first : second);
                    times[i].Theirs.Add(weFirst ? second : first);
                }
            }
        }

        return [.. measures.Zip(times, (measure, time) => ResultRow.Of(
            Path.GetFileNameWithoutExtension(model), bytes.Format, measure.Name, measure.Tokens ?? context, time.Ours, time.Theirs,
            measure.Tokens is null ? (ours.PassBytes + bytes.Cache(context)) / stream : null,
            measure.Tokens is null ? (bytes.Weights + bytes.Cache(context)) / stream : null))];
    }
}

/// <summary>A measure: its name, how an engine's time is taken, and the length of the prompt where it is one.</summary>
internal sealed record Measure(string Name, Func<IEngine, double> Of, int? Tokens = null);

/// <summary>What a pass of a file reads.</summary>
/// <param name="Format">The number format of most of its bytes.</param>
/// <param name="Weights">Bytes of weights that every pass reads: all but an embedding that is not the output matrix too.</param>
/// <param name="PositionBytes">Bytes of keys and values of one position.</param>
internal sealed record ModelBytes(string Format, long Weights, long PositionBytes)
{
    private const string Embedding = "token_embd.weight";
    private const string Output = "output.weight";

    /// <summary>Keys and values of so many positions.</summary>
    public long Cache(int positions) => positions * PositionBytes;

    public static ModelBytes Of(string path, CacheFormat cache)
    {
        using GgufFile file = GgufFile.Open(path);
        ModelConfig config = GgufConfig.Read(file);
        long position = 2L * config.LayerCount * config.KeyValueHeadCount * config.HeadDimension * (cache == CacheFormat.F16 ? 2 : 4);
        return new ModelBytes(
            file.Tensors.Values.GroupBy(tensor => tensor.Type).MaxBy(group => group.Sum(tensor => tensor.ByteLength))!.Key.ToString(),
            file.Tensors.Where(tensor => tensor.Key != Embedding || !file.Tensors.ContainsKey(Output)).Sum(tensor => tensor.Value.ByteLength),
            position);
    }
}

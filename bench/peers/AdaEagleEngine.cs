using System.Diagnostics;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Bench.Peers;

/// <summary>AdaEagle's own engine, in this process.</summary>
internal sealed class AdaEagleEngine : IEngine
{
    private const int MostRows = 512;
    private const int MostLogits = 16;

    private readonly WorkerPool _pool;
    private readonly LlamaModel _model;
    private readonly LlamaTarget _target;
    private readonly PassRows _rows = new(MostRows);
    private readonly int _positions;
    private KvCache _cache;

    /// <summary>Loads a model, with room for so many positions.</summary>
    public AdaEagleEngine(string path, int threads, int positions, CacheFormat cache)
    {
        _pool = new WorkerPool(threads);
        _model = LlamaModel.Load(path, cache: cache);
        _target = new LlamaTarget(_model, _pool, MostRows, MostLogits);
        _positions = Math.Min(positions, _target.MaxPositions);
        _cache = _target.CreateCache(_positions);
    }

    /// <summary>Bytes of weights that a one-row pass reads.</summary>
    public long PassBytes => _model.PassBytes;

    /// <summary>Positions there is room for.</summary>
    public int Positions => _positions;

    /// <summary>What runs.</summary>
    public string Description => $"AdaEagle {typeof(LlamaModel).Assembly.GetName().Version?.ToString(3)}, {_model.Path} kernels, most weights {_model.Format}";

    /// <summary>Bytes per second of plain reads of as many bytes as a pass reads, with the same threads.</summary>
    public double Stream() => StreamBandwidth.Measure(_pool, _model.PassBytes);

    public void Context(int positions) => Read([.. Enumerable.Range(0, positions).Select(Token)]);

    public double Prompt(int tokens)
    {
        int[] prompt = [.. Enumerable.Range(0, tokens).Select(Token)];
        long start = Stopwatch.GetTimestamp();
        Read(prompt);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public double Decode(int tokens)
    {
        // A chain of staged rows that grows one by one, so that the context is there for the next round.
        _rows.Clear();
        int token = Token(_cache.Length);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < tokens; i++)
        {
            _rows.Continue();
            _rows.Add(_cache, token, i - 1);
            _target.Forward(_rows, PassRequest.AllLogits);
            token = _target.ArgMax(0);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _cache.Discard();
        return seconds / tokens;
    }

    public double Pass(int rows)
    {
        _rows.Clear();
        for (int row = 0; row < rows; row++)
        {
            _rows.Add(_cache, Token(_cache.Length + row), row - 1);
        }

        long start = Stopwatch.GetTimestamp();
        _target.Forward(_rows, PassRequest.AllLogits);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _cache.Discard();
        return seconds;
    }

    public int[] Greedy(ReadOnlySpan<int> prompt, int tokens)
    {
        Read(prompt);
        int[] output = new int[tokens];
        output[0] = _target.ArgMax(_rows.Active - 1);
        for (int i = 1; i < tokens; i++)
        {
            output[i] = Step(output[i - 1]);
        }

        return output;
    }

    public void Dispose()
    {
        _cache.Dispose();
        _target.Dispose();
        _model.Dispose();
        _pool.Dispose();
    }

    private int Step(int token)
    {
        _rows.Clear();
        _rows.Add(_cache, token);
        _target.Forward(_rows, PassRequest.AllLogits);
        _cache.CommitFirst(1);
        return _target.ArgMax(0);
    }

    /// <summary>A prompt into an empty cache, in as few passes as there is room for.</summary>
    private void Read(ReadOnlySpan<int> tokens)
    {
        _cache.Dispose();
        _cache = _target.CreateCache(_positions);
        for (int start = 0; start < tokens.Length; start += MostRows)
        {
            ReadOnlySpan<int> chunk = tokens[start..Math.Min(start + MostRows, tokens.Length)];
            _rows.Clear();
            for (int row = 0; row < chunk.Length; row++)
            {
                _rows.Add(_cache, chunk[row], row - 1);
            }

            bool last = start + chunk.Length == tokens.Length;
            _target.Forward(_rows, last ? new PassRequest { LogitsFrom = chunk.Length - 1 } : PassRequest.FeaturesOnly);
            _cache.CommitFirst(chunk.Length);
        }
    }

    // The harness takes the same ones.
    private int Token(int position) => (int)(((position * 7919L) + 13) % _target.VocabularySize);
}

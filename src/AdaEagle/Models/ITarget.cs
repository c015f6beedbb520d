namespace AdaEagle.Models;

/// <summary>What a pass is to give back besides the caches' staged rows.</summary>
public sealed record PassRequest
{
    /// <summary>Rows from this one on get logits; the default asks for none.</summary>
    public int LogitsFrom { get; init; } = int.MaxValue;

    /// <summary>Boundaries b whose residual stream is kept: after b decoder layers, 0 being the embedding.</summary>
    public IReadOnlyList<int> Boundaries { get; init; } = [];

    /// <summary>Features only.</summary>
    public static PassRequest FeaturesOnly { get; } = new();

    /// <summary>Features and logits of every row.</summary>
    public static PassRequest AllLogits { get; } = new() { LogitsFrom = 0 };
}

/// <summary>
/// The model whose output counts, as one session runs it: a pass of rows in, the requested results out. This is the backend seam: another
/// device is another implementation. Results are valid until the next pass. Not thread-safe; the weights behind it are shared.
/// </summary>
public interface ITarget : IDisposable
{
    /// <summary>Width of a feature.</summary>
    int HiddenSize { get; }

    /// <summary>Logits of a row.</summary>
    int VocabularySize { get; }

    /// <summary>Positions the model was made for.</summary>
    int MaxPositions { get; }

    /// <summary>The most rows of a pass.</summary>
    int MaxRows { get; }

    /// <summary>The most rows of a pass that get logits.</summary>
    int MaxLogitRows { get; }

    /// <summary>An empty sequence of at most <paramref name="capacity"/> positions, staged ones counted.</summary>
    KvCache CreateCache(int capacity);

    /// <summary>Runs the rows; their keys and values are staged in their caches.</summary>
    void Forward(PassRows rows, PassRequest request);

    /// <summary>A row's logits, if they were requested.</summary>
    ReadOnlySpan<float> Logits(int row);

    /// <summary>The token of the largest logit, the lowest id of equals.</summary>
    int ArgMax(int row);

    /// <summary>A row's feature: the last hidden state after the final norm.</summary>
    ReadOnlySpan<float> Feature(int row);

    /// <summary>A row's residual stream at a requested boundary.</summary>
    ReadOnlySpan<float> Boundary(int boundary, int row);
}

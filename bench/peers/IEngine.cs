namespace AdaEagle.Bench.Peers;

/// <summary>One of the two that are compared: a model loaded, its cache holding a context. Times are seconds.</summary>
internal interface IEngine : IDisposable
{
    /// <summary>Makes the cache hold <paramref name="positions"/> positions.</summary>
    void Context(int positions);

    /// <summary>Processes a prompt in an empty cache, logits of its last token only.</summary>
    double Prompt(int tokens);

    /// <summary>Decodes greedily behind the context; the time of one token. The cache is as before then.</summary>
    double Decode(int tokens);

    /// <summary>One pass of so many rows behind the context, with logits of all of them. The cache is as before then.</summary>
    double Pass(int rows);

    /// <summary>The greedy tokens after a prompt, whatever they are.</summary>
    int[] Greedy(ReadOnlySpan<int> prompt, int tokens);
}

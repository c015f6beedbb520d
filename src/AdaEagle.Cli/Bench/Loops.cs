namespace AdaEagle.Cli.Bench;

/// <summary>Tells outputs that loop: they flatter every figure of speculation.</summary>
internal static class Loops
{
    public const int Length = 8;

    /// <summary>True if some eight tokens in a row occur twice, overlapping or not.</summary>
    public static bool In(IReadOnlyList<int> tokens)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int start = 0; start + Length <= tokens.Count; start++)
        {
            if (!seen.Add(string.Join(' ', Enumerable.Range(start, Length).Select(i => tokens[i]))))
            {
                return true;
            }
        }

        return false;
    }
}

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Finds texts in texts in time linear in both, however they repeat themselves (.NET's own search is quadratic at worst).</summary>
internal static class TextSearch
{
    // Below this product the plain search cannot take long.
    private const long SmallWork = 1 << 16;

    /// <summary>The first place of <paramref name="part"/> in UTF-16 units, or -1.</summary>
    public static int First(Budget budget, string text, string part)
    {
        foreach (int at in All(budget, text, part, overlapping: false))
        {
            return at;
        }

        return -1;
    }

    /// <summary>The last place, or -1.</summary>
    public static int Last(Budget budget, string text, string part)
    {
        int last = -1;
        foreach (int at in All(budget, text, part, overlapping: true))
        {
            last = at;
        }

        return last;
    }

    /// <summary>All places, from left to right. An empty part is found before every character and at the end.</summary>
    public static IEnumerable<int> All(Budget budget, string text, string part, bool overlapping = false)
    {
        budget.Step(1 + (text.Length + part.Length) / 64);
        if (part.Length == 0 || part.Length > text.Length)
        {
            return part.Length == 0 ? Boundaries(text) : [];
        }

        if ((long)text.Length * part.Length <= SmallWork || part.Length <= 4)
        {
            return Plain(text, part, overlapping);
        }

        // The table takes as much room as two such texts.
        budget.Text(part.Length);
        budget.Text(part.Length);
        return Linear(text, part, overlapping);
    }

    private static IEnumerable<int> Boundaries(string text)
    {
        for (int i = 0; i <= text.Length; i++)
        {
            if (i == 0 || i == text.Length || !char.IsSurrogatePair(text[i - 1], text[i]))
            {
                yield return i;
            }
        }
    }

    private static IEnumerable<int> Plain(string text, string part, bool overlapping)
    {
        for (int at = text.IndexOf(part, StringComparison.Ordinal); at >= 0; at = text.IndexOf(part, at, StringComparison.Ordinal))
        {
            yield return at;
            at += overlapping ? 1 : part.Length;
            if (at > text.Length)
            {
                break;
            }
        }
    }

    // Knuth, Morris and Pratt: borders[i] is the longest proper prefix of the part's first i characters that they also end with.
    private static IEnumerable<int> Linear(string text, string part, bool overlapping)
    {
        int[] borders = new int[part.Length + 1];
        borders[0] = -1;
        for (int i = 0, border = -1; i < part.Length; borders[++i] = ++border)
        {
            while (border >= 0 && part[border] != part[i])
            {
                border = borders[border];
            }
        }

        int matched = 0;
        for (int i = 0; i < text.Length; i++)
        {
            while (matched >= 0 && part[matched] != text[i])
            {
                matched = borders[matched];
            }

            if (++matched == part.Length)
            {
                yield return i + 1 - part.Length;
                matched = overlapping ? borders[matched] : 0;
            }
        }
    }
}

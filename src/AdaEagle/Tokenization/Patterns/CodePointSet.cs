namespace AdaEagle.Tokenization.Patterns;

/// <summary>A set of Unicode code points, immutable. Membership takes one table look-up in the basic plane.</summary>
internal sealed class CodePointSet
{
    /// <summary>The highest code point.</summary>
    public const int Last = 0x10FFFF;

    private const int FirstAstral = 0x10000;

    /// <summary>Up to so many bounds no table is worth its room.</summary>
    private const int WithoutTable = 4;

    /// <summary>Inclusive ranges, ascending, with gaps between them: first, last, first, last, …</summary>
    private readonly int[] _bounds;

    /// <summary>One bit for each code point of the basic plane; built at first use, since many sets are only parts of others.</summary>
    private ulong[]? _basicPlane;

    private CodePointSet(int[] bounds) => _bounds = bounds;

    /// <summary>The set of nothing.</summary>
    public static CodePointSet Empty { get; } = new([]);

    /// <summary>The set of all code points.</summary>
    public static CodePointSet All { get; } = new([0, Last]);

    /// <summary>The ranges, ascending, with gaps between them.</summary>
    public IEnumerable<(int First, int Last)> Ranges
    {
        get
        {
            for (int i = 0; i < _bounds.Length; i += 2)
            {
                yield return (_bounds[i], _bounds[i + 1]);
            }
        }
    }

    /// <summary>The ASCII members: bit n is code point n.</summary>
    public UInt128 Ascii
    {
        get
        {
            UInt128 bits = UInt128.Zero;
            for (int codePoint = 0; codePoint < 128; codePoint++)
            {
                bits |= Contains(codePoint) ? UInt128.One << codePoint : UInt128.Zero;
            }

            return bits;
        }
    }

    /// <summary>The set of one code point.</summary>
    public static CodePointSet Of(int codePoint) => new([codePoint, codePoint]);

    /// <summary>The set of the characters of a text.</summary>
    public static CodePointSet Of(string text) => FromRanges(text.EnumerateRunes().Select(rune => (rune.Value, rune.Value)));

    /// <summary>The set of all code points in inclusive ranges, in any order, overlapping or not.</summary>
    public static CodePointSet FromRanges(IEnumerable<(int First, int Last)> ranges)
    {
        List<int> bounds = [];
        foreach ((int first, int last) in ranges.OrderBy(range => range.First))
        {
            if (bounds.Count > 0 && first <= bounds[^1] + 1)
            {
                bounds[^1] = Math.Max(bounds[^1], last);
            }
            else
            {
                bounds.Add(first);
                bounds.Add(last);
            }
        }

        return new CodePointSet([.. bounds]);
    }

    /// <summary>The set of all code points of <paramref name="sets"/>.</summary>
    public static CodePointSet Union(params IEnumerable<CodePointSet> sets) => FromRanges(sets.SelectMany(set => set.Ranges));

    /// <summary>All code points that are not members.</summary>
    public CodePointSet Complement()
    {
        List<int> bounds = [];
        int next = 0;
        foreach ((int first, int last) in Ranges)
        {
            if (next < first)
            {
                bounds.Add(next);
                bounds.Add(first - 1);
            }

            next = last + 1;
        }

        if (next <= Last)
        {
            bounds.Add(next);
            bounds.Add(Last);
        }

        return new CodePointSet([.. bounds]);
    }

    /// <summary>The common members.</summary>
    public CodePointSet Intersect(CodePointSet other) => Union(Complement(), other.Complement()).Complement();

    /// <summary>True if the code point is a member.</summary>
    public bool Contains(int codePoint)
    {
        if (codePoint >= FirstAstral || _bounds.Length <= WithoutTable)
        {
            return ContainsBySearch(codePoint);
        }

        ulong[] table = _basicPlane ?? BuildTable();
        return (table[codePoint >> 6] >> (codePoint & 63) & 1) != 0;
    }

    private ulong[] BuildTable()
    {
        ulong[] table = new ulong[FirstAstral / 64];
        foreach ((int first, int last) in Ranges)
        {
            for (int codePoint = first; codePoint <= last && codePoint < FirstAstral; codePoint++)
            {
                table[codePoint >> 6] |= 1UL << (codePoint & 63);
            }
        }

        return _basicPlane = table;
    }

    private bool ContainsBySearch(int codePoint)
    {
        if (_bounds.Length <= WithoutTable)
        {
            return (_bounds.Length >= 2 && codePoint >= _bounds[0] && codePoint <= _bounds[1])
                || (_bounds.Length >= 4 && codePoint >= _bounds[2] && codePoint <= _bounds[3]);
        }

        // An odd insertion point lies between a first and its last.
        int found = Array.BinarySearch(_bounds, codePoint);
        return found >= 0 || (~found & 1) != 0;
    }
}

namespace AdaEagle.Tokenization.Patterns;

/// <summary>A pattern as a tree.</summary>
internal abstract record PatternNode
{
    /// <summary>One code point out of a set.</summary>
    public sealed record One(CodePointSet Set) : PatternNode;

    /// <summary>One after the other; nothing at all if there is no item.</summary>
    public sealed record Sequence(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <summary>The first choice that leads to a match.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <summary>Several times; <paramref name="Most"/> is <see cref="Unbounded"/> if there is no upper limit.</summary>
    public sealed record Repeat(PatternNode Body, int Least, int Most, bool Lazy) : PatternNode;

    /// <summary>Once matched, never tried otherwise (what possessive quantifiers are made of).</summary>
    public sealed record Atomic(PatternNode Body) : PatternNode;

    /// <summary>Whether the body matches from here on, or (<paramref name="Behind"/>) up to here; nothing is consumed.</summary>
    public sealed record Look(PatternNode Body, bool Behind, bool Negative) : PatternNode;

    /// <summary>A condition on the place, see <see cref="PlaceKind"/>.</summary>
    public sealed record Place(PlaceKind Kind) : PatternNode;

    /// <summary>No upper limit of a <see cref="Repeat"/>.</summary>
    public const int Unbounded = int.MaxValue;

    /// <summary>The pattern that matches nothing, everywhere.</summary>
    public static PatternNode Nothing { get; } = new Sequence([]);
}

/// <summary>Conditions on a place between two code points (Oniguruma's default syntax, where lines count for <c>^</c> and <c>$</c>).</summary>
internal enum PlaceKind
{
    /// <summary><c>\A</c></summary>
    TextStart,

    /// <summary><c>\z</c></summary>
    TextEnd,

    /// <summary><c>\Z</c>: the end, or before a line feed at the end.</summary>
    TextEndOrLastLine,

    /// <summary><c>^</c></summary>
    LineStart,

    /// <summary><c>$</c></summary>
    LineEnd,

    /// <summary><c>\b</c></summary>
    WordBoundary,

    /// <summary><c>\B</c></summary>
    NoWordBoundary,
}

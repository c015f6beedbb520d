namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>What a piece is (<c>SentencePiece.Type</c>).</summary>
internal enum PieceType
{
    /// <summary>Text.</summary>
    Normal = 1,

    /// <summary>Stands for what has no piece.</summary>
    Unknown = 2,

    /// <summary>Begins, ends, masks: never found in text.</summary>
    Control = 3,

    /// <summary>Found in text before anything else, as it is.</summary>
    UserDefined = 4,

    /// <summary>A placeholder that is never given.</summary>
    Unused = 5,

    /// <summary>One byte.</summary>
    Byte = 6,
}

/// <summary>How a model takes text apart (<c>TrainerSpec.ModelType</c>).</summary>
internal enum SentencePieceKind
{
    /// <summary>The most likely path.</summary>
    Unigram = 1,

    /// <summary>Merges by score.</summary>
    Bpe = 2,
}

/// <summary>One piece: its text (spaces as U+2581), score and type.</summary>
internal readonly record struct SentencePiece(string Text, float Score, PieceType Type);

/// <summary>What a <c>.model</c> file of SentencePiece holds, as far as it counts for encoding and decoding.</summary>
internal sealed record SentencePieceModel
{
    /// <summary>Pieces by id, no text twice.</summary>
    public required IReadOnlyList<SentencePiece> Pieces { get; init; }

    public SentencePieceKind Kind { get; init; } = SentencePieceKind.Unigram;

    /// <summary>A character without a piece becomes its bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Id of the unknown piece.</summary>
    public int UnknownId { get; init; }

    /// <summary>Id of the piece that begins a text, null if there is none.</summary>
    public int? BeginId { get; init; }

    /// <summary>Id of the piece that ends a text, null if there is none.</summary>
    public int? EndId { get; init; }

    /// <summary>What an unknown piece decodes to.</summary>
    public string UnknownSurface { get; init; } = " \u2047 ";

    /// <summary>The precompiled rules of the normaliser; null for none.</summary>
    public CharacterMap? Map { get; init; }

    /// <summary>A space is put in front of every text that is not empty (behind it, with <see cref="SpaceAsSuffix"/>).</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>Spaces in front, at the end and after spaces go.</summary>
    public bool RemoveExtraSpaces { get; init; } = true;

    /// <summary>Spaces are written U+2581.</summary>
    public bool EscapeSpaces { get; init; } = true;

    /// <summary>Pieces end, not begin, with their space.</summary>
    public bool SpaceAsSuffix { get; init; }
}

using System.Text;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Merging;

namespace AdaEagle.Tokenization.Loading;

/// <summary>
/// Reads <c>decoder</c>. All kinds that are supported come down to the bytes of each token, which never change, and a few
/// <see cref="DecodingRules"/> about how they are joined, so that tokens can be decoded one by one.
/// </summary>
internal sealed class DecoderReader
{
    private readonly List<(string Pattern, string Content)> _replacements = [];
    private bool _fallsBackToBytes;
    private bool _fused;
    private DecodingRules _rules = new(LeadingSpace.Stays, BrokenBytes.OneEachSequence);

    private DecoderReader()
    {
    }

    /// <summary>True if tokens are spelt in the byte-level alphabet.</summary>
    public bool IsByteLevel { get; private set; }

    /// <summary>How the bytes of tokens are joined.</summary>
    public DecodingRules Rules => _fallsBackToBytes ? _rules with { BrokenBytes = BrokenBytes.OneEachByteOfRun } : _rules;

    public static DecoderReader Read(JsonConfig root)
    {
        JsonConfig decoder = root.Object("decoder") ?? throw root.Fault(
            "decoder", "there is no decoder", "A byte-level tokenizer has the decoder ByteLevel, a SentencePiece-like one Metaspace or a Sequence of Replace, ByteFallback, Fuse and Strip");
        DecoderReader reader = new();
        reader.Add(decoder);
        return reader;
    }

    /// <summary>True if the token stands for a byte.</summary>
    public bool IsByte(string token) => _fallsBackToBytes && ByteTokens.TryParse(token, out _);

    /// <summary>What a token decodes to.</summary>
    public byte[] ToBytes(string token)
    {
        if (IsByteLevel)
        {
            return ByteAlphabet.ToBytes(token);
        }

        if (_fallsBackToBytes && ByteTokens.TryParse(token, out byte value))
        {
            return [value];
        }

        foreach ((string pattern, string content) in _replacements)
        {
            token = token.Replace(pattern, content, StringComparison.Ordinal);
        }

        return Encoding.UTF8.GetBytes(token);
    }

    private void Add(JsonConfig decoder)
    {
        string kind = decoder.Text("type") ?? "";
        if (kind == "Sequence")
        {
            foreach (JsonConfig item in decoder.Objects("decoders"))
            {
                Add(item);
            }

            return;
        }

        bool inOrder = kind switch
        {
            "ByteLevel" => !IsByteLevel && !_fallsBackToBytes && _replacements.Count == 0,
            "Replace" or "Metaspace" => !IsByteLevel && !_fallsBackToBytes && !_fused,
            "ByteFallback" => !IsByteLevel && !_fallsBackToBytes && !_fused,
            "Strip" => _fused && !IsByteLevel && _rules.LeadingSpace == LeadingSpace.Stays,
            "Fuse" => true,
            _ => throw TokenizerReader.Unsupported(decoder, "decoder", kind, "ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip and Sequence"),
        };
        if (!inOrder)
        {
            throw decoder.Fault("type", $"the decoder {kind} is not supported at this place", "Supported are ByteLevel alone, and Replace or Metaspace, ByteFallback, Fuse, Strip in this order");
        }

        Apply(decoder, kind);
    }

    private void Apply(JsonConfig decoder, string kind)
    {
        switch (kind)
        {
            case "ByteLevel":
                IsByteLevel = true;
                break;
            case "ByteFallback":
                _fallsBackToBytes = true;
                break;
            case "Fuse":
                _fused = true;
                break;
            case "Replace":
                _replacements.Add(Literals.Replacement(decoder));
                break;
            case "Metaspace":
                _replacements.Add((Literals.Mark(decoder), " "));
                _rules = Literals.Prepends(decoder) == PrependScheme.Never ? _rules : _rules with { LeadingSpace = LeadingSpace.AllOfFirstToken };
                break;
            default:
                ReadStrip(decoder);
                break;
        }
    }

    private void ReadStrip(JsonConfig decoder)
    {
        if (decoder.Text("content") != " " || decoder.Int("stop", 0, int.MaxValue) is > 0)
        {
            throw decoder.Fault("content", "only spaces in front can be stripped", "Supported is Strip with the content ' ' and stop 0");
        }

        _rules = _rules with { LeadingSpace = LeadingSpace.OfText, LeadingCount = decoder.Int("start", 0, int.MaxValue) ?? 0 };
    }
}

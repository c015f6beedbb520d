using System.Buffers;
using System.Text;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>
/// SentencePiece's normalisation: user-defined symbols stay as they are; elsewhere the longest rule of the model's own map counts;
/// then spaces (extra ones go, one is put in front, U+2581 stands for each).
/// </summary>
internal sealed class PieceNormalizer(SentencePieceModel model, PieceTrie userDefined)
{
    private static ReadOnlySpan<byte> Mark => "\u2581"u8;

    private static ReadOnlySpan<byte> Replacement => "\uFFFD"u8;

    /// <summary>The normalised text of well-formed UTF-16.</summary>
    public string Apply(string text)
    {
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        while (model.RemoveExtraSpaces && Next(rest, out ReadOnlySpan<byte> first) is var taken and > 0 && first.SequenceEqual(" "u8))
        {
            rest = rest[taken..];
        }

        if (rest.IsEmpty)
        {
            return "";
        }

        var output = new ArrayBufferWriter<byte>(rest.Length + 16);
        ReadOnlySpan<byte> space = model.EscapeSpaces ? Mark : " "u8;
        if (model.AddDummyPrefix && !model.SpaceAsSuffix)
        {
            output.Write(space);
        }

        bool afterSpace = model.RemoveExtraSpaces;
        while (Next(rest, out ReadOnlySpan<byte> part) is var taken and > 0)
        {
            rest = rest[taken..];
            part = afterSpace ? part.TrimStart((byte)' ') : part;
            if (!part.IsEmpty)
            {
                Write(part, space, output);
                afterSpace = part[^1] == ' ';
            }

            afterSpace &= model.RemoveExtraSpaces;
        }

        ReadOnlySpan<byte> normalized = output.WrittenSpan;
        while (model.RemoveExtraSpaces && normalized.EndsWith(space))
        {
            normalized = normalized[..^space.Length];
        }

        string result = Encoding.UTF8.GetString(normalized);
        return model.AddDummyPrefix && model.SpaceAsSuffix ? result + Encoding.UTF8.GetString(space) : result;
    }

    /// <summary>What the next stretch becomes; returns how many bytes it has, 0 at the end.</summary>
    private int Next(ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> part)
    {
        if (userDefined.Longest(rest, out _) is var symbol and > 0)
        {
            part = rest[..symbol];
            return symbol;
        }

        if (model.Map is not null && model.Map.Longest(rest, out part) is var rule and > 0)
        {
            return rule;
        }

        if (rest.IsEmpty)
        {
            part = default;
            return 0;
        }

        // A rule that ends inside a character leaves its rest, byte by byte.
        bool whole = Rune.DecodeFromUtf8(rest, out _, out int length) == OperationStatus.Done;
        length = whole ? length : 1;
        part = whole ? rest[..length] : Replacement;
        return length;
    }

    private static void Write(ReadOnlySpan<byte> part, ReadOnlySpan<byte> space, ArrayBufferWriter<byte> output)
    {
        while (part.IndexOf((byte)' ') is var at and >= 0)
        {
            output.Write(part[..at]);
            output.Write(space);
            part = part[(at + 1)..];
        }

        output.Write(part);
    }
}

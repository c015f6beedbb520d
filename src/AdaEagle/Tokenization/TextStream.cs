using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace AdaEagle.Tokenization;

/// <summary>
/// Turns a stream of ids into text as it comes: only whole UTF-8 characters are given back, the bytes of a character still
/// incomplete are kept for later. All that <see cref="Append"/> and <see cref="Flush"/> gave, joined, equals
/// <see cref="ITokenizer.Decode"/> of the ids. Of one thread at a time.
/// </summary>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="skipSpecialTokens">Leaves special tokens out, as in <see cref="ITokenizer.Decode"/>.</param>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of text, not of bytes.")]
public sealed class TextStream(ITokenizer tokenizer, bool skipSpecialTokens = true)
{
    /// <summary>The longest beginning of a character that can be waiting: UTF-8 characters have four bytes at most.</summary>
    private const int LongestKept = 3;

    private const int OnStack = 256;

    private readonly byte[] _kept = new byte[LongestKept];
    private int _keptCount;

    /// <summary>Takes the next id; returns the text that is certain now (empty, it may be).</summary>
    public string Append(int id)
    {
        if (skipSpecialTokens && tokenizer.IsSpecial(id))
        {
            return "";
        }

        ReadOnlySpan<byte> bytes = tokenizer.TokenBytes(id);
        if (bytes.IsEmpty)
        {
            return "";
        }

        if (_keptCount == 0)
        {
            return Take(bytes);
        }

        int length = _keptCount + bytes.Length;
        Span<byte> joined = length <= OnStack ? stackalloc byte[length] : new byte[length];
        _kept.AsSpan(0, _keptCount).CopyTo(joined);
        bytes.CopyTo(joined[_keptCount..]);
        return Take(joined);
    }

    /// <summary>Ends the stream: U+FFFD if a character was cut, else nothing. The stream can be used again.</summary>
    public string Flush()
    {
        string rest = Encoding.UTF8.GetString(_kept, 0, _keptCount);
        _keptCount = 0;
        return rest;
    }

    /// <summary>Forgets what was kept.</summary>
    public void Reset() => _keptCount = 0;

    private string Take(ReadOnlySpan<byte> bytes)
    {
        int whole = bytes.Length - IncompleteTail(bytes);
        ReadOnlySpan<byte> tail = bytes[whole..];
        string text = Encoding.UTF8.GetString(bytes[..whole]);
        tail.CopyTo(_kept);
        _keptCount = tail.Length;
        return text;
    }

    /// <summary>How many bytes at the end are the beginning of a character that further bytes could complete.</summary>
    private static int IncompleteTail(ReadOnlySpan<byte> bytes)
    {
        for (int length = 1; length <= Math.Min(LongestKept, bytes.Length); length++)
        {
            // A broken tail is also "needs more data" for none but the true beginning of a character.
            ReadOnlySpan<byte> tail = bytes[^length..];
            if (Rune.DecodeFromUtf8(tail, out _, out _) == OperationStatus.NeedMoreData)
            {
                return length;
            }
        }

        return 0;
    }
}

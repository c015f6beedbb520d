using System.Text;
using System.Text.Unicode;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli.Trace;

/// <summary>Tokens for people: their text, or their bytes where those are a part of a character.</summary>
internal sealed class TokenText(ITokenizer tokenizer)
{
    private const int Longest = 14;

    /// <summary>All of it, as it is in the output.</summary>
    public string Of(int token)
    {
        ReadOnlySpan<byte> bytes = tokenizer.TokenBytes(token);
        return bytes.Length > 0 && Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes)
            : bytes.Length > 0 ? $"‹{System.Convert.ToHexStringLower(bytes)}›"
            : $"‹{token}›";
    }

    /// <summary>In one line, blanks made visible, long ones cut.</summary>
    public string Label(int token)
    {
        string text = Of(token).Replace(' ', '␣').Replace('\n', '⏎').Replace('\t', '⇥').Replace('\r', '␍');
        return text.Length <= Longest ? text : text[..(char.IsHighSurrogate(text[Longest - 2]) ? Longest - 2 : Longest - 1)] + "…";
    }
}

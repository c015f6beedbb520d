using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace AdaEagle.Tokenization;

/// <summary>
/// Turns a stream of ids into text as it comes: only whole UTF-8 characters are given back, the bytes of a character still
/// incomplete are kept for later. All that <see cref="Append"/> and <see cref="Flush"/> gave, joined, equals
/// <see cref="ITokenizer.Decode"/> of the ids. Of one thread at a time.
/// </summary>
/// <remarks>Where a broken byte spoils its whole run of byte tokens (<see cref="BrokenBytes.OneEachByteOfRun"/>), a run comes when it has ended.</remarks>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="skipSpecialTokens">Leaves special tokens out, as in <see cref="ITokenizer.Decode"/>.</param>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of text, not of bytes.")]
public sealed class TextStream(ITokenizer tokenizer, bool skipSpecialTokens = true)
{
    private readonly TextAssembler _assembler = new(tokenizer, skipSpecialTokens);
    private readonly StringBuilder _certain = new();

    /// <summary>Takes the next id; returns the text that is certain now (empty, it may be).</summary>
    public string Append(int id)
    {
        _assembler.Append(id, _certain);
        return Take();
    }

    /// <summary>Ends the stream: U+FFFD if a character was cut, else nothing. The stream can be used again.</summary>
    public string Flush()
    {
        _assembler.Flush(_certain);
        return Take();
    }

    /// <summary>Forgets what was kept.</summary>
    public void Reset() => _assembler.Reset();

    private string Take()
    {
        string text = _certain.ToString();
        _certain.Clear();
        return text;
    }
}

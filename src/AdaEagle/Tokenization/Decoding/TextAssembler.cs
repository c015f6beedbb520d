using System.Buffers;
using System.Text;

namespace AdaEagle.Tokenization;

/// <summary>
/// Joins tokens to text, one by one: the one place where <see cref="DecodingRules"/> are carried out, for whole texts and for streams.
/// </summary>
internal sealed class TextAssembler(ITokenizer tokenizer, bool skipSpecialTokens)
{
    private const char Replacement = '\uFFFD';

    private readonly DecodingRules _rules = tokenizer.Decoding;
    private readonly ArrayBufferWriter<byte> _pending = new();
    private bool _anyToken;
    private bool _anyText;
    private int _dropped;

    /// <summary>Takes the next id and appends the text that is certain now.</summary>
    public void Append(int id, StringBuilder output)
    {
        bool first = !_anyToken;
        _anyToken = true;
        if (skipSpecialTokens && tokenizer.IsSpecial(id))
        {
            // Hugging Face's decoders never see it; for llama.cpp it was the first token all the same.
            _anyToken = !first || _rules.LeadingSpace != LeadingSpace.AllOfFirstToken;
            EndRun(output);
            return;
        }

        bool isByte = tokenizer.IsByteFallback(id);
        ReadOnlySpan<byte> bytes = WithoutLeading(tokenizer.TokenBytes(id), first, keeps: isByte || id == _rules.UnknownToken, output);
        if (_rules.BrokenBytes != BrokenBytes.OneEachSequence && !isByte)
        {
            EndRun(output);
            Emit(bytes, output);
            return;
        }

        _pending.Write(bytes);
        if (_rules.BrokenBytes != BrokenBytes.OneEachByteOfRun)
        {
            EmitWhole(output);
        }
    }

    /// <summary>Ends the text: appends what stands for a character that was cut. The next token begins a new text.</summary>
    public void Flush(StringBuilder output)
    {
        if (_rules.BrokenBytes == BrokenBytes.OneEachSequence)
        {
            Emit(_pending.WrittenSpan, output);
        }

        EndRun(output);
        Reset();
    }

    /// <summary>Forgets everything.</summary>
    public void Reset()
    {
        _pending.ResetWrittenCount();
        _anyToken = false;
        _anyText = false;
        _dropped = 0;
    }

    private ReadOnlySpan<byte> WithoutLeading(ReadOnlySpan<byte> bytes, bool first, bool keeps, StringBuilder output)
    {
        switch (_rules.LeadingSpace)
        {
            case LeadingSpace.OfText:
                while (!_anyText && _pending.WrittenCount == 0 && _dropped < _rules.LeadingCount && bytes.StartsWith(" "u8))
                {
                    bytes = bytes[1..];
                    _dropped++;
                }

                return bytes;
            case LeadingSpace.OfPiece or LeadingSpace.OfEveryPiece when !keeps:
                // Broken byte pieces before it are text too.
                EndRun(output);
                bool drops = !_anyText && bytes.StartsWith(" "u8) && (_rules.LeadingSpace == LeadingSpace.OfEveryPiece || _dropped == 0);
                _dropped += drops ? 1 : 0;
                return drops ? bytes[1..] : bytes;
            case LeadingSpace.OfFirstToken:
                return first && bytes.StartsWith(" "u8) ? bytes[1..] : bytes;
            case LeadingSpace.AllOfFirstToken:
                return first && bytes.Contains((byte)' ') ? bytes.ToArray().Where(value => value != ' ').ToArray() : bytes;
            default:
                return bytes;
        }
    }

    /// <summary>Appends the characters that are whole, and what stands for broken bytes before the last; keeps the beginning of one.</summary>
    private void EmitWhole(StringBuilder output)
    {
        ReadOnlySpan<byte> bytes = _pending.WrittenSpan;
        int start = 0;
        int valid = 0;
        while (valid < bytes.Length)
        {
            OperationStatus status = Rune.DecodeFromUtf8(bytes[valid..], out _, out int consumed);
            if (status == OperationStatus.NeedMoreData)
            {
                break;
            }

            if (status == OperationStatus.InvalidData && _rules.BrokenBytes == BrokenBytes.OneEachByte)
            {
                Emit(bytes[start..valid], output);
                EmitBroken(1, output);
                valid++;
                start = valid;
                continue;
            }

            valid += consumed;
        }

        Emit(bytes[start..valid], output);
        byte[] rest = bytes[valid..].ToArray();
        _pending.ResetWrittenCount();
        _pending.Write(rest);
    }

    /// <summary>Ends a run of byte tokens, where runs count.</summary>
    private void EndRun(StringBuilder output)
    {
        if (_rules.BrokenBytes == BrokenBytes.OneEachSequence || _pending.WrittenCount == 0)
        {
            return;
        }

        ReadOnlySpan<byte> bytes = _pending.WrittenSpan;
        if (_rules.BrokenBytes == BrokenBytes.OneEachByteOfRun && System.Text.Unicode.Utf8.IsValid(bytes))
        {
            Emit(bytes, output);
        }
        else
        {
            EmitBroken(bytes.Length, output);
        }

        _pending.ResetWrittenCount();
    }

    private void Emit(ReadOnlySpan<byte> bytes, StringBuilder output)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        _anyText = true;
        const int OnStack = 256;
        Span<char> text = bytes.Length <= OnStack ? stackalloc char[OnStack] : new char[bytes.Length];
        output.Append(text[..Encoding.UTF8.GetChars(bytes, text)]);
    }

    private void EmitBroken(int count, StringBuilder output)
    {
        _anyText = true;
        output.Append(Replacement, count);
    }
}

using System.IO.Compression;
using System.Text;

namespace AdaEagle.Training.Data;

/// <summary>
/// Reads a text file, packed or not, by lines or whole, and refuses what is hostile before it costs memory: bytes that are not UTF-8,
/// damaged gzip, lines without end. Every error is a <see cref="CorpusException"/>.
/// </summary>
internal sealed class BoundedReader : IDisposable
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _path;
    private readonly int _maximumCharacters;
    private readonly StreamReader _reader;
    private readonly char[] _block = new char[1 << 15];
    private int _start;
    private int _end;

    public BoundedReader(string path, int maximumCharacters)
    {
        (_path, _maximumCharacters) = (path, maximumCharacters);
        try
        {
            Stream stream = File.OpenRead(path);
            bool isPacked = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
            _reader = new StreamReader(isPacked ? new GZipStream(stream, CompressionMode.Decompress) : stream, StrictUtf8);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CorpusException(path, 0, $"The corpus file cannot be opened ({exception.Message.TrimEnd('.')}).", "Check the path given to --corpus.", exception);
        }
    }

    /// <summary>Number of the line that was read last, counted from 1.</summary>
    public long Line { get; private set; }

    /// <summary>The next line without its end, null after the last.</summary>
    public string? ReadLine()
    {
        Line++;
        var line = new StringBuilder();
        while (Fill(Line))
        {
            ReadOnlySpan<char> rest = _block.AsSpan(_start.._end);
            int end = rest.IndexOf('\n');
            Append(line, end < 0 ? rest : rest[..end], Line);
            _start += end < 0 ? rest.Length : end + 1;
            if (end >= 0)
            {
                return line.ToString();
            }
        }

        return line.Length > 0 ? line.ToString() : null;
    }

    /// <summary>All that is left.</summary>
    public string ReadToEnd()
    {
        var text = new StringBuilder();
        while (Fill(0))
        {
            Append(text, _block.AsSpan(_start.._end), 0);
            _start = _end;
        }

        return text.ToString();
    }

    public void Dispose() => _reader.Dispose();

    private bool Fill(long line)
    {
        if (_start < _end)
        {
            return true;
        }

        try
        {
            (_start, _end) = (0, _reader.Read(_block));
            return _end > 0;
        }
        catch (DecoderFallbackException exception)
        {
            throw new CorpusException(_path, line, "The file holds bytes that are not UTF-8 here or soon after.", "Convert it to UTF-8.", exception);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            throw new CorpusException(_path, line, $"The file cannot be read ({exception.Message.TrimEnd('.')}).", "Fetch it again, it may be cut or damaged.", exception);
        }
    }

    private void Append(StringBuilder text, ReadOnlySpan<char> more, long line)
    {
        if (text.Length + more.Length > _maximumCharacters)
        {
            throw new CorpusException(_path, line, $"The document is longer than {_maximumCharacters} characters.", "Split it.");
        }

        text.Append(more);
    }
}

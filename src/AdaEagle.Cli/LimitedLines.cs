using System.IO.Compression;
using System.Text;
using AdaEagle.Formats;

namespace AdaEagle.Cli;

/// <summary>Reads a text file line by line, packed with gzip or not, and refuses lines that no sensible file has.</summary>
internal static class LimitedLines
{
    /// <summary>The longest line, in characters.</summary>
    public const int Longest = 1 << 26;

    private static readonly byte[] s_gzip = [0x1f, 0x8b];

    /// <summary>The lines with their numbers, from 1.</summary>
    /// <exception cref="ModelFormatException">The file is absent, is not UTF-8, is damaged, or has a line that is too long.</exception>
    public static IEnumerable<(int Number, string Text)> Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, null, "there is no such file", "Check the name");
        }

        using FileStream file = File.OpenRead(path);
        using Stream content = IsGzip(file) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(content, new UTF8Encoding(false, throwOnInvalidBytes: true));
        var line = new StringBuilder();
        char[] buffer = new char[1 << 14];
        int number = 1;
        while (Fill(reader, buffer, path, number) is > 0 and int count)
        {
            int start = 0;
            for (int end = Array.IndexOf(buffer, '\n', 0, count); end >= 0; end = Array.IndexOf(buffer, '\n', start, count - start))
            {
                line.Append(buffer, start, end - start);
                yield return (number++, line.ToString().TrimEnd('\r'));
                line.Clear();
                start = end + 1;
            }

            line.Append(buffer, start, count - start);
            if (line.Length > Longest)
            {
                throw new ModelFormatException(path, $"line {number}", $"the line has more than {Longest} characters", "This is no file of JSON lines");
            }
        }

        if (line.Length > 0)
        {
            yield return (number, line.ToString());
        }
    }

    private static bool IsGzip(FileStream file)
    {
        byte[] start = new byte[s_gzip.Length];
        int read = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        file.Position = 0;
        return read == start.Length && start.AsSpan().SequenceEqual(s_gzip);
    }

    private static int Fill(StreamReader reader, char[] buffer, string path, int number)
    {
        try
        {
            return reader.Read(buffer, 0, buffer.Length);
        }
        catch (Exception failure) when (failure is DecoderFallbackException or InvalidDataException)
        {
            string problem = failure is DecoderFallbackException ? "the text is not UTF-8" : "the packed data is damaged";
            throw new ModelFormatException(path, $"line {number} or later", problem, "Fetch the file again", failure);
        }
    }
}

using Microsoft.Win32.SafeHandles;

namespace AdaEagle.Formats;

/// <summary>
/// A file read at positions, from any thread. Not a memory map: a file that shrinks under a map kills the process,
/// here it is an error with a name.
/// </summary>
internal sealed class RandomAccessFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    private RandomAccessFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        _handle = handle;
        Length = length;
    }

    public string Path { get; }

    public SafeFileHandle Handle => _handle;

    /// <summary>The length in bytes when the file was opened; all checks are against it.</summary>
    public long Length { get; }

    public static RandomAccessFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path);
            return new RandomAccessFile(path, handle, RandomAccess.GetLength(handle));
        }
        catch (Exception e) when (IsFileProblem(e))
        {
            handle?.Dispose();
            throw Unreadable(path, e);
        }
    }

    /// <summary>Fills the destination from a position; the caller has checked the range against <see cref="Length"/>.</summary>
    public void Read(long position, Span<byte> destination, string? item)
    {
        while (destination.Length > 0)
        {
            int read;
            try
            {
                read = RandomAccess.Read(_handle, destination, position);
            }
            catch (IOException e)
            {
                throw new ModelFormatException(Path, item, $"reading failed ({e.Message})", "Check the disk, or fetch the file again", e);
            }

            if (read == 0)
            {
                throw new ModelFormatException(Path, item, "the file became shorter while it was open", "Fetch it again");
            }

            destination = destination[read..];
            position += read;
        }
    }

    /// <summary>A whole small file, refused if it is longer than a limit.</summary>
    public static byte[] ReadAll(string path, int limit)
    {
        using RandomAccessFile file = Open(path);
        if (file.Length > limit)
        {
            throw new ModelFormatException(path, null, $"the file has {file.Length} bytes, more than the {limit} that such a file may have");
        }

        byte[] bytes = new byte[file.Length];
        file.Read(0, bytes, null);
        return bytes;
    }

    public void Dispose() => _handle.Dispose();

    // NotSupportedException: not a file that can be read at positions (a pipe). ArgumentException: not a path.
    private static bool IsFileProblem(Exception e) =>
        e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;

    private static ModelFormatException Unreadable(string path, Exception e) => e is FileNotFoundException or DirectoryNotFoundException
        ? new ModelFormatException(path, null, "there is no such file", "Check the path", e)
        : new ModelFormatException(path, null, $"the file cannot be opened ({e.Message})", "Give a file that can be read", e);
}

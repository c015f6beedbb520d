using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace AdaEagle.Formats;

/// <summary>
/// A file mapped into memory and copied from, from any thread. Against the map's one danger, that a file which became shorter kills the process,
/// its length is looked up before every copy. Pages that were read are given back every few megabytes, so that a model that is repacked while it is
/// read needs its own memory and hardly any for the file.
/// </summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    /// <summary>Bytes after which the map's pages are given back.</summary>
    internal const long ReleaseEvery = 16 << 20;

    private const int AdviseDontNeed = 4;

    private readonly RandomAccessFile _file;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private long _readSinceRelease;

    /// <summary>Takes over the file, which must not be empty.</summary>
    public MappedFile(RandomAccessFile file)
    {
        _file = file;
        _map = MemoryMappedFile.CreateFromFile(file.Handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
    }

    /// <summary>Fills the destination from a position; the caller has checked the range against the file's length at opening.</summary>
    public void Read(long position, Span<byte> destination, string? item)
    {
        if (RandomAccess.GetLength(_file.Handle) < _file.Length)
        {
            throw new ModelFormatException(_file.Path, item, "the file became shorter while it was open", "Fetch it again");
        }

        SafeMemoryMappedViewHandle handle = _view.SafeMemoryMappedViewHandle;
        byte* start = null;
        handle.AcquirePointer(ref start);
        try
        {
            new ReadOnlySpan<byte>(start + position, destination.Length).CopyTo(destination);
            if (Interlocked.Add(ref _readSinceRelease, destination.Length) >= ReleaseEvery)
            {
                Interlocked.Exchange(ref _readSinceRelease, 0);
                Release(start, (nuint)_file.Length);
            }
        }
        finally
        {
            handle.ReleasePointer();
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
        _file.Dispose();
    }

    // The pages stay in the system's cache: another read maps them again. Elsewhere the system takes them when it needs them.
    private static void Release(byte* start, nuint length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(start, length, AdviseDontNeed);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}

using System.Buffers.Binary;
using System.Text;

namespace AdaEagle.Formats;

/// <summary>
/// Where the entries of a zip file lie (PKWARE APPNOTE 6.3, zip64 included). Only what <c>torch.save</c> writes is read: entries stored without
/// compression or encryption. So no entry is larger than its piece of the file, and since pieces may not overlap, all together are not larger
/// than the file: there is no zip bomb.
/// </summary>
internal sealed class StoredZip
{
    private const int EndSize = 22;
    private const int LocatorSize = 20;
    private const int End64Size = 56;
    private const int CentralSize = 46;
    private const int LocalSize = 30;
    private const uint EndSignature = 0x06054b50;
    private const uint LocatorSignature = 0x07064b50;
    private const uint End64Signature = 0x06064b50;
    private const uint CentralSignature = 0x02014b50;
    private const uint LocalSignature = 0x04034b50;

    // torch.save writes one entry per storage; the largest models have some thousands per file.
    private const int MaxEntries = 1 << 17;
    private const int MaxDirectoryBytes = 1 << 25;
    private const int MaxNameBytes = 1024;
    private const string Remedy = "The file is damaged: fetch it again";

    private readonly RandomAccessFile _file;
    private readonly Dictionary<string, (long Position, long Length)> _entries = [];

    private StoredZip(RandomAccessFile file) => _file = file;

    /// <summary>Position and length of every entry's data, checked to lie in the file without overlap.</summary>
    public IReadOnlyDictionary<string, (long Position, long Length)> Entries => _entries;

    /// <summary>Reads the directory of a file.</summary>
    /// <exception cref="ModelFormatException">It is no zip file, a damaged one, or one with compressed entries.</exception>
    public static StoredZip Read(RandomAccessFile file)
    {
        StoredZip zip = new(file);
        try
        {
            (long position, long length, long count) = zip.FindDirectory();
            zip.ReadDirectory(position, length, count);
        }
        catch (OverflowException e)
        {
            throw new ModelFormatException(file.Path, null, "the zip directory holds a position or size beyond 2^63", Remedy, e);
        }

        return zip;
    }

    // The end record is the file's last 22 bytes: a comment could follow it, but torch.save writes none.
    private (long Position, long Length, long Count) FindDirectory()
    {
        if (_file.Length < EndSize)
        {
            throw Fault("the file is too short for a zip file");
        }

        long endPosition = _file.Length - EndSize;
        Span<byte> end = stackalloc byte[EndSize];
        _file.Read(endPosition, end, null);
        if (U32(end, 0) != EndSignature || U16(end, 20) != 0)
        {
            throw Fault("the zip directory is not at the end of the file");
        }

        (long position, long length, long count, long limit) = (U32(end, 16), U32(end, 12), U16(end, 10), endPosition);
        Span<byte> locator = stackalloc byte[LocatorSize];
        if (endPosition >= LocatorSize)
        {
            _file.Read(endPosition - LocatorSize, locator, null);
        }

        if (U32(locator, 0) == LocatorSignature)
        {
            (position, length, count, limit) = ReadEnd64(Long(locator, 8), endPosition - LocatorSize);
        }

        if (count > MaxEntries || length > MaxDirectoryBytes)
        {
            throw Fault($"the zip directory has {count} entries in {length} bytes, more than the {MaxEntries} entries or {MaxDirectoryBytes} bytes allowed");
        }

        return position <= limit - length ? (position, length, count) : throw Fault("the zip directory lies outside the file");
    }

    private (long Position, long Length, long Count, long Limit) ReadEnd64(long position, long limit)
    {
        if (position > limit - End64Size)
        {
            throw Fault("the zip64 directory lies outside the file");
        }

        Span<byte> end = stackalloc byte[End64Size];
        _file.Read(position, end, null);
        return U32(end, 0) == End64Signature
            ? (Long(end, 48), Long(end, 40), Long(end, 32), position)
            : throw Fault("the zip64 directory is not where the file says");
    }

    private void ReadDirectory(long position, long length, long count)
    {
        byte[] directory = new byte[length];
        _file.Read(position, directory, null);
        ReadOnlySpan<byte> rest = directory;
        List<(long Start, long End)> pieces = [];
        for (long i = 0; i < count; i++)
        {
            if (rest.Length < CentralSize || U32(rest, 0) != CentralSignature)
            {
                throw Fault("the zip directory is cut or damaged");
            }

            int nameLength = U16(rest, 28);
            int extraLength = U16(rest, 30);
            int size = CentralSize + nameLength + extraLength + U16(rest, 32);
            if (rest.Length < size)
            {
                throw Fault("the zip directory is cut or damaged");
            }

            ReadOnlySpan<byte> name = rest.Slice(CentralSize, nameLength);
            pieces.Add(ReadEntry(rest[..CentralSize], name, rest.Slice(CentralSize + nameLength, extraLength), position));
            rest = rest[size..];
        }

        if (!rest.IsEmpty)
        {
            throw Fault($"the zip directory is longer than its {count} entries");
        }

        long before = 0;
        foreach ((long start, long end) in pieces.Order())
        {
            if (start < before)
            {
                throw Fault("entries of the zip file overlap");
            }

            before = end;
        }
    }

    // Gives the piece of the file that the entry takes, local header included.
    private (long Start, long End) ReadEntry(ReadOnlySpan<byte> header, ReadOnlySpan<byte> nameBytes, ReadOnlySpan<byte> extra, long limit)
    {
        string name = Name(nameBytes);
        const int Encrypted = 1;
        if (U16(header, 10) != 0 || (U16(header, 8) & Encrypted) != 0)
        {
            throw new ModelFormatException(
                _file.Path, name, "the zip entry is compressed or encrypted, which torch.save never does", "Save it again with torch.save, or as safetensors");
        }

        (long packed, long length, long start) = Sizes(header, extra, name);
        if (packed != length)
        {
            throw new ModelFormatException(_file.Path, name, $"the stored zip entry has two sizes, {packed} and {length} bytes", Remedy);
        }

        if (start > limit - LocalSize)
        {
            throw new ModelFormatException(_file.Path, name, "the zip entry lies outside the file", Remedy);
        }

        Span<byte> local = stackalloc byte[LocalSize];
        _file.Read(start, local, name);
        long data = start + LocalSize + U16(local, 26) + U16(local, 28);
        if (U32(local, 0) != LocalSignature || U16(local, 8) != 0 || U16(local, 26) != nameBytes.Length)
        {
            throw new ModelFormatException(_file.Path, name, "the zip entry does not agree with the zip directory", Remedy);
        }

        if (length > limit - data)
        {
            throw new ModelFormatException(_file.Path, name, "the zip entry lies outside the file", Remedy);
        }

        return _entries.TryAdd(name, (data, length))
            ? (start, data + length)
            : throw new ModelFormatException(_file.Path, name, "the zip file holds the entry twice", Remedy);
    }

    // A field of all ones says: look in the zip64 extra field, where only such fields are, in this order.
    private (long Packed, long Length, long Start) Sizes(ReadOnlySpan<byte> header, ReadOnlySpan<byte> extra, string name)
    {
        const ushort Zip64 = 1;
        ReadOnlySpan<byte> wide = default;
        while (extra.Length >= 4)
        {
            int size = U16(extra, 2);
            if (size > extra.Length - 4)
            {
                throw new ModelFormatException(_file.Path, name, "the extra field of the zip entry is cut", Remedy);
            }

            if (U16(extra, 0) == Zip64)
            {
                wide = extra.Slice(4, size);
            }

            extra = extra[(4 + size)..];
        }

        long length = Take(U32(header, 24), ref wide);
        long packed = Take(U32(header, 20), ref wide);
        return (packed, length, Take(U32(header, 42), ref wide));

        long Take(uint narrow, ref ReadOnlySpan<byte> wide)
        {
            if (narrow != uint.MaxValue)
            {
                return narrow;
            }

            if (wide.Length < sizeof(long))
            {
                throw new ModelFormatException(_file.Path, name, "the zip64 field of the zip entry is missing or cut", Remedy);
            }

            long value = Long(wide, 0);
            wide = wide[sizeof(long)..];
            return value;
        }
    }

    private string Name(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MaxNameBytes)
        {
            throw Fault($"the name of a zip entry has more than {MaxNameBytes} bytes");
        }

        try
        {
            return StrictUtf8.Encoding.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFormatException(_file.Path, null, "the name of a zip entry is not UTF-8", Remedy, e);
        }
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private static long Long(ReadOnlySpan<byte> bytes, int offset) => checked((long)BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]));

    private ModelFormatException Fault(string problem) => new(_file.Path, null, problem, Remedy);
}

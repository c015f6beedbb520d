using System.Text;

namespace AdaEagle.Formats;

/// <summary>
/// Reads tensors from files of <c>torch.save</c> (zip layout, torch 1.6 and later: <c>NAME/data.pkl</c> and a <c>NAME/data/KEY</c> per storage)
/// without running anything in them: the pickle is read as data (<see cref="PickleReader"/>).
/// </summary>
public static class TorchCheckpoint
{
    private const string PickleName = "data.pkl";

    // Tied weights share a storage, so tensors may be more than the file; far more is an attempt to exhaust memory.
    private const int MaxSharing = 8;

    private const string Remedy = "Save the model's state_dict again with a recent torch.save, or as safetensors";

    /// <summary>Opens a file that holds a state dict (a dict of tensors, at the top or under <c>state_dict</c>).</summary>
    /// <exception cref="ModelFormatException">The file cannot be opened, breaks the format, or holds what this reader does not read.</exception>
    public static ITensorSource Open(string path)
    {
        RandomAccessFile file = RandomAccessFile.Open(path);
        try
        {
            CheckMagic(file);
            StoredZip zip = StoredZip.Read(file);
            string root = FindRoot(path, zip);
            CheckByteOrder(file, zip, root);
            return new TorchTensorFile(file, Tensors(file, zip, root));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static void CheckMagic(RandomAccessFile file)
    {
        Span<byte> magic = stackalloc byte[(int)Math.Min(2, file.Length)];
        file.Read(0, magic, null);
        if (!magic.SequenceEqual("PK"u8))
        {
            const byte PickleProtocol = 0x80;
            throw new ModelFormatException(
                file.Path, null, magic is [PickleProtocol, ..] ? "the file has the layout of torch before 1.6, which is not read" : "the file is not one of torch.save", Remedy);
        }
    }

    private static string FindRoot(string path, StoredZip zip)
    {
        string[] pickles = [.. zip.Entries.Keys.Where(n => n.EndsWith($"/{PickleName}", StringComparison.Ordinal))];
        string root = pickles is [string one]
            ? one[..^PickleName.Length]
            : throw new ModelFormatException(path, null, $"the zip file has {pickles.Length} entries NAME/{PickleName}, a file of torch.save has one", Remedy);
        return zip.Entries.ContainsKey($"{root}constants.pkl")
            ? throw new ModelFormatException(path, null, "the file is a TorchScript program, not a state dict", Remedy)
            : root;
    }

    private static void CheckByteOrder(RandomAccessFile file, StoredZip zip, string root)
    {
        string name = $"{root}byteorder";
        if (zip.Entries.TryGetValue(name, out (long Position, long Length) entry))
        {
            Span<byte> order = stackalloc byte[(int)Math.Min(entry.Length, 16)];
            file.Read(entry.Position, order, name);
            if (!order.SequenceEqual("little"u8))
            {
                throw new ModelFormatException(file.Path, name, $"the byte order is '{Encoding.ASCII.GetString(order)}', only 'little' is read", "Save it again on a little-endian machine");
            }
        }
    }

    private static Dictionary<string, PlacedTensor> Tensors(RandomAccessFile file, StoredZip zip, string root)
    {
        Dictionary<string, PlacedTensor> tensors = [];
        long total = 0;
        foreach ((string name, object? value) in StateDict(file, zip, $"{root}{PickleName}").Items)
        {
            switch (value)
            {
                case TorchTensor tensor:
                    PlacedTensor placed = Place(file.Path, zip, root, name, tensor);
                    total = checked(total + placed.Info.ByteLength);
                    tensors.Add(name, placed);
                    break;
                case PickleForeign foreign:
                    throw new ModelFormatException(file.Path, name, $"the entry is {foreign}, not a tensor", Remedy);
                default:
                    // Numbers, texts and the like beside the tensors are no weights.
                    break;
            }

            if (total / MaxSharing > file.Length)
            {
                throw new ModelFormatException(file.Path, name, $"the tensors are more than {MaxSharing} times as large as the file", Remedy);
            }
        }

        return tensors.Count > 0 ? tensors : throw new ModelFormatException(file.Path, null, "the file holds no tensors", Remedy);
    }

    private static PickleDict StateDict(RandomAccessFile file, StoredZip zip, string name)
    {
        (long position, long length) = zip.Entries[name];
        if (length > PickleReader.ByteLimit)
        {
            throw new ModelFormatException(file.Path, name, $"the pickle has {length} bytes, more than the {PickleReader.ByteLimit} that a state dict may have", Remedy);
        }

        byte[] pickle = new byte[length];
        file.Read(position, pickle, name);
        TorchObjects objects = new(file.Path);
        return PickleReader.Read(file.Path, name, pickle, objects.Load, objects.Call) switch
        {
            PickleDict top => top.Items.GetValueOrDefault("state_dict") as PickleDict ?? top,
            PickleForeign foreign => throw new ModelFormatException(file.Path, name, $"the file holds {foreign}, not a dict of tensors", Remedy),
            _ => throw new ModelFormatException(file.Path, name, "the file holds something else than a dict of tensors", Remedy),
        };
    }

    private static PlacedTensor Place(string path, StoredZip zip, string root, string name, TorchTensor tensor)
    {
        TorchStorage storage = tensor.Storage;
        int size = storage.Type.ByteSize();
        if (!zip.Entries.TryGetValue($"{root}data/{storage.Key}", out (long Position, long Length) entry))
        {
            throw new ModelFormatException(path, name, $"the storage '{storage.Key}' is missing", "The file is damaged: fetch it again");
        }

        // Divided, not multiplied: the count comes from the file.
        if (storage.Count > entry.Length / size)
        {
            throw new ModelFormatException(
                path, name, $"the storage '{storage.Key}' should have {storage.Count} elements of {size} bytes, its entry has {entry.Length} bytes", "The file is damaged: fetch it again");
        }

        TensorInfo info = new(name, storage.Type, tensor.Shape);
        if (!tensor.IsContiguous && info.ElementCount > tensor.Span)
        {
            throw new ModelFormatException(path, name, "the tensor shows elements of its storage more than once (it was expanded)", "Save it again after .contiguous()");
        }

        if (!tensor.IsContiguous && tensor.Span > Array.MaxLength / size)
        {
            throw new ModelFormatException(path, name, "the tensor is not contiguous and too large to be put in order", "Save it again after .contiguous()");
        }

        return new PlacedTensor(info, entry.Position + (tensor.Offset * size), tensor);
    }
}

namespace AdaEagle.Formats;

/// <summary>The weights of a Hugging Face model folder, or of a GGUF file under the same names.</summary>
public static class Checkpoint
{
    // In the order they are looked for. Safetensors first: nothing in it needs interpreting.
    private static readonly (string File, Func<string, ITensorSource> Open)[] Layouts =
    [
        ("model.safetensors", SafeTensors.Open),
        ("model.safetensors.index.json", index => ShardedCheckpoint.Open(index, ".safetensors", SafeTensors.Open)),
        ("pytorch_model.bin", TorchCheckpoint.Open),
        ("pytorch_model.bin.index.json", index => ShardedCheckpoint.Open(index, ".bin", TorchCheckpoint.Open)),
    ];

    /// <summary>
    /// Opens the first of <c>model.safetensors</c>, <c>model.safetensors.index.json</c>, <c>pytorch_model.bin</c>,
    /// <c>pytorch_model.bin.index.json</c>; the shards of an index appear as one. A path that ends in <c>.gguf</c> is a <see cref="GgufCheckpoint"/>.
    /// </summary>
    /// <exception cref="ModelFormatException">None is there, or what is there is broken.</exception>
    public static ITensorSource Open(string folder)
    {
        if (GgufFile.IsGguf(folder))
        {
            return GgufCheckpoint.Open(folder);
        }

        foreach ((string file, Func<string, ITensorSource> open) in Layouts)
        {
            string path = Path.Combine(folder, file);
            if (File.Exists(path))
            {
                return open(path);
            }
        }

        string looked = string.Join(", ", Layouts.Select(l => l.File));
        throw new ModelFormatException(
            folder, null, Directory.Exists(folder) ? "the folder holds no weights" : "there is no such folder", $"Give a folder with one of: {looked}");
    }
}

namespace AdaEagle.Formats;

/// <summary>Reads tensors from files of <c>torch.save</c> (zip layout, torch 1.6 and later) without running anything in them.</summary>
public static class TorchCheckpoint
{
    /// <summary>Opens a file that holds a state dict.</summary>
    /// <exception cref="ModelFormatException">The file cannot be opened, breaks the format, or holds what this reader does not read.</exception>
    public static ITensorSource Open(string path) =>
        throw new ModelFormatException(path, null, "files of torch.save are not read yet", "Convert it to safetensors");
}

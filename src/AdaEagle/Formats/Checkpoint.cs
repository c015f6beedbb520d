namespace AdaEagle.Formats;

/// <summary>The weights of a Hugging Face model folder.</summary>
public static class Checkpoint
{
    /// <summary>
    /// Opens the first of <c>model.safetensors</c>, <c>model.safetensors.index.json</c>, <c>pytorch_model.bin</c>,
    /// <c>pytorch_model.bin.index.json</c>; the shards of an index appear as one.
    /// </summary>
    /// <exception cref="ModelFormatException">None is there, or what is there is broken.</exception>
    public static ITensorSource Open(string folder) => throw new NotImplementedException();
}

using AdaEagle.Formats;

namespace AdaEagle.Tokenization;

/// <summary>Finds the tokenizer of a model.</summary>
public static class Tokenizers
{
    /// <summary>Loads the tokenizer of a Hugging Face folder: <c>tokenizer.json</c>, else <c>tokenizer.model</c>.</summary>
    /// <exception cref="ModelFormatException">There is none, or it is broken or of a kind that is not supported.</exception>
    public static ITokenizer Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (File.Exists(Path.Combine(folder, HuggingFaceTokenizer.FileName)))
        {
            return HuggingFaceTokenizer.Load(folder);
        }

        return File.Exists(Path.Combine(folder, SentencePieceTokenizer.FileName)) ? SentencePieceTokenizer.Load(folder) : throw new ModelFormatException(
            folder,
            null,
            $"there is no tokenizer: looked for {HuggingFaceTokenizer.FileName} and {SentencePieceTokenizer.FileName}",
            "Put the model's tokenizer beside its weights");
    }
}

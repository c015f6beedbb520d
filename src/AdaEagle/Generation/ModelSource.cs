using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Generation;

/// <summary>Target, tokenizer, chat template and end tokens, from a Hugging Face folder or from one GGUF file.</summary>
internal sealed record ModelSource(LlamaModel Target, ITokenizer Tokenizer, ChatTemplate? Template, IReadOnlyList<int> EndTokens)
{
    /// <summary>Loads them.</summary>
    /// <exception cref="ModelFormatException">Something can't be used; the message names file, place and remedy.</exception>
    public static ModelSource Load(string path, LoadOptions options) => GgufFile.IsGguf(path) ? OfFile(path, options) : OfFolder(path, options);

    private static ModelSource OfFolder(string folder, LoadOptions options)
    {
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(
                folder, null, "there is no such folder", "name a folder in Hugging Face's layout (config.json, model.safetensors, tokenizer.json) or a .gguf file");
        }

        ITokenizer tokenizer = Tokenizers.Load(folder);
        ChatTemplate? template = ChatTemplate.Load(folder);
        var config = ModelConfig.Load(folder);
        RequireRoom(tokenizer, config, Path.Combine(folder, "tokenizer.json"));
        int[] ends = [.. config.EosTokens.Union(GenerationConfig.Load(folder)?.EosTokens ?? [])];
        return new ModelSource(LlamaModel.Load(folder, options.Weights, options.Path, options.Cache, options.Quantize), tokenizer, template, ends);
    }

    private static ModelSource OfFile(string path, LoadOptions options)
    {
        using GgufCheckpoint checkpoint = GgufCheckpoint.Open(path);
        var tokenizer = GgufTokenizer.Load(checkpoint.File);
        RequireRoom(tokenizer, checkpoint.Config, path);
        ChatTemplate? template = ChatTemplate.Load(checkpoint.File);
        int[] ends = [.. checkpoint.Config.EosTokens.Union(tokenizer.EndTokens)];
        return new ModelSource(LlamaModel.Load(checkpoint.Config, path, checkpoint, options.Weights, options.Path, options.Cache, options.Quantize), tokenizer, template, ends);
    }

    private static void RequireRoom(ITokenizer tokenizer, ModelConfig config, string file)
    {
        if (tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new ModelFormatException(file, null, $"has {tokenizer.VocabularySize} tokens, the model {config.VocabularySize}", "tokenizer and model do not belong together");
        }
    }
}

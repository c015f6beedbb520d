namespace AdaEagle.Bench.Models;

/// <summary>Files of a model folder that travel with its weights unchanged: tokenizer, template, settings of generation, licence.</summary>
internal static class CarriedFiles
{
    private static readonly string[] Names =
    [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
        "chat_template.jinja", "generation_config.json", "LICENSE", "NOTICE",
    ];

    /// <summary>Copies those that are there.</summary>
    public static void Copy(string from, string to)
    {
        foreach (string name in Names.Where(name => File.Exists(Path.Combine(from, name))))
        {
            File.Copy(Path.Combine(from, name), Path.Combine(to, name), overwrite: true);
        }
    }
}

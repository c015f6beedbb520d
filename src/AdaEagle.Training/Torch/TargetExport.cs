using AdaEagle.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>Writes a model as a Hugging Face folder: configuration, BF16 weights, the tokenizer's files.</summary>
internal static class TargetExport
{
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja", "special_tokens_map.json"];

    public static void Write(string folder, LlamaModel model, string tokenizerFolder)
    {
        Directory.CreateDirectory(folder);
        SafeTensors.Write(
            Path.Combine(folder, "model.safetensors"),
            model.Parameters.Select(item => TensorData.FromF32(item.Key, item.Value.shape, Values(item.Value), TensorType.BF16)),
            new Dictionary<string, string> { ["format"] = "pt" });
        WriteText(Path.Combine(folder, "config.json"), model.Config.ToJson());
        foreach (string name in TokenizerFiles)
        {
            string source = Path.Combine(tokenizerFolder, name);
            if (File.Exists(source))
            {
                File.Copy(source, Path.Combine(folder, name), overwrite: true);
            }
        }

        string generation = Path.Combine(folder, "generation_config.json");
        if (!File.Exists(generation))
        {
            WriteText(generation, $"{{\n  \"bos_token_id\": {model.Config.BosToken?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null"},\n  \"eos_token_id\": [{string.Join(", ", model.Config.EosTokens)}]\n}}\n");
        }
    }

    private static float[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().contiguous().data<float>().ToArray();
    }

    private static void WriteText(string path, string text) => AtomicFile.Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
}

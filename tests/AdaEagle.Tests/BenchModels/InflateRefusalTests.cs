using System.Text.Json.Nodes;
using AdaEagle.Bench.Models;
using AdaEagle.Formats;

namespace AdaEagle.Tests.BenchModels;

/// <summary>Models that cannot be inflated exactly are refused, with the file and tensor named.</summary>
public class InflateRefusalTests
{
    private static readonly DecoderShape Shape = TinyModels.Shape(tied: false, groupSize: 2, attentionBias: false, mlpBias: false);

    [Fact]
    public void A_tensor_that_nothing_is_known_of() =>
        Refused("", tensors => tensors.Add(TensorData.FromF32("model.layers.1.self_attn.q_norm.weight", [8], new float[8], TensorType.F32)), "model.layers.1.self_attn.q_norm.weight", "nothing is known");

    [Fact]
    public void A_tensor_that_is_missing() =>
        Refused("", tensors => tensors.RemoveAll(tensor => tensor.Name == "model.layers.1.mlp.up_proj.weight"), "model.layers.1.mlp.up_proj.weight", "no such tensor");

    [Fact]
    public void A_tensor_of_another_shape() =>
        Refused("eagle", tensors => Replace(tensors, "fc.weight", [32, 32], new float[32 * 32]), "fc.weight", "[32, 64]");

    [Fact]
    public void A_norm_weight_that_loses_bits_when_divided() =>
        Refused("", tensors => Replace(tensors, "model.norm.weight", [32], [.. Enumerable.Repeat(float.Epsilon, 32)]), "model.norm.weight", "exactly");

    [Fact]
    public void A_head_of_another_width() =>
        RefusedConfig("eagle", config => config["hidden_size"] = 64, "hidden_size", "the target's is 32");

    [Fact]
    public void A_head_of_another_vocabulary() =>
        RefusedConfig("eagle", config => config["vocab_size"] = 32, "vocab_size", "the target's is 64");

    [Fact]
    public void A_predictor_of_another_width() =>
        RefusedConfig("ldlp", config => config["hidden_size"] = 64, "hidden_size", "the target's is 32");

    [Fact]
    public void A_predictor_without_its_width() =>
        RefusedConfig("ldlp", config => config.Remove("width"), "width", "positive integer");

    [Fact]
    public void Another_architecture() =>
        RefusedConfig("", config => config["model_type"] = "mixtral", "model_type", "mixtral");

    [Fact]
    public void An_epsilon_that_loses_bits_when_divided() =>
        RefusedConfig("", config => config["rms_norm_eps"] = 1e-44, "rms_norm_eps", "divided");

    [Fact]
    public void A_folder_that_holds_something_is_not_written_to()
    {
        using var folder = new TemporaryFolder();
        TinyModels.Write(folder["small"], Shape, null, TensorType.F32);
        Directory.CreateDirectory(folder["out"]);
        File.WriteAllText(Path.Combine(folder["out"], "thesis.txt"), "dear");
        var error = Assert.Throws<IOException>(() => Options.PrepareOutput(folder["out"], 10));
        Assert.Contains("not empty", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_bytes_than_there_is_room_for_are_not_begun()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<IOException>(() => Options.PrepareOutput(folder["out"], long.MaxValue));
    }

    private static void Replace(List<TensorData> tensors, string name, long[] shape, float[] values)
    {
        Assert.Equal(1, tensors.RemoveAll(tensor => tensor.Name == name));
        tensors.Add(TensorData.FromF32(name, shape, values, TensorType.F32));
    }

    private static void Refused(string part, Action<List<TensorData>> change, string item, string because) => Refused(part, because, item, path =>
    {
        string file = Path.Combine(path, "model.safetensors");
        List<TensorData> tensors;
        using (ITensorSource source = SafeTensors.Open(file))
        {
            tensors = [.. source.Tensors.Values.Select(info => TensorData.FromF32(info.Name, info.Shape, source.ReadF32(info.Name), info.Type))];
        }

        change(tensors);
        SafeTensors.Write(file, tensors);
    });

    private static void RefusedConfig(string part, Action<JsonObject> change, string item, string because) => Refused(part, because, item, path =>
    {
        JsonObject config = ConfigFile.Read(path);
        change(config);
        ConfigFile.Write(path, config);
    });

    private static void Refused(string part, string because, string item, Action<string> change)
    {
        using var folder = new TemporaryFolder();
        TinyModels.Write(folder["small"], Shape, TinyModels.HeadFor(Shape, fcBias: true, ownEmbedding: false), TensorType.F32);
        change(Path.Combine(folder["small"], part));
        var error = Assert.Throws<ModelFormatException>(() =>
            TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, 1)));
        Assert.Equal(item, error.Item);
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(folder["large"], "config.json")), "A folder without a complete model must not look like one.");
    }
}

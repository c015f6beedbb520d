using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.Models;

/// <summary>What is wrong with a model folder is said: the file, the tensor or key, and what to do.</summary>
public class LoaderErrorTests
{
    private static readonly ModelConfig s_head = TinyModels.Config with { LayerCount = 1 };

    public static TheoryData<string, string, string> TargetFaults => new()
    {
        // fault, item, words of the message
        { "missing", "model.layers.1.mlp.up_proj.weight", "missing" },
        { "missing", "model.embed_tokens.weight", "missing" },
        { "missing", "model.norm.weight", "no such tensor" },
        { "missing", "model.layers.0.input_layernorm.weight", "no such tensor" },
        { "missing", "model.layers.2.self_attn.k_proj.weight", "missing" },
        { "shape", "model.layers.0.self_attn.q_proj.weight", "instead of [48, 48]" },
        { "shape", "model.layers.0.mlp.down_proj.weight", "instead of [48, 80]" },
        { "shape", "model.layers.0.post_attention_layernorm.weight", "not [48]" },
        { "transposed", "model.layers.0.mlp.gate_proj.weight", "instead of [80, 48]" },
        { "type", "model.layers.1.mlp.down_proj.weight", "supported for weights: F32, F16, BF16" },
        { "type", "model.norm.weight", "not floating-point" },
        { "nan", "model.layers.1.self_attn.v_proj.weight", "row 2 holds a number that is not finite" },
        { "nan", "model.layers.1.post_attention_layernorm.weight", "not finite" },
        { "infinity", "model.embed_tokens.weight", "row 2 holds a number that is not finite" },
        { "extra", "model.layers.3.mlp.up_proj.weight", "belong to no part of this architecture" },
        { "extra", "model.layers.0.self_attn.q_norm.weight", "belong to no part of this architecture" },
        { "extra", "model.layers.0.self_attn.k_proj.bias", "belong to no part of this architecture" },
    };

    [Theory]
    [MemberData(nameof(TargetFaults))]
    public void A_damaged_target_is_refused_with_file_tensor_and_remedy(string fault, string item, string words)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1);
        Damage(folder.Path, fault, item);
        CheckRefused(() => LlamaModel.Load(folder.Path), folder.File("model.safetensors"), item, words);
    }

    public static TheoryData<string, string, string> HeadFaults => new()
    {
        { "missing", "fc.weight", "missing" },
        { "missing", "fc.bias", "\"bias\" (absent means true)" },
        { "missing", "layers.0.mlp.up_proj.weight", "missing" },
        { "shape", "fc.weight", "instead of [48, 96]" },
        { "nan", "fc.bias", "not finite" },
        { "extra", "layers.0.input_layernorm.weight", "belong to no part of this architecture" },
        { "extra", "layers.1.mlp.up_proj.weight", "belong to no part of this architecture" },
    };

    [Theory]
    [MemberData(nameof(HeadFaults))]
    public void A_damaged_head_is_refused_with_file_tensor_and_remedy(string fault, string item, string words)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle");
        Damage(eagle, fault, item);
        using LlamaModel target = LlamaModel.Load(folder.Path);
        CheckRefused(() => EagleHead.Load(eagle, target), Path.Combine(eagle, "model.safetensors"), item, words);
    }

    public static TheoryData<string, string, string> Configurations => new()
    {
        { "\"model_type\":\"llama\"", "\"model_type\":\"mamba\"", "model_type" },
        { "\"hidden_act\":\"silu\"", "\"hidden_act\":\"gelu\"", "hidden_act" },
        { "\"rope_scaling\":null", "\"rope_scaling\":{\"rope_type\":\"longrope\",\"factor\":4}", "rope_scaling" },
        { "\"rope_scaling\":null", "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4}", "rope_scaling" },
    };

    [Theory]
    [MemberData(nameof(Configurations))]
    public void A_configuration_of_another_kind_is_refused_with_what_is_supported(string from, string to, string item)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle");
        if (item != "model_type")
        {
            // A head's own configuration is looked at too; its model_type may be anything.
            Rewrite(eagle, from, to);
            using LlamaModel target = LlamaModel.Load(folder.Path);
            CheckRefused(() => EagleHead.Load(eagle, target), Path.Combine(eagle, "config.json"), item, "upported: ");
        }

        Rewrite(folder.Path, from, to);
        CheckRefused(() => LlamaModel.Load(folder.Path), folder.File("config.json"), item, "upported: ");
    }

    [Theory]
    [InlineData(true, false, "self_attn.q_proj.bias")]
    [InlineData(false, true, "mlp.gate_proj.bias")]
    public void Biases_that_the_configuration_promises_must_be_there(bool attention, bool mlp, string item)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1);
        File.WriteAllText(folder.File("config.json"), (TinyModels.Config with { AttentionBias = attention, MlpBias = mlp }).ToJson());
        CheckRefused(() => LlamaModel.Load(folder.Path), folder.File("model.safetensors"), "model.layers.0." + item, "no such tensor");
    }

    [Fact]
    public void A_head_with_qkv_bias_must_have_it()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle");
        File.WriteAllText(Path.Combine(eagle, "config.json"), (s_head with { QkvBias = true }).ToJson());
        using LlamaModel target = LlamaModel.Load(folder.Path);
        CheckRefused(() => EagleHead.Load(eagle, target), Path.Combine(eagle, "model.safetensors"), "layers.0.self_attn.q_proj.bias", "no such tensor");
    }

    [Fact]
    public void A_head_of_another_target_is_refused()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle");
        foreach (ModelConfig other in (ModelConfig[])[TinyModels.Config with { HiddenSize = 32 }, TinyModels.Config with { VocabularySize = 60 }])
        {
            using TinyPair target = TinyModels.Load(other, 1);
            CheckRefused(() => EagleHead.Load(eagle, target.Target), Path.Combine(eagle, "config.json"), "hidden_size", "trained for this target");
        }

        using LlamaModel own = LlamaModel.Load(folder.Path);
        File.WriteAllText(Path.Combine(eagle, "config.json"), (s_head with { LayerCount = 2 }).ToJson());
        CheckRefused(() => EagleHead.Load(eagle, own), Path.Combine(eagle, "config.json"), "num_hidden_layers", "supported: 1");
        // A bias that the configuration denies.
        File.WriteAllText(Path.Combine(eagle, "config.json"), (s_head with { FcBias = false }).ToJson());
        CheckRefused(() => EagleHead.Load(eagle, own), Path.Combine(eagle, "model.safetensors"), "fc.bias", "must agree");
    }

    [Fact]
    public void An_untied_model_needs_its_LM_head()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1);
        File.WriteAllText(folder.File("config.json"), (TinyModels.Config with { TieWordEmbeddings = false }).ToJson());
        CheckRefused(() => LlamaModel.Load(folder.Path), folder.File("model.safetensors"), "lm_head.weight", "tie_word_embeddings");
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.F16)]
    public void Weights_are_never_cut_to_BF16(TensorType type)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1, type);
        CheckRefused(() => LlamaModel.Load(folder.Path, WeightChoice.BF16), folder.File("model.safetensors"), "model.embed_tokens.weight", "--weights auto or f32");
    }

    [Theory]
    [InlineData(TensorType.F32, WeightChoice.Auto, WeightFormat.F32)]
    [InlineData(TensorType.F16, WeightChoice.Auto, WeightFormat.F16)]
    [InlineData(TensorType.BF16, WeightChoice.Auto, WeightFormat.BF16)]
    [InlineData(TensorType.BF16, WeightChoice.BF16, WeightFormat.BF16)]
    [InlineData(TensorType.F16, WeightChoice.F32, WeightFormat.F32)]
    [InlineData(TensorType.BF16, WeightChoice.F32, WeightFormat.F32)]
    public void Weights_are_kept_as_they_are_or_widened_and_the_logits_have_the_same_bits(TensorType type, WeightChoice choice, WeightFormat expected)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1, type);
        using LlamaModel model = LlamaModel.Load(folder.Path, choice);
        using LlamaModel widened = LlamaModel.Load(folder.Path, WeightChoice.F32);
        Assert.Equal(expected, model.Format);
        Assert.Equal(TinyModels.Logits(widened, [1, 5, 60]), TinyModels.Logits(model, [1, 5, 60]));
    }

    [Fact]
    public void Rotary_frequencies_and_a_tied_LM_head_may_be_left_over()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, TinyModels.Config, 1);
        using LlamaModel plain = LlamaModel.Load(folder.Path);
        Damage(folder.Path, "extra", "model.layers.0.self_attn.rotary_emb.inv_freq");
        Damage(folder.Path, "extra", "lm_head.weight");
        using LlamaModel model = LlamaModel.Load(folder.Path);
        Assert.Equal(TinyModels.Logits(plain, [1, 2]), TinyModels.Logits(model, [1, 2]));
    }

    [Theory]
    [InlineData("""{"hidden_size": 48}""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": "tree", "hidden_size": 48, "width": 10, "k_max": 8}""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 48, "width": 10, "k_max": 0}""", "k_max")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 48, "width": 10, "k_max": 8, "longest_prediction": 9}""", "longest_prediction")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 48, "width": -1, "k_max": 8}""", "width")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 48, "width": 1e9, "k_max": 8}""", "width")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 47, "width": 10, "k_max": 8}""", "hidden_size")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": "48", "width": 10, "k_max": 8}""", "hidden_size")]
    [InlineData("""[1]""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": """, null)]
    public void A_predictors_configuration_is_checked(string json, string? item)
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        TinyPredictors.Write(folder.Path, 48, 1);
        folder.Write("config.json", json);
        CheckRefused(() => LdlpWeights.Load(folder.Path, pair.Target), folder.File("config.json"), item, "");
    }

    [Theory]
    [InlineData("missing", "blocks.2.bias")]
    [InlineData("missing", "input.weight")]
    [InlineData("shape", "blocks.1.weight")]
    [InlineData("nan", "output.weight")]
    [InlineData("extra", "blocks.3.weight")]
    public void A_predictors_weights_are_checked(string fault, string item)
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        TinyPredictors.Write(folder.Path, 48, 1);
        Damage(folder.Path, fault, item);
        CheckRefused(() => LdlpWeights.Load(folder.Path, pair.Target), folder.File("model.safetensors"), item, "");
    }

    [Fact]
    public void A_predictors_folder_without_configuration_says_what_belongs_there()
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        CheckRefused(() => LdlpWeights.Load(folder.Path, pair.Target), folder.File("config.json"), null, "config.json and model.safetensors");
    }

    private static void CheckRefused(Func<IDisposable> load, string file, string? item, string words)
    {
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => load().Dispose());
        Assert.Equal((file, item), (failure.File, failure.Item));
        Assert.Contains(file, failure.Message, StringComparison.Ordinal);
        Assert.Contains(item ?? "", failure.Message, StringComparison.Ordinal);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        // A problem and a remedy: two sentences behind the place.
        Assert.True(failure.Message.Split(". ").Length >= 2, failure.Message);
    }

    private static void Rewrite(string folder, string from, string to)
    {
        string file = Path.Combine(folder, "config.json");
        string json = string.Concat(File.ReadAllText(file).Where(c => !char.IsWhiteSpace(c)));
        Assert.Contains(from, json, StringComparison.Ordinal);
        File.WriteAllText(file, json.Replace(from, to, StringComparison.Ordinal));
    }

    private static void Damage(string folder, string fault, string item)
    {
        string file = Path.Combine(folder, "model.safetensors");
        List<TensorData> tensors;
        using (ITensorSource source = SafeTensors.Open(file))
        {
            tensors = [.. source.Tensors.Values.Select(info => Read(source, info))];
        }

        int at = tensors.FindIndex(tensor => tensor.Name == item);
        Assert.Equal(fault == "extra", at < 0);
        switch (fault)
        {
            case "missing":
                tensors.RemoveAt(at);
                break;
            case "extra":
                tensors.Add(TensorData.FromF32(item, [2, 3], new float[6], TensorType.F32));
                break;
            case "shape":
                tensors[at] = TensorData.FromF32(item, [.. tensors[at].Shape.Select((size, i) => i == 0 ? size + 1 : size)], new float[tensors[at].Shape.Select((size, i) => i == 0 ? size + 1 : size).Aggregate(1L, (a, b) => a * b)], TensorType.F32);
                break;
            case "transposed":
                tensors[at] = tensors[at] with { Shape = [.. tensors[at].Shape.Reverse()] };
                break;
            case "type":
                tensors[at] = tensors[at] with { Type = TensorType.I32 };
                break;
            default:
                byte[] bytes = tensors[at].Bytes.ToArray();
                int row = tensors[at].Shape.Count == 2 && tensors[at].Shape[0] > 2 ? 2 : 0;
                BitConverter.TryWriteBytes(bytes.AsSpan(row * (bytes.Length / (int)tensors[at].Shape[0])), fault == "nan" ? float.NaN : float.NegativeInfinity);
                tensors[at] = tensors[at] with { Bytes = bytes };
                break;
        }

        SafeTensors.Write(file, tensors);
    }

    private static TensorData Read(ITensorSource source, TensorInfo info)
    {
        byte[] bytes = new byte[info.ByteLength];
        source.Read(info.Name, 0, bytes);
        return new TensorData(info.Name, info.Type, info.Shape, bytes);
    }
}

using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.Models;

/// <summary>EAGLE-3 heads on disk: other names, faults, quantising; and that drafting with one allocates nothing.</summary>
public class Eagle3LoadingTests
{
    private static readonly ModelConfig s_target = TinyModels.Config with { HiddenSize = 64, LayerCount = 6, IntermediateSize = 96, HeadDimension = 16 };
    private static readonly ModelConfig s_head = s_target with { LayerCount = 1, Eagle3 = new Eagle3Config { DraftVocabularySize = 24 } };

    [Fact]
    public void The_references_boundaries_are_the_default_and_the_map_is_checked()
    {
        using TinyPair pair = TinyModels.Load(s_target, 1, head: s_head);
        Assert.True(pair.Head.IsEagle3);
        Assert.Equal([2, 3, 3], pair.Head.Inputs.Boundaries);
        Assert.Equal((3 * 64, 24), (pair.Head.InputWidth, pair.Head.VocabularySize));
        int[] tokens = [.. Enumerable.Range(0, 24).Select(pair.Head.TargetToken)];
        Assert.Equal(tokens.Distinct().Order(), tokens);
        Assert.InRange(tokens[^1], 23, 60);
        Assert.Empty(pair.Head.Warnings);
    }

    [Fact]
    public void Other_names_for_the_same_tensors_give_the_same_head()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle");
        using var target = LlamaModel.Load(folder.Path);
        float[] expected = Logits(eagle, target);
        foreach (Func<string, string> rename in (Func<string, string>[])
        [
            name => name.Replace("midlayer.", "layers.0.", StringComparison.Ordinal),
            name => "model." + name,
            name => name == "d2t" ? "draft_id_to_target_id" : name,
            name => name.StartsWith("midlayer.", StringComparison.Ordinal) ? "model.layers.0." + name["midlayer.".Length..] : name,
        ])
        {
            TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head);
            Change(eagle, tensors => [.. tensors.Select(tensor => tensor with { Name = rename(tensor.Name) })]);
            Assert.Equal(expected, Logits(eagle, target));
        }

        TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head);
        Change(eagle, tensors => [.. tensors.Where(tensor => tensor.Name != "t2d"), TensorData.FromF32("verifier_norm.weight", [64], new float[64], TensorType.F32)]);
        Assert.Equal(expected, Logits(eagle, target));
    }

    public static TheoryData<string, string, string> Faults => new()
    {
        // fault, tensor, words of the message
        { "missing", "fc.weight", "missing" },
        { "missing", "midlayer.input_layernorm.weight", "no such tensor" },
        { "missing", "midlayer.self_attn.k_proj.weight", "missing" },
        { "missing", "norm.weight", "no such tensor" },
        { "missing", "lm_head.weight", "missing" },
        { "missing", "d2t", "the head has 24 of 61 tokens" },
        { "narrow", "fc.weight", "instead of [64, 192]" },
        { "narrow", "midlayer.self_attn.q_proj.weight", "instead of [64, 128]" },
        { "short", "lm_head.weight", "instead of [24, 64]" },
        { "short", "d2t", "not [24]" },
        { "floats", "d2t", "not whole numbers" },
        { "outside", "d2t", "draft token 23 with offset 38 is no token of the 61" },
        { "negative", "d2t", "draft token 0 with offset -1 is no token" },
        { "twice", "d2t", "is there twice" },
        { "extra", "midlayer.self_attn.q_norm.bias", "belong to no part of this architecture" },
        { "extra", "layers.1.mlp.up_proj.weight", "belong to no part of this architecture" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_damaged_head_is_refused_with_file_tensor_and_remedy(string fault, string item, string words)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle");
        Change(eagle, tensors => Damage(tensors, fault, item));
        using var target = LlamaModel.Load(folder.Path);
        CheckRefused(eagle, target, Path.Combine(eagle, "model.safetensors"), item, words);
    }

    public static TheoryData<string, string, string> Configurations => new()
    {
        // key and value added to config.json, item, words of the message
        { "\"target_hidden_size\": 32", "hidden_size", "the target has 64" },
        { "\"adaeagle_boundaries\": [2, 3, 7]", "eagle_aux_hidden_state_layer_ids", "boundary 7 is outside 0 … 6" },
        { "\"eagle_aux_hidden_state_layer_ids\": [1, 6]", "eagle_aux_hidden_state_layer_ids", "boundary 7 is outside 0 … 6" },
        { "\"fc_norm\": true, \"norm_before_fc\": true", "fc_norm", "one of the two" },
        { "\"norm_output\": false", "norm_output", "supported: true" },
        { "\"use_aux_hidden_state\": false", "use_aux_hidden_state", "supported: true" },
        { "\"eagle_config\": {\"use_aux_hidden_state\": false}", "use_aux_hidden_state", "supported: true" },
        { "\"draft_vocab_size\": 62", "draft_vocab_size", "more than the target's 61" },
        { "\"vocab_size\": 60", "hidden_size", "trained for this target" },
    };

    [Theory]
    [MemberData(nameof(Configurations))]
    public void A_configuration_that_cannot_be_run_is_refused_by_its_key(string added, string item, string words)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle"), file = Path.Combine(eagle, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse("{" + added + "}")!.AsObject())
        {
            config[key] = value?.DeepClone();
        }

        File.WriteAllText(file, config.ToJsonString());
        using var target = LlamaModel.Load(folder.Path);
        CheckRefused(eagle, target, file, item, words);
    }

    [Fact]
    public void Layer_ids_outside_speculators_layout_are_layer_outputs_and_that_is_said()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head);
        string eagle = Path.Combine(folder.Path, "eagle"), file = Path.Combine(eagle, "config.json");
        File.WriteAllText(file, File.ReadAllText(file).TrimEnd()[..^1] + ", \"eagle_config\": {\"eagle_aux_hidden_state_layer_ids\": [1, 2, 2]}}");
        using var target = LlamaModel.Load(folder.Path);
        using var head = EagleHead.Load(eagle, target);
        Assert.Equal([2, 3, 3], head.Inputs.Boundaries);
        Assert.Contains("adaeagle_boundaries", Assert.Single(head.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_configuration_comes_back_from_its_text()
    {
        var random = new Random(5);
        for (int i = 0; i < 100; i++)
        {
            ModelConfig config = RandomModels.Eagle3Head(random, RandomModels.Target(random));
            Assert.Equal(config, ModelConfig.Parse(config.ToJson(), "config.json"));
        }
    }

    [Theory]
    [InlineData(WeightFormat.Q8_0)]
    [InlineData(WeightFormat.Q4_0)]
    public void A_quantised_head_drafts_and_the_output_stays(WeightFormat format)
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteInto(folder.Path, s_target, 1, head: s_head, scale: 0.1f);
        using var target = LlamaModel.Load(folder.Path);
        using var head = EagleHead.Load(Path.Combine(folder.Path, "eagle"), target, quantize: format);
        Assert.Equal((format, format, format), (head.Fuse.Format, head.LmHead.Format, head.Stack.Layers[0].QueryKeyValue.Format));
        using var pool = new WorkerPool(2);
        using var engine = new LlamaTarget(target, pool);
        using var drafter = new EagleDrafter(head, pool, 8);
        using var decoder = new SpeculativeDecoder(engine, 8);
        var task = new DecodingTask([3, 1, 4, 1, 5], new SamplingOptions { Temperature = 1.2f }, 60, []);
        Assert.Equal(Decoding.Plain(engine, task), Decoding.Speculative(decoder, task, drafter, new FixedLengthPolicy(4)));
    }

    [Fact]
    public void Rounds_with_an_EAGLE_3_head_allocate_nothing()
    {
        using TinyPair pair = TinyModels.Load(s_target, 1, head: s_head, scale: 0.1f);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var drafter = new EagleDrafter(pair.Head, pool, 8);
        using var decoder = new SpeculativeDecoder(target, 8);
        long[] allocated = new long[24];
        // The first generations compile; what the runtime allocates for itself now and then does not fall in every one.
        for (int attempt = 0; attempt < 10; attempt++)
        {
            decoder.Prefill([3, 1, 4], 200, new Sampler(SamplingOptions.Greedy), _ => false, drafter, new FixedLengthPolicy(3), cancellation: TestContext.Current.CancellationToken);
            for (int round = 0; round < allocated.Length; round++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                decoder.Round(4, out _);
                allocated[round] = GC.GetAllocatedBytesForCurrentThread() - before;
            }

            if (attempt > 0 && allocated.All(bytes => bytes == 0))
            {
                return;
            }
        }

        Assert.Fail($"Bytes of the rounds: {string.Join(", ", allocated)}");
    }

    private static float[] Logits(string folder, LlamaModel target)
    {
        using var head = EagleHead.Load(folder, target);
        (_, float[][] states) = TargetStates.Of(head, [5, 6, 7]);
        using var runner = new EagleHeadRunner(head, WorkerPool.Shared, 3);
        using KvCache cache = runner.CreateCache(3);
        var rows = new PassRows(3);
        for (int i = 0; i < 3; i++)
        {
            rows.Add(cache, 6 + i, i - 1);
            states[i].CopyTo(runner.TargetInput(i));
        }

        runner.ForwardCommitted(rows, 3);
        return [.. runner.Logits(0), .. runner.Logits(2), head.TargetToken(7)];
    }

    private static void CheckRefused(string folder, LlamaModel target, string file, string item, string words)
    {
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => EagleHead.Load(folder, target).Dispose());
        Assert.Equal((file, item), (failure.File, failure.Item));
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.True(failure.Message.Split(". ").Length >= 2, failure.Message);
    }

    private static void Change(string folder, Func<TensorData[], TensorData[]> change)
    {
        string file = Path.Combine(folder, "model.safetensors");
        TensorData[] tensors;
        using (ITensorSource source = SafeTensors.Open(file))
        {
            tensors = [.. source.Tensors.Values.Select(info =>
            {
                byte[] bytes = new byte[info.ByteLength];
                source.Read(info.Name, 0, bytes);
                return new TensorData(info.Name, info.Type, info.Shape, bytes);
            })];
        }

        SafeTensors.Write(file, change(tensors));
    }

    private static TensorData[] Damage(TensorData[] tensors, string fault, string item)
    {
        TensorData Changed(TensorData tensor)
        {
            if (tensor.Name != item)
            {
                return tensor;
            }

            long[] shape = [.. tensor.Shape];
            switch (fault)
            {
                case "narrow":
                    return TensorData.FromF32(item, [shape[0], shape[1] - 1], new float[shape[0] * (shape[1] - 1)], TensorType.F32);
                case "short" when shape.Length == 2:
                    return TensorData.FromF32(item, [shape[0] - 1, shape[1]], new float[(shape[0] - 1) * shape[1]], TensorType.F32);
                case "floats":
                    return TensorData.FromF32(item, shape, new float[shape[0]], TensorType.F32);
            }

            long[] offsets = MemoryMarshal.Cast<byte, long>(tensor.Bytes.Span).ToArray();
            switch (fault)
            {
                case "outside":
                    offsets[23] = 38;
                    break;
                case "negative":
                    offsets[0] = -1;
                    break;
                case "twice":
                    offsets[5] = offsets[4] - 1;
                    break;
                default:
                    offsets = offsets[1..];
                    break;
            }

            return new TensorData(item, TensorType.I64, [offsets.Length], MemoryMarshal.AsBytes<long>(offsets).ToArray());
        }

        return fault switch
        {
            "missing" => [.. tensors.Where(tensor => tensor.Name != item)],
            "extra" => [.. tensors, TensorData.FromF32(item, [2, 3], new float[6], TensorType.F32)],
            _ => [.. tensors.Select(Changed)],
        };
    }
}

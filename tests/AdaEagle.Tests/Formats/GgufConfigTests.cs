using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>Configurations made by hand: what is read from which key, and what is refused.</summary>
public sealed class GgufConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_plain_configuration_is_read()
    {
        ModelConfig config = Read();
        Assert.Equal(("llama", 64, 96, 2, 4, 2, 16), (config.ModelType, config.HiddenSize, config.IntermediateSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.HeadDimension));
        Assert.Equal((10, 512, 10000.0, true), (config.VocabularySize, config.MaxPositions, config.RopeTheta, config.TieWordEmbeddings));
        Assert.Null(config.RopeScaling);
        Assert.Null(config.BosToken);
        Assert.Equal([1], config.EosTokens);
    }

    [Fact]
    public void Head_counts_may_be_given_for_every_layer_if_they_are_the_same() =>
        Assert.Equal(2, Read(("llama.attention.head_count_kv", new[] { 2, 2 })).KeyValueHeadCount);

    [Fact]
    public void Rope_scaling_is_read_as_its_kind_says()
    {
        Assert.Equal("linear", Read(("llama.rope.scaling.type", "linear"), ("llama.rope.scaling.factor", 4f)).RopeScaling!.Kind);
        Assert.Equal(4, Read(("llama.rope.scale_linear", 4f)).RopeScaling!.Factor);
        RopeScaling yarn = Read(("llama.rope.scaling.type", "yarn"), ("llama.rope.scaling.factor", 4f), ("llama.rope.scaling.original_context_length", 128u)).RopeScaling!;
        Assert.Equal(("yarn", 4.0, 128, (double?)null), (yarn.Kind, yarn.Factor, yarn.OriginalMaxPositions, yarn.AttentionFactor));
        RopeScaling scaled = Read(("llama.rope.scaling.type", "yarn"), ("llama.rope.scaling.factor", 4f), ("llama.rope.scaling.attn_factor", 2f)).RopeScaling!;
        Assert.Equal(2 * ((0.1 * Math.Log(4)) + 1), scaled.AttentionFactor!.Value, 9);
        RopeScaling factors = Read([GgufTensor.From(TensorData.FromF32("rope_freqs.weight", [8], [1, 1, 1, 1, 2, 4, 8, 8], TensorType.F32))]).RopeScaling!;
        Assert.Equal("default", factors.Kind);
        Assert.Equal([1, 1, 1, 1, 2, 4, 8, 8], factors.FrequencyFactors);
    }

    [Fact]
    public void A_sliding_window_makes_a_llama_file_a_mistral_model()
    {
        ModelConfig config = Read(("llama.attention.sliding_window", 128u));
        Assert.Equal(("mistral", 128), (config.ModelType, config.SlidingWindow));
    }

    [Fact]
    public void Begin_and_end_tokens_are_those_of_the_keys()
    {
        ModelConfig config = Read(("tokenizer.ggml.bos_token_id", 3u), ("tokenizer.ggml.add_bos_token", true), ("tokenizer.ggml.eot_token_id", 4u), ("tokenizer.ggml.eom_token_id", uint.MaxValue));
        Assert.Equal(3, config.BosToken);
        Assert.Equal([1, 4], config.EosTokens);
        Assert.Null(Read(("tokenizer.ggml.bos_token_id", 3u), ("tokenizer.ggml.add_bos_token", false)).BosToken);
        ModelConfig own = Read(("adaeagle.bos_token_id", 5u), ("adaeagle.eos_token_ids", new[] { 7, 8 }), ("tokenizer.ggml.bos_token_id", 3u));
        Assert.Equal(5, own.BosToken);
        Assert.Equal([7, 8], own.EosTokens);
    }

    public static TheoryData<string, object?> Impossible => new()
    {
        { "general.architecture", "gemma2" },
        { "general.architecture", 7u },
        { "general.architecture", null },
        { "llama.block_count", 0u },
        { "llama.block_count", uint.MaxValue },
        { "llama.block_count", null },
        { "llama.context_length", 0u },
        { "llama.embedding_length", null },
        { "llama.embedding_length", 1u << 31 },
        { "llama.feed_forward_length", null },
        { "llama.feed_forward_length", new[] { 96, 64 } },
        { "llama.attention.head_count", 0u },
        { "llama.attention.head_count", 3u },
        { "llama.attention.head_count", null },
        { "llama.attention.head_count_kv", 3u },
        { "llama.attention.head_count_kv", new[] { 2, 4 } },
        { "llama.attention.head_count_kv", Array.Empty<int>() },
        { "llama.attention.key_length", 15u },
        { "llama.attention.key_length", 1u << 20 },
        { "llama.attention.value_length", 8u },
        { "llama.rope.dimension_count", 8u },
        { "llama.attention.layer_norm_rms_epsilon", null },
        { "llama.attention.layer_norm_rms_epsilon", float.NaN },
        { "llama.attention.layer_norm_rms_epsilon", "1e-5" },
        { "llama.rope.freq_base", 0f },
        { "llama.rope.scaling.type", "longrope" },
        { "llama.rope.scaling.type", "yarn" },
        { "llama.expert_count", 8u },
        { "llama.logit_scale", 2f },
        { "tokenizer.ggml.eos_token_id", 10u },
        { "adaeagle.eos_token_ids", new[] { 10 } },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void What_is_impossible_or_not_supported_is_refused_with_the_key(string key, object? value)
    {
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => Read((key, value)));
        Assert.Contains("x.gguf", failure.Message, StringComparison.Ordinal);
        Assert.StartsWith(key.Split('.')[0], failure.Item, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_that_no_model_has_are_refused()
    {
        Assert.Throws<ModelFormatException>(() => Read([GgufTensor.From(TensorData.FromF32("rope_freqs.weight", [4], new float[4], TensorType.F32))]));
        Assert.Throws<ModelFormatException>(() => Read([GgufTensor.From(TensorData.FromF32("rope_freqs.weight", [8], new float[8], TensorType.F32))]));
        Assert.Throws<ModelFormatException>(() => Read([], embedding: [10]));
        string path = Write([], [10, 64], [GgufTensor.From(TensorData.FromF32("blk.0.attn_q.weight", [15, 1], new float[15], TensorType.F32))]);
        using var file = GgufFile.Open(path);
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => new GgufCheckpoint(file, GgufConfig.Read(file)));
        Assert.Contains("whole heads", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_of_reordered_rows_are_read_at_any_offset()
    {
        float[] values = [.. Enumerable.Range(0, 64 * 3).Select(i => (float)i)];
        string path = Write([], [10, 64], [GgufTensor.From(TensorData.FromF32("blk.0.attn_q.weight", [64, 3], values, TensorType.F32))]);
        var file = GgufFile.Open(path);
        using GgufCheckpoint checkpoint = new(file, GgufConfig.Read(file));
        const string Name = "model.layers.0.self_attn.q_proj.weight";
        byte[] whole = new byte[64 * 3 * 4];
        checkpoint.Read(Name, 0, whole);
        Assert.Equal(values[(1 * 3)..(2 * 3)], checkpoint.ReadF32(Name)[(8 * 3)..(9 * 3)]);
        byte[] part = new byte[100];
        for (int offset = 0; offset <= whole.Length - part.Length; offset += 7)
        {
            checkpoint.Read(Name, offset, part);
            Assert.True(part.AsSpan().SequenceEqual(whole.AsSpan(offset, part.Length)));
        }
    }

    private ModelConfig Read(params (string Key, object? Value)[] changes) => Read([], changes);

    private ModelConfig Read(GgufTensor[] tensors, (string Key, object? Value)[]? changes = null, long[]? embedding = null)
    {
        using var file = GgufFile.Open(Write(changes ?? [], embedding ?? [10, 64], tensors));
        return GgufConfig.Read(file);
    }

    // The plain configuration with some keys changed or, where the value is null, left out.
    private string Write((string Key, object? Value)[] changes, long[] embedding, GgufTensor[] tensors)
    {
        Dictionary<string, object?> values = new()
        {
            ["general.architecture"] = "llama", ["llama.block_count"] = 2u, ["llama.context_length"] = 512u, ["llama.embedding_length"] = 64u,
            ["llama.feed_forward_length"] = 96u, ["llama.attention.head_count"] = 4u, ["llama.attention.head_count_kv"] = 2u,
            ["llama.attention.layer_norm_rms_epsilon"] = 1e-5f, ["tokenizer.ggml.eos_token_id"] = 1u,
        };
        foreach ((string key, object? value) in changes)
        {
            values[key] = value;
        }

        string path = _folder.File("x.gguf");
        float[] numbers = new float[embedding.Aggregate(1L, (a, b) => a * b)];
        GgufWriter.Write(
            path, values.Where(v => v.Value is not null).Select(v => KeyValuePair.Create(v.Key, new GgufValue(v.Value!))),
            [GgufTensor.From(TensorData.FromF32("token_embd.weight", embedding, numbers, TensorType.F32)), .. tensors]);
        return path;
    }
}

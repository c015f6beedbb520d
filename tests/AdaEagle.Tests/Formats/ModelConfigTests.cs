using System.Text.Json;
using AdaEagle.Formats;
using CsCheck;

namespace AdaEagle.Tests.Formats;

public class ModelConfigTests
{
    private const string Smallest =
        """{"hidden_size":64,"intermediate_size":160,"num_hidden_layers":1,"num_attention_heads":4,"vocab_size":320}""";

    private static readonly Gen<RopeScaling?> SomeScaling =
        from kind in Gen.OneOf(Gen.Const("linear"), Gen.Const("llama3"), Gen.Const("yarn"), Gen.Const("none"))
        from factor in Gen.Double[0.1, 100]
        from low in Gen.Double[0.1, 10]
        from original in Gen.Int[1, 100_000]
        from attention in Gen.Double[0.1, 2].Array[0, 1]
        from factors in Gen.Single[0.5f, 100].Array[0, 3]
        select kind == "none"
            ? null
            : kind != "yarn"
                ? new RopeScaling { Kind = kind, Factor = factor, LowFrequencyFactor = low, HighFrequencyFactor = low + factor, OriginalMaxPositions = original, FrequencyFactors = factors }
                : new RopeScaling
                {
                    Kind = kind, Factor = factor, OriginalMaxPositions = original, FrequencyFactors = factors, AttentionFactor = attention.Length > 0 ? attention[0] : null, BetaFast = low + 5, BetaSlow = low,
                    Mscale = factor, MscaleAllDim = low, Truncate = attention.Length > 0,
                };

    private static readonly Gen<ModelConfig> SomeConfig =
        from groups in Gen.Int[1, 8]
        from keys in Gen.Int[1, 8]
        from half in Gen.Int[1, 128]
        from sizes in Gen.Int[1, 10_000].Array[4]
        from flags in Gen.Bool.Array[6]
        from text in Gen.String.AlphaNumeric.Array[0, 3]
        from epsilon in Gen.Single[1e-12f, 0.1f]
        from theta in Gen.Double[1, 1e7]
        from scaling in SomeScaling
        from eos in Gen.Int[0, 99].Array[0, 3]
        select new ModelConfig
        {
            ModelType = text.FirstOrDefault() ?? "",
            Architectures = text,
            HiddenSize = sizes[0],
            IntermediateSize = sizes[1],
            LayerCount = groups,
            HeadCount = groups * keys,
            KeyValueHeadCount = keys,
            HeadDimension = 2 * half,
            VocabularySize = 100 + sizes[2],
            MaxPositions = sizes[3],
            NormEpsilon = epsilon,
            RopeTheta = theta,
            RopeScaling = scaling,
            SlidingWindow = flags[0] ? sizes[3] : null,
            UseSlidingWindow = flags[1],
            MaxWindowLayers = flags[2] ? groups : null,
            LayerTypes = text,
            AttentionBias = flags[0],
            MlpBias = flags[1],
            TieWordEmbeddings = flags[2],
            FcBias = flags[3] ? flags[4] : null,
            QkvBias = flags[5],
            StoredType = flags[3] ? TensorType.BF16 : null,
            BosToken = flags[4] ? 99 : null,
            EosTokens = eos,
            VocabularyFingerprint = flags[5] ? "00ff" : null,
        };

    /// <summary>A key and a value that it cannot have.</summary>
    public static TheoryData<string, string> BadValues
    {
        get
        {
            TheoryData<string, string> data = [];
            string[] sizes = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"];
            foreach (string key in sizes)
            {
                foreach (string value in new[] { "0", "-1", "4.0", "1e1", "4294967296", "2147483647", "99999999999999999999999", "\"4\"", "true", "[4]", "{}" })
                {
                    data.Add(key, value);
                }
            }

            foreach ((string key, string values) in new[]
            {
                ("rms_norm_eps", "0;-1e-5;2;1e999;1e-60;\"1e-5\";true"),
                ("rope_theta", "0;-10000;0.5;1e999;\"10000\";[]"),
                ("attention_bias", "0;1;\"true\";[]"),
                ("mlp_bias", "0"),
                ("tie_word_embeddings", "\"false\""),
                ("bias", "1"),
                ("qkv_bias", "{}"),
                ("model_type", "1;[];true"),
                ("hidden_act", "1"),
                ("torch_dtype", "16"),
                ("architectures", "\"LlamaForCausalLM\";[1];{}"),
                ("bos_token_id", "-1;320;1.5;\"1\";[1]"),
                ("eos_token_id", "-1;320;1.5;\"1\";[1,320];[[1]];{}"),
                ("adaeagle_vocabulary", "1"),
                ("num_key_value_heads", "3;8"),
                ("head_dim", "15"),
                ("rope_scaling", "1;\"linear\";[];{\"type\":1};{\"type\":\"linear\"};{\"type\":\"linear\",\"factor\":0};{\"type\":\"linear\",\"factor\":-2};{\"type\":\"linear\",\"factor\":\"2\"};{\"type\":\"linear\",\"factor\":1e999}"),
                ("rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8};{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,\"original_max_position_embeddings\":64};{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":0,\"high_freq_factor\":4,\"original_max_position_embeddings\":64};{\"rope_type\":\"llama3\",\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":64}"),
                ("rope_scaling", "{\"type\":\"yarn\",\"factor\":4,\"attention_factor\":0};{\"type\":\"yarn\",\"factor\":4,\"beta_fast\":-1};{\"type\":\"yarn\",\"factor\":4,\"truncate\":1};{\"frequency_factors\":[0]};{\"frequency_factors\":1};{\"frequency_factors\":[\"1\"]};{\"frequency_factors\":[1e99]}"),
                ("sliding_window", "0;-1;1.5;\"16\";99999999999"),
                ("use_sliding_window", "1"),
                ("max_window_layers", "-1;\"2\""),
                ("layer_types", "\"full_attention\";[1]"),
                ("rope_parameters", "3;{\"rope_theta\":0};{\"rope_type\":\"linear\"};{\"full_attention\":1}"),
            })
            {
                foreach (string value in values.Split(';'))
                {
                    data.Add(key, value);
                }
            }

            return data;
        }
    }

    [Fact]
    public void What_is_absent_has_its_default()
    {
        ModelConfig config = ModelConfig.Parse(Smallest, "config.json");
        Assert.Equal((4, 16, 2048, 10000.0, 1e-6f, "silu"), (config.KeyValueHeadCount, config.HeadDimension, config.MaxPositions, config.RopeTheta, config.NormEpsilon, config.Activation));
        Assert.Equal((false, false, false, false), (config.AttentionBias, config.MlpBias, config.TieWordEmbeddings, config.QkvBias));
        Assert.Null(config.RopeScaling);
        Assert.Null(config.FcBias);
        Assert.Null(config.StoredType);
        Assert.Null(config.BosToken);
        Assert.Empty(config.EosTokens);
    }

    [Fact]
    public void Null_counts_as_absent() =>
        Assert.Equal(
            ModelConfig.Parse(Smallest, "a"),
            ModelConfig.Parse(With(("head_dim", "null"), ("num_key_value_heads", "null"), ("rope_scaling", "null"), ("eos_token_id", "null"), ("bos_token_id", "null"), ("bias", "null")), "b"));

    [Fact]
    public void An_EAGLE_head_with_max_sequence_length_has_the_default_of_2048_positions() =>
        Assert.Equal(2048, ModelConfig.Parse(With(("max_sequence_length", "4096")), "config.json").MaxPositions);

    [Theory]
    [InlineData("\"bfloat16\"", TensorType.BF16)]
    [InlineData("\"float16\"", TensorType.F16)]
    [InlineData("\"torch.float32\"", TensorType.F32)]
    [InlineData("\"auto\"", null)]
    public void Both_spellings_give_the_same(string type, TensorType? expected)
    {
        const string Scaling = """ "factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64""";
        ModelConfig classic = ModelConfig.Parse(With(("rope_theta", "500000"), ("rope_scaling", $$"""{"rope_type":"llama3",{{Scaling}}}"""), ("torch_dtype", type)), "classic");
        ModelConfig newer = ModelConfig.Parse(With(("rope_parameters", $$"""{"rope_type":"llama3","rope_theta":5e5,{{Scaling}}}"""), ("dtype", type)), "newer");
        Assert.Equal(classic, newer);
        Assert.Equal((500000.0, expected), (newer.RopeTheta, newer.StoredType));
        Assert.Equal(new RopeScaling { Kind = "llama3", Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 64 }, newer.RopeScaling);
    }

    [Fact]
    public void Default_scaling_is_none_and_an_unknown_one_keeps_its_name()
    {
        Assert.Null(ModelConfig.Parse(With(("rope_parameters", """{"rope_type":"default","rope_theta":7.0}""")), "c").RopeScaling);
        RopeScaling yarn = ModelConfig.Parse(With(("rope_scaling", """{"type":"yarn","factor":4.0}"""), ("max_position_embeddings", "256")), "c").RopeScaling!;
        Assert.Equal(("yarn", 4.0, 256), (yarn.Kind, yarn.Factor, yarn.OriginalMaxPositions));
    }

    [Fact]
    public void YaRN_scaling_has_its_defaults_and_the_factor_of_the_positions()
    {
        RopeScaling plain = Yarn("\"factor\":4.0,\"original_max_position_embeddings\":64");
        Assert.Equal((4.0, 64, null, 32.0, 1.0, true), (plain.Factor, plain.OriginalMaxPositions, plain.AttentionFactor, plain.BetaFast, plain.BetaSlow, plain.Truncate));
        Assert.Equal(8.0, Yarn("\"original_max_position_embeddings\":32").Factor);
        RopeScaling full = Yarn("\"factor\":4.0,\"attention_factor\":1.25,\"beta_fast\":16,\"beta_slow\":2,\"mscale\":0.7,\"mscale_all_dim\":0.9,\"truncate\":false");
        Assert.Equal((1.25, 16.0, 2.0, 0.7, 0.9, false), (full.AttentionFactor, full.BetaFast, full.BetaSlow, full.Mscale, full.MscaleAllDim, full.Truncate));

        static RopeScaling Yarn(string keys) =>
            ModelConfig.Parse(With(("rope_scaling", $$"""{"rope_type":"yarn",{{keys}}}"""), ("max_position_embeddings", "256")), "c").RopeScaling!;
    }

    [Fact]
    public void Frequency_factors_alone_are_a_scaling()
    {
        RopeScaling? scaling = ModelConfig.Parse(With(("rope_scaling", """{"rope_type":"default","frequency_factors":[1,2.5]}""")), "c").RopeScaling;
        Assert.Equal(new RopeScaling { Kind = "default", OriginalMaxPositions = 2048, FrequencyFactors = [1, 2.5f] }, scaling);
        Assert.NotEqual(new RopeScaling { Kind = "default", OriginalMaxPositions = 2048, FrequencyFactors = [1, 2] }, scaling);
    }

    [Fact]
    public void A_window_is_read_and_absent_means_what_transformers_says()
    {
        Assert.Null(ModelConfig.Parse(Smallest, "c").SlidingWindow);
        Assert.Equal(4096, ModelConfig.Parse(With(("model_type", "\"mistral\"")), "c").SlidingWindow);
        Assert.Null(ModelConfig.Parse(With(("model_type", "\"mistral\""), ("sliding_window", "null")), "c").SlidingWindow);
        ModelConfig qwen = ModelConfig.Parse(
            With(("model_type", "\"qwen3\""), ("sliding_window", "32"), ("use_sliding_window", "true"), ("max_window_layers", "1"), ("layer_types", "[\"full_attention\"]")), "c");
        Assert.Equal((32, true, 1, 128), (qwen.SlidingWindow, qwen.UseSlidingWindow, qwen.MaxWindowLayers, qwen.HeadDimension));
        Assert.Equal(["full_attention"], qwen.LayerTypes);
    }

    [Fact]
    public void One_end_token_or_several_are_read()
    {
        Assert.Equal([2], ModelConfig.Parse(With(("eos_token_id", "2")), "c").EosTokens);
        Assert.Equal([2, 319], ModelConfig.Parse(With(("eos_token_id", "[2,319]")), "c").EosTokens);
    }

    [Fact]
    public void A_configuration_survives_being_written_and_read() =>
        SomeConfig.Sample(
            config =>
            {
                ModelConfig read = ModelConfig.Parse(config.ToJson(), "written");
                Assert.Equal(config, read);
                Assert.Equal(
                    (config.NormEpsilon, config.RopeTheta, config.RopeScaling, config.FcBias, config.StoredType, config.BosToken, config.VocabularyFingerprint),
                    (read.NormEpsilon, read.RopeTheta, read.RopeScaling, read.FcBias, read.StoredType, read.BosToken, read.VocabularyFingerprint));
                Assert.Equal(config.EosTokens, read.EosTokens);
                Assert.Equal(config.Architectures, read.Architectures);
            },
            iter: 1000);

    [Theory]
    [MemberData(nameof(BadValues))]
    public void A_value_of_the_wrong_kind_or_size_is_refused_and_named(string key, string value)
    {
        ModelFormatException e = Assert.Throws<ModelFormatException>(() => ModelConfig.Parse(With((key, value)), "config.json"));
        Assert.Equal("config.json", e.File);
        Assert.NotNull(e.Item);
    }

    [Theory]
    [InlineData("hidden_size")]
    [InlineData("intermediate_size")]
    [InlineData("num_hidden_layers")]
    [InlineData("num_attention_heads")]
    [InlineData("vocab_size")]
    public void A_missing_size_is_named(string key)
    {
        ModelFormatException e = Assert.Throws<ModelFormatException>(() => ModelConfig.Parse(With((key, "null")), "config.json"));
        Assert.Equal(("config.json", key), (e.File, e.Item));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("{\"hidden_size\":1,\"hidden_size\":2}")]
    [InlineData("{\"hidden_size\":NaN}")]
    [InlineData("{\"model_type\":\"\\ud800\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"a\":\"\ud800\"}")]
    public void What_is_no_JSON_object_is_refused(string json) =>
        Assert.False(Mutation.Survives(() => ModelConfig.Parse(json, "config.json"), json));

    [Fact]
    public void Deep_nesting_is_refused() =>
        Assert.False(Mutation.Survives(() => ModelConfig.Parse(With(("x", new string('[', 100_000) + new string(']', 100_000))), "config.json"), "nesting"));

    [Fact]
    public void Heads_that_do_not_divide_the_hidden_size_need_a_head_dimension()
    {
        Assert.Equal("num_attention_heads", Assert.Throws<ModelFormatException>(() => ModelConfig.Parse(With(("num_attention_heads", "5")), "c")).Item);
        Assert.Equal(16, ModelConfig.Parse(With(("num_attention_heads", "5"), ("head_dim", "16")), "c").HeadDimension);
    }

    [Fact]
    public void Random_damage_ends_in_success_or_a_clear_error()
    {
        byte[] good = System.Text.Encoding.UTF8.GetBytes(With(
            ("model_type", "\"llama\""), ("eos_token_id", "[1,2]"), ("rms_norm_eps", "1e-05"), ("rope_theta", "10000.0"), ("torch_dtype", "\"bfloat16\""),
            ("rope_scaling", """{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}""")));
        using TemporaryFolder folder = new();
        Random random = new(11);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            folder.Write("config.json", Mutation.Apply(good, random));
            refused += Mutation.Survives(() => Assert.True(ModelConfig.Load(folder.Path).HeadDimension > 0), $"case {i}") ? 0 : 1;
        }

        Assert.InRange(refused, 1500, 2999);
    }

    [Fact]
    public void The_fixtures_are_read_as_their_files_say()
    {
        int count = 0;
        foreach (string file in Directory.EnumerateFiles(Fixtures.Folder("hf"), "config.json", SearchOption.AllDirectories))
        {
            ModelConfig config = ModelConfig.Load(Path.GetDirectoryName(file)!);
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file));
            JsonElement json = document.RootElement;
            Assert.Equal(json.GetProperty("model_type").GetString(), config.ModelType);
            Assert.Equal(json.GetProperty("hidden_size").GetInt32(), config.HiddenSize);
            Assert.Equal(json.GetProperty("num_key_value_heads").GetInt32(), config.KeyValueHeadCount);
            Assert.Equal(json.GetProperty("rms_norm_eps").GetSingle(), config.NormEpsilon);
            JsonElement rope = json.TryGetProperty("rope_parameters", out JsonElement parameters) ? parameters : json;
            Assert.Equal(rope.GetProperty("rope_theta").GetDouble(), config.RopeTheta);
            Assert.NotNull(config.StoredType);
            Assert.NotEmpty(config.EosTokens);
            Assert.Equal(config, ModelConfig.Parse(config.ToJson(), file));
            count++;
        }

        Fixtures.RequireCases("hf", count);
    }

    // The smallest configuration with other or more keys.
    private static string With(params (string Key, string Value)[] changes)
    {
        using JsonDocument smallest = JsonDocument.Parse(Smallest);
        IEnumerable<string> kept = smallest.RootElement.EnumerateObject()
            .Where(p => !changes.Any(c => c.Key == p.Name))
            .Select(p => $"\"{p.Name}\":{p.Value.GetRawText()}");
        return $"{{{string.Join(',', kept.Concat(changes.Select(c => $"\"{c.Key}\":{c.Value}")))}}}";
    }
}

using AdaEagle.Formats;
using AdaEagle.Generation;
using AdaEagle.Models;
using AdaEagle.Tests.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Formats;

/// <summary>Hugging Face folders written as GGUF: what comes back is what was there.</summary>
public sealed class GgufExportTests : IDisposable
{
    private const string QwenSplit =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] s_special = ["<|begin|>", "<|stop|>", "<|user|>"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_comes_back_with_weights_configuration_tokenizer_and_template()
    {
        string model = Model(Config("llama"));
        GgufExportResult result = Export(model, _folder.File("x.gguf"), TensorType.F32);
        Assert.Equal(new FileInfo(_folder.File("x.gguf")).Length, result.ByteLength);
        Assert.Empty(result.Notes);
        using GgufCheckpoint checkpoint = GgufCheckpoint.Open(result.Path);
        var config = ModelConfig.Load(model);
        Assert.Equal(config with { StoredType = null }, checkpoint.Config);
        AssertSameWeights(model, checkpoint);

        ITokenizer original = Tokenizers.Load(model);
        var tokenizer = GgufTokenizer.Load(checkpoint.File);
        Assert.Equal(original.Fingerprint, tokenizer.Fingerprint);
        Assert.Equal(original.Encode("a line 12 of\n text<|stop|>"), tokenizer.Encode("a line 12 of\n text<|stop|>"));
        Assert.Equal(ChatTemplate.Load(model)!.Render([new ChatMessage("user", "x")]), ChatTemplate.Load(checkpoint.File)!.Render([new ChatMessage("user", "x")]));
    }

    public static TheoryData<string> Architectures => ["llama", "mistral", "qwen2", "qwen3"];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Folders_of_every_architecture_come_back(string architecture)
    {
        int models = 0;
        foreach (string folder in FixtureFolders().Where(folder => ModelConfig.Load(folder).ModelType == architecture && !ModelConfig.Load(folder).UseSlidingWindow))
        {
            string model = _folder.File(Path.GetFileName(folder));
            Directory.CreateDirectory(model);
            foreach (string file in Directory.GetFiles(folder).Where(file => !Path.GetFileName(file).StartsWith("token", StringComparison.Ordinal)))
            {
                File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
            }

            WriteTokenizer(model, ModelConfig.Load(model).VocabularySize);
            Export(model, model + ".gguf", TensorType.F32);
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open(model + ".gguf");
            AssertSameWeights(model, checkpoint);
            int[] tokens = [.. Enumerable.Range(0, 24).Select(i => i * 31 % checkpoint.Config.VocabularySize)];
            using LlamaModel original = LlamaModel.Load(model, WeightChoice.F32);
            using LlamaModel converted = LlamaModel.Load(model + ".gguf", WeightChoice.F32);
            foreach ((float[] expected, float[] actual) in TinyModels.Logits(original, tokens).Zip(TinyModels.Logits(converted, tokens)))
            {
                // Scaled frequencies are rounded once more on the way.
                Assert.All(expected.Zip(actual), pair => Assert.True(MathF.Abs(pair.First - pair.Second) < 1e-3f, $"{model}: {pair}"));
            }

            models++;
        }

        Assert.SkipWhen(models == 0, $"No fixture of architecture {architecture} that can be converted.");
    }

    [Fact]
    public void Every_type_is_written_and_rows_that_do_not_fit_take_a_better_one()
    {
        // 64 columns: blocks of 32 fit, blocks of 256 do not.
        string model = Model(Config("llama") with { TieWordEmbeddings = false });
        foreach (TensorType type in GgufExport.Types)
        {
            GgufExportResult result = Export(model, _folder.File("x.gguf"), type);
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open(result.Path);
            TensorType matrices = type.BlockLength() == 256 ? TensorType.Q8_0 : type;
            Assert.Equal(matrices, checkpoint.Tensors["model.layers.0.mlp.up_proj.weight"].Type);
            Assert.Equal(type == TensorType.Q4_0 ? TensorType.Q8_0 : matrices, checkpoint.Tensors["lm_head.weight"].Type);
            Assert.Equal(TensorType.F32, checkpoint.Tensors["model.norm.weight"].Type);
            Assert.Equal(checkpoint.Tensors.Count, result.Tensors.Values.Sum());
            Assert.Equal(type.BlockLength() == 256, result.Notes.Any(note => note.Contains("blk.0.ffn_up.weight", StringComparison.Ordinal)));
            using ITensorSource original = Checkpoint.Open(model);
            float[] expected = original.ReadF32("model.layers.1.self_attn.k_proj.weight");
            float[] stored = checkpoint.ReadF32("model.layers.1.self_attn.k_proj.weight");
            float largest = expected.Max(MathF.Abs);
            Assert.All(expected.Zip(stored), pair => Assert.InRange(MathF.Abs(pair.First - pair.Second), 0, largest / 7));
        }

        string wide = Model(Config("llama") with { HiddenSize = 256, IntermediateSize = 160, HeadCount = 4, HeadDimension = 64 });
        GgufExportResult quantised = Export(wide, _folder.File("wide.gguf"), TensorType.Q4_K);
        using GgufCheckpoint read = GgufCheckpoint.Open(quantised.Path);
        Assert.Equal(TensorType.Q4_K, read.Tensors["model.layers.0.mlp.up_proj.weight"].Type);
        Assert.Equal(TensorType.Q8_0, read.Tensors["model.layers.0.mlp.down_proj.weight"].Type);
        Assert.Equal(TensorType.Q6_K, read.Tensors["model.embed_tokens.weight"].Type);
    }

    [Fact]
    public void A_file_generates_what_its_folder_does()
    {
        string model = Model(Config("llama"));
        Export(model, _folder.File("x.gguf"), TensorType.F32);
        using var folder = LanguageModel.Load(model, new LoadOptions { Threads = 1 });
        using var file = LanguageModel.Load(_folder.File("x.gguf"), new LoadOptions { Threads = 1 });
        Assert.Equal(folder.EndTokens.Order(), file.EndTokens.Order());
        Assert.Equal(folder.Encode("some text", new GenerationOptions()), file.Encode("some text", new GenerationOptions()));
        Assert.Equal(folder.Encode("some text", new GenerationOptions { Raw = true }), file.Encode("some text", new GenerationOptions { Raw = true }));
        GenerationOptions options = new() { MaxTokens = 20 };
        Assert.Equal(folder.Generate("some text", options, TestContext.Current.CancellationToken).Tokens, file.Generate("some text", options, TestContext.Current.CancellationToken).Tokens);
        Assert.Empty(file.Warnings);
    }

    [Fact]
    public void Llama3_scaling_becomes_factors_that_come_to_the_same_frequencies()
    {
        RopeScaling scaling = new() { Kind = "llama3", Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 64 };
        ModelConfig config = Config("llama") with { RopeTheta = 500_000, RopeScaling = scaling };
        string model = Model(config);
        Export(model, _folder.File("x.gguf"), TensorType.F16);
        using GgufCheckpoint checkpoint = GgufCheckpoint.Open(_folder.File("x.gguf"));
        float[] expected = RopeFrequencies.Of(config.HeadDimension, config.RopeTheta, scaling);
        float[] actual = RopeFrequencies.Of(config.HeadDimension, config.RopeTheta, checkpoint.Config.RopeScaling);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, pair.First * 1e-6f));
        Assert.Equal(8, checkpoint.Config.RopeScaling!.FrequencyFactors[^1]);
        Assert.Equal(1, checkpoint.Config.RopeScaling.FrequencyFactors[0]);
    }

    [Fact]
    public void Yarn_and_linear_scaling_come_back()
    {
        foreach (RopeScaling scaling in (RopeScaling[])
        [
            new() { Kind = "linear", Factor = 4, OriginalMaxPositions = 512 },
            new() { Kind = "yarn", Factor = 4, OriginalMaxPositions = 128 },
            new() { Kind = "yarn", Factor = 4, OriginalMaxPositions = 128, AttentionFactor = 1.5, BetaFast = 16, BetaSlow = 2 },
            new() { Kind = "yarn", Factor = 4, OriginalMaxPositions = 128, Mscale = 1, MscaleAllDim = 0.5 },
        ])
        {
            Export(Model(Config("llama") with { RopeScaling = scaling }), _folder.File("x.gguf"), TensorType.F16);
            using GgufCheckpoint checkpoint = GgufCheckpoint.Open(_folder.File("x.gguf"));
            RopeScaling read = checkpoint.Config.RopeScaling!;
            Assert.Equal((scaling.Kind, scaling.Factor, scaling.OriginalMaxPositions, scaling.BetaFast, scaling.BetaSlow), (read.Kind, read.Factor, read.OriginalMaxPositions, read.BetaFast, read.BetaSlow));
            Assert.Equal(RopeFrequencies.AttentionFactor(scaling), RopeFrequencies.AttentionFactor(read), 1e-6f);
        }
    }

    [Fact]
    public void What_cannot_be_converted_is_refused_and_leaves_nothing()
    {
        string path = _folder.File("x.gguf");
        Assert.Throws<ArgumentException>(() => Export(Model(Config("llama")), path, TensorType.Q5_1));
        Refused(Model(Config("gemma2")), "gemma2");
        Refused(Model(Config("qwen2") with { UseSlidingWindow = true }, type: "qwen2"), "sliding");
        Refused(Model(Config("llama"), split: @"\s+|\S+"), "no name");
        string noTokenizer = Model(Config("llama"));
        File.Delete(Path.Combine(noTokenizer, "tokenizer.json"));
        Refused(noTokenizer, "tokenizer.json");
        string small = Model(Config("llama"));
        WriteTokenizer(small, 300);
        File.WriteAllText(Path.Combine(small, "config.json"), (ModelConfig.Load(small) with { VocabularySize = 262, BosToken = null, EosTokens = [] }).ToJson());
        Refused(small, "tokens");
        string large = Model(Config("llama"), scale: 1e6f);
        Refused(large, "F16 cannot");
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => GgufExport.Write(Model(Config("llama")), path, TensorType.F16, null, cancelled.Token));
        Assert.DoesNotContain(Directory.GetFiles(_folder.Path), file => file.Contains("gguf", StringComparison.Ordinal));

        void Refused(string folder, string what)
        {
            ModelFormatException failure = Assert.Throws<ModelFormatException>(() => Export(folder, path, TensorType.F16));
            Assert.Contains(what, failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Progress_goes_to_the_end()
    {
        List<long> done = [];
        long all = 0;
        Export(Model(Config("llama")), _folder.File("x.gguf"), TensorType.Q8_0, (sofar, total) =>
        {
            done.Add(sofar);
            all = total;
        });
        Assert.Equal(done.Order(), done);
        Assert.Equal(all, done[^1]);
    }

    private static GgufExportResult Export(string folder, string path, TensorType type, Action<long, long>? progress = null) =>
        GgufExport.Write(folder, path, type, progress, TestContext.Current.CancellationToken);

    private static ModelConfig Config(string type) => TinyModels.Config with
    {
        ModelType = type, HiddenSize = 64, IntermediateSize = 96, HeadCount = 4, KeyValueHeadCount = 2, HeadDimension = 16, VocabularySize = 300, TieWordEmbeddings = true,
        MaxPositions = 512, BosToken = 260, EosTokens = [261], RopeScaling = null, AttentionBias = false, MlpBias = false,
    };

    // A random model with a tokenizer and a template.
    private string Model(ModelConfig config, string split = QwenSplit, float scale = 0.35f, string? type = null)
    {
        string model = _folder.File("m" + Guid.NewGuid().ToString("N"));
        TinyModels.WriteInto(model, config with { ModelType = "llama", UseSlidingWindow = false }, seed: 5, scale: scale);
        File.WriteAllText(Path.Combine(model, "config.json"), (config with { ModelType = type ?? config.ModelType }).ToJson());
        WriteTokenizer(model, config.VocabularySize, split);
        File.WriteAllText(Path.Combine(model, "tokenizer_config.json"), """
            {"bos_token": "<|begin|>", "eos_token": {"content": "<|stop|>"}, "chat_template": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|stop|>{% endfor %}"}
            """);
        return model;
    }

    private static void WriteTokenizer(string folder, int vocabulary, string split = QwenSplit)
    {
        string[] bytes = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToText([(byte)value]))];
        (string, string)[] merges = [("t", "e"), ("te", "x"), ("tex", "t"), ("Ġ", "text")];
        string[] tokens = [.. bytes, .. merges.Select(merge => merge.Item1 + merge.Item2)];
        Assert.True(tokens.Length + s_special.Length <= vocabulary);
        TokenizerJson.Write(Path.Combine(folder, "tokenizer.json"), tokens, merges, split, s_special);
    }

    private static IEnumerable<string> FixtureFolders() => Directory.GetDirectories(Fixtures.Folder("hf")).Where(folder => File.Exists(Path.Combine(folder, "config.json")) && ModelConfig.Load(folder).VocabularySize >= 263);

    private static void AssertSameWeights(string folder, GgufCheckpoint checkpoint)
    {
        using ITensorSource original = Checkpoint.Open(folder);
        foreach (string name in checkpoint.Tensors.Keys)
        {
            Assert.True(original.ReadF32(name).AsSpan().SequenceEqual(checkpoint.ReadF32(name)), name);
        }
    }
}

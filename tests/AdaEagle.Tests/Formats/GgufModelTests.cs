using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Formats;

/// <summary>Configuration and tensors of the GGUF models of the fixtures, against the Hugging Face folders they came from.</summary>
public class GgufModelTests
{
    private static readonly string[] Supported = ["llama", "qwen2", "qwen3"];

    [Fact]
    public void Configurations_are_those_of_the_folders_that_the_files_came_from()
    {
        int cases = 0;
        foreach (string path in Files())
        {
            using var file = GgufFile.Open(path);
            if (!Supported.Contains(Architecture(file)) || FaceFolder(path) is not { } folder)
            {
                continue;
            }

            ModelConfig config = GgufConfig.Read(file);
            var original = ModelConfig.Load(folder);
            Assert.Equal(Numbers(original), Numbers(config));
            Assert.Equal(original.ModelType == "mistral" && original.SlidingWindow is null ? "llama" : original.ModelType, config.ModelType);
            Assert.Equal(original.NormEpsilon, config.NormEpsilon);
            Assert.Equal(original.RopeTheta, config.RopeTheta);
            Assert.Equal(original.TieWordEmbeddings, config.TieWordEmbeddings);
            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void Vocabulary_and_end_tokens_are_those_that_llama_cpp_finds()
    {
        int cases = 0;
        foreach (string path in Files())
        {
            using var file = GgufFile.Open(path);
            if (!Supported.Contains(Architecture(file)))
            {
                continue;
            }

            using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(path)!, "expected.json")));
            JsonElement vocabulary = expected.RootElement.GetProperty("vocab");
            ModelConfig config = GgufConfig.Read(file);
            Assert.Equal(vocabulary.GetProperty("n_tokens").GetInt32(), config.VocabularySize);
            Assert.Equal(vocabulary.GetProperty("eog").EnumerateArray().Select(id => id.GetInt32()).Order(), config.EosTokens.Union(GgufTokenizer.Load(file).EndTokens).Order());
            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void Weights_of_unquantised_files_are_those_of_the_folders_under_their_names()
    {
        int cases = 0;
        foreach (string path in Files())
        {
            GgufFile file = GgufFile.Open(path);
            bool whole = file.Tensors.Values.All(tensor => tensor.Type is TensorType.F32 or TensorType.F16);
            if (!Supported.Contains(Architecture(file)) || FaceFolder(path) is not { } folder || !whole)
            {
                file.Dispose();
                continue;
            }

            using GgufCheckpoint checkpoint = new(file, GgufConfig.Read(file));
            using ITensorSource original = Checkpoint.Open(folder);
            Assert.Equal(original.Tensors.Keys.Order(StringComparer.Ordinal), checkpoint.Tensors.Keys.Order(StringComparer.Ordinal));
            foreach (TensorInfo tensor in original.Tensors.Values)
            {
                Assert.Equal(tensor.Shape, checkpoint.Tensors[tensor.Name].Shape);
                Assert.True(original.ReadF32(tensor.Name).AsSpan().SequenceEqual(checkpoint.ReadF32(tensor.Name)), $"{path}: {tensor.Name}");
            }

            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void Other_architectures_are_refused_by_name()
    {
        foreach (string path in Files())
        {
            using var file = GgufFile.Open(path);
            if (!Supported.Contains(Architecture(file)))
            {
                ModelFormatException failure = Assert.Throws<ModelFormatException>(() => GgufConfig.Read(file));
                Assert.Contains($"'{Architecture(file)}'", failure.Message, StringComparison.Ordinal);
                Assert.Contains("llama, qwen2, qwen3", failure.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Files_that_are_containers_but_no_models_are_refused()
    {
        string folder = Path.Combine(Fixtures.Folder("gguf"), "hostile");
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        int cases = 0;
        foreach (JsonElement entry in manifest.RootElement.GetProperty("cases").EnumerateArray().Where(e => e.GetProperty("expect").GetString() == "model"))
        {
            using var file = GgufFile.Open(Path.Combine(folder, entry.GetProperty("file").GetString()!));
            Assert.Throws<ModelFormatException>(() => GgufConfig.Read(file));
            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(3, 8)]
    [InlineData(4, 64)]
    public void The_orders_of_rows_for_both_kinds_of_RoPE_are_inverse_to_each_other(int heads, int dimension)
    {
        for (int row = 0; row < heads * dimension; row++)
        {
            Assert.Equal(row, GgufCheckpoint.HalfSplitRow(GgufCheckpoint.InterleavedRow(row, dimension), dimension));
        }

        // Neighbours there are i and i + dimension / 2 here.
        Assert.Equal(0, GgufCheckpoint.HalfSplitRow(0, dimension));
        Assert.Equal(dimension / 2, GgufCheckpoint.HalfSplitRow(1, dimension));
    }

    [Theory]
    [InlineData("token_embd.weight", "model.embed_tokens.weight")]
    [InlineData("output_norm.weight", "model.norm.weight")]
    [InlineData("output.weight", "lm_head.weight")]
    [InlineData("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight")]
    [InlineData("blk.12.attn_k.bias", "model.layers.12.self_attn.k_proj.bias")]
    [InlineData("blk.3.attn_q_norm.weight", "model.layers.3.self_attn.q_norm.weight")]
    [InlineData("blk.100.ffn_norm.weight", "model.layers.100.post_attention_layernorm.weight")]
    [InlineData("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight")]
    public void Names_are_translated_both_ways(string gguf, string face)
    {
        Assert.Equal(face, GgufNames.ToFace(gguf));
        Assert.Equal(gguf, GgufNames.ToGguf(face));
    }

    [Theory]
    [InlineData("blk.x.attn_q.weight")]
    [InlineData("blk..attn_q.weight")]
    [InlineData("blk.0.attn_qkv.weight")]
    [InlineData("blk.0.attn_q.scale")]
    [InlineData("blk.0.weight")]
    [InlineData("blk.0")]
    [InlineData("rope_freqs.weight")]
    [InlineData("")]
    public void Other_names_are_not_translated(string name)
    {
        Assert.Null(GgufNames.ToFace(name));
        Assert.Null(GgufNames.ToGguf(name));
    }

    /// <summary>All GGUF models of the fixtures.</summary>
    internal static IEnumerable<string> Files() =>
        Directory.GetFiles(Path.Combine(Fixtures.Folder("gguf"), "models"), "*.gguf", SearchOption.AllDirectories).Order(StringComparer.Ordinal);

    private static string Architecture(GgufFile file) => file.Values.RequiredText("general.architecture");

    private static string? FaceFolder(string path)
    {
        string folder = Path.Combine(Path.GetDirectoryName(path)!, "hf");
        return Directory.Exists(folder) ? folder : null;
    }

    private static int[] Numbers(ModelConfig config) =>
        [config.HiddenSize, config.IntermediateSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.HeadDimension, config.VocabularySize, config.MaxPositions];
}

using AdaEagle.Bench.Models;
using AdaEagle.Formats;

namespace AdaEagle.Tests.BenchModels;

/// <summary>Random models, and the writer that both commands share.</summary>
public class RandomModelTests
{
    [Theory]
    [InlineData(1e6)]
    [InlineData(10e6)]
    [InlineData(110e6)]
    [InlineData(1.1e9)]
    [InlineData(8e9)]
    public void An_ordinary_shape_has_the_parameters_asked_for(double parameters)
    {
        DecoderShape shape = OrdinaryShape.Of((long)parameters, 4096, tied: true);
        Assert.InRange(shape.Parameters / parameters, 0.98, 1.02);
        Assert.Equal(0, shape.Layer.Heads % shape.Layer.KeyValueHeads);
    }

    [Fact]
    public void The_commands_write_models_that_can_be_opened_and_inflated()
    {
        using var folder = new TemporaryFolder();
        string[] shape = ["--hidden", "64", "--layers", "3", "--heads", "4", "--kv-heads", "2", "--ffn", "192", "--vocabulary", "320"];
        Assert.Equal(0, RandomCommand.Create().Parse([.. shape, "--tied", "--eagle", "--type", "f32", "--out", folder["small"]]).Invoke());

        var config = ModelConfig.Load(folder["small"]);
        Assert.Equal((64, 3, 4, 2, 16, 192, 320, true), (config.HiddenSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.HeadDimension, config.IntermediateSize, config.VocabularySize, config.TieWordEmbeddings));
        Assert.Equal(TensorType.F32, config.StoredType);
        Assert.True(ModelConfig.Load(Path.Combine(folder["small"], "eagle")).FcBias);

        Assert.Equal(0, InflateCommand.Create().Parse(["--model", folder["small"], "--parameters", "2M", "--draft-cost", "0.2", "--out", folder["large"]]).Invoke());
        ModelOutputs.AssertSameBits(ModelOutputs.OfReference(folder["small"], [9, 300, 4], 64), ModelOutputs.OfReference(folder["large"], [9, 300, 4], 64));
    }

    [Fact]
    public void A_plan_alone_writes_nothing()
    {
        using var folder = new TemporaryFolder();
        RandomModel.Write(folder["small"], TinyModels.Shape(true, 1, false, false), null, TensorType.F32, 1);
        Assert.Equal(0, InflateCommand.Create().Parse(["--model", folder["small"], "--parameters", "100k", "--plan", "--out", folder["large"]]).Invoke());
        Assert.False(Directory.Exists(folder["large"]));
    }

    [Theory]
    [InlineData("inflate", "--parameters", "5Q")]
    [InlineData("inflate", "--draft-cost", "1.5")]
    [InlineData("inflate", "--draft-cost", "0")]
    [InlineData("random", "--hidden", "0")]
    [InlineData("random", "--type", "q4")]
    public void Options_that_make_no_sense_are_refused(string command, string option, string value)
    {
        string[] rest = command == "inflate" ? ["--model", "m", "--out", "o"] : ["--out", "o"];
        string[] parameters = command == "inflate" && option != "--parameters" ? ["--parameters", "1M"] : [];
        var root = command == "inflate" ? InflateCommand.Create() : RandomCommand.Create();
        Assert.Contains(root.Parse([.. rest, .. parameters, option, value]).Errors, error => error.Message.Contains(option, StringComparison.Ordinal) || error.Message.Contains(value, StringComparison.Ordinal));
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes_and_another_one_others()
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(false, 2, true, true);
        foreach ((string name, ulong seed) in new[] { ("a", 3UL), ("b", 3UL), ("c", 4UL) })
        {
            RandomModel.Write(folder[name], shape, null, TensorType.BF16, seed);
        }

        byte[] Bytes(string name) => File.ReadAllBytes(Path.Combine(folder[name], "model.safetensors"));
        Assert.Equal(Bytes("a"), Bytes("b"));
        Assert.NotEqual(Bytes("a"), Bytes("c"));
    }

    [Fact]
    public void A_tensor_of_many_pieces_is_written_whole()
    {
        using var folder = new TemporaryFolder();
        const int Rows = 1300, Columns = 1000;
        static void Count(long row, Span<byte> destination)
        {
            for (int i = 0; i < Columns; i++)
            {
                Numbers.Store(destination, i, TensorType.F32, (row * Columns) + i);
            }
        }

        long reported = 0;
        StreamedSafeTensors.Write(
            folder["model.safetensors"],
            [new("vector", TensorType.BF16, [3], (_, destination) => destination.Fill(0x3F)), new("matrix", TensorType.F32, [Rows, Columns], Count)],
            bytes => reported += bytes);

        using ITensorSource source = SafeTensors.Open(folder["model.safetensors"]);
        Assert.Equal(Enumerable.Range(0, Rows * Columns).Select(i => (float)i), source.ReadF32("matrix", Rows, Columns));
        Assert.Equal(3, source.ReadF32("vector", 3).Length);
        Assert.Equal((4L * Rows * Columns) + 6, reported);
    }

    [Fact]
    public void Random_elements_fill_their_range_evenly()
    {
        var bytes = new byte[4 * 100_000];
        new RandomElements(1, "x", bound: 0.5f, centre: 1).Fill(0, 0, bytes, TensorType.F32);
        float[] values = [.. Enumerable.Range(0, 100_000).Select(i => Numbers.Load(bytes, i, TensorType.F32))];
        Assert.All(values, value => Assert.InRange(value, 0.5f, 1.5f));
        Assert.InRange(values.Average(), 0.99, 1.01);
        Assert.InRange(values.Average(value => Math.Pow(value - 1, 2)), 0.25 / 3 * 0.98, 0.25 / 3 * 1.02);
    }
}

using AdaEagle.Bench.Models;
using AdaEagle.Formats;

namespace AdaEagle.Tests.BenchModels;

/// <summary>Where an inflated checkpoint is zero, where it is the original, and that all the rest is random and bounded.</summary>
public class InflatedWeightsTests
{
    private const int Wide = TinyModels.Hidden * 4;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_weight_is_the_originals_or_zero_or_random_as_its_place_asks(bool tied)
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(tied, groupSize: 3, attentionBias: true, mlpBias: true);
        HeadShape head = TinyModels.HeadFor(shape, fcBias: true, ownEmbedding: true);
        TinyModels.Write(folder["small"], shape, head, TensorType.BF16);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, 1));

        foreach (string part in new[] { "", "eagle", "ldlp" })
        {
            using ITensorSource before = Checkpoint.Open(Path.Combine(folder["small"], part));
            using ITensorSource after = Checkpoint.Open(Path.Combine(folder["large"], part));
            foreach (TensorInfo info in after.Tensors.Values)
            {
                Check(info, before.Tensors.ContainsKey(info.Name) ? (before.Tensors[info.Name].Shape, before.ReadF32(info.Name)) : null, after.ReadF32(info.Name));
            }
        }
    }

    [Fact]
    public void The_configuration_keeps_the_width_of_a_head_and_divides_epsilon_exactly()
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(tied: true, groupSize: 2, attentionBias: false, mlpBias: false);
        TinyModels.Write(folder["small"], shape, TinyModels.HeadFor(shape, true, false), TensorType.BF16);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, 2));

        foreach (string part in new[] { "", "eagle" })
        {
            var before = ModelConfig.Load(Path.Combine(folder["small"], part));
            var after = ModelConfig.Load(Path.Combine(folder["large"], part));
            Assert.Equal(before.HiddenSize * 16, after.HiddenSize);
            Assert.Equal(before.HeadDimension, after.HeadDimension);
            Assert.Contains("\"head_dim\": 8", File.ReadAllText(Path.Combine(folder["large"], part, "config.json")), StringComparison.Ordinal);
            Assert.Equal(before.NormEpsilon / 16, after.NormEpsilon);
            Assert.Equal(before.NormEpsilon, after.NormEpsilon * 16);
            Assert.Equal(before.HeadCount / before.KeyValueHeadCount, after.HeadCount / after.KeyValueHeadCount);
        }

        string predictor = File.ReadAllText(Path.Combine(folder["large"], "ldlp", "config.json"));
        Assert.Contains("\"hidden_size\": 512", predictor, StringComparison.Ordinal);
        Assert.Contains("\"lambda\": 2.5", predictor, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_counts_what_is_written()
    {
        using var folder = new TemporaryFolder();
        DecoderShape shape = TinyModels.Shape(tied: false, groupSize: 2, attentionBias: true, mlpBias: true);
        HeadShape head = TinyModels.HeadFor(shape, fcBias: true, ownEmbedding: true);
        Inflation inflation = TinyModels.Grow(shape, head, 1);
        TinyModels.Write(folder["small"], shape, head, TensorType.F32);
        TinyModels.Inflate(folder["small"], folder["large"], _ => inflation);

        using ITensorSource target = Checkpoint.Open(folder["large"]);
        long embedding = target.Tensors["model.embed_tokens.weight"].ElementCount;
        Assert.Equal(inflation.Target.Parameters, target.Tensors.Values.Sum(info => info.ElementCount));
        Assert.Equal(inflation.Target.Streamed, inflation.Target.Parameters - embedding);

        // The head streams the LM head instead of the embedding, which has as many elements.
        using ITensorSource drafter = Checkpoint.Open(Path.Combine(folder["large"], "eagle"));
        Assert.Equal(inflation.Head!.Streamed, drafter.Tensors.Values.Sum(info => info.ElementCount));
    }

    private static void Check(TensorInfo info, (IReadOnlyList<long> Shape, float[] Values)? original, float[] values)
    {
        string name = info.Name;
        int columns = (int)info.Shape[^1];
        int rows = values.Length / columns;
        int oldColumns = (int)(original?.Shape[^1] ?? 0);
        int oldRows = original is null ? 0 : original.Value.Values.Length / oldColumns;
        bool isNorm = name.EndsWith("norm.weight", StringComparison.Ordinal);
        bool reads = name.Contains("q_proj", StringComparison.Ordinal) || name.Contains("k_proj", StringComparison.Ordinal) || name.Contains("v_proj", StringComparison.Ordinal)
            || name.Contains("gate_proj", StringComparison.Ordinal) || name.Contains("up_proj", StringComparison.Ordinal) || name.StartsWith("lm_head", StringComparison.Ordinal);
        bool fuses = name is "fc.weight" or "input.weight";
        List<float> random = [];
        for (int i = 0; i < values.Length; i++)
        {
            (int row, int column) = (i / columns, i % columns);

            // [embedding; feature] becomes [embedding; padding; feature; padding].
            int oldColumn = !fuses ? column : column < Wide ? (column < TinyModels.Hidden ? column : int.MaxValue) : column - Wide < TinyModels.Hidden ? column - Wide + TinyModels.Hidden : int.MaxValue;
            if (row < oldRows && oldColumn < oldColumns)
            {
                Assert.Equal(original!.Value.Values[(row * oldColumns) + oldColumn], isNorm ? values[i] * 2 : values[i]);
            }
            else if (isNorm || reads || (fuses && row < oldRows))
            {
                random.Add(values[i]);
            }
            else
            {
                Assert.True(values[i] == 0 && !float.IsNegative(values[i]), $"{name} [{row}, {column}] of {rows} x {columns} is {values[i]}.");
            }
        }

        if (random.Count > 0)
        {
            Assert.All(random, value => Assert.InRange(value, -1, 1));
            Assert.InRange(random.Count(value => value == 0), 0, random.Count / 100);
            Assert.True(random.Distinct().Count() > Math.Min(random.Count, 200) / 4, $"{name}: {random.Count} new weights with {random.Distinct().Count()} values are hardly random.");
        }
    }
}

using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>The survival predictor and the step estimator compute what their formulas say, and refuse what is not theirs.</summary>
public class SurvivalPredictorTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Plans_and_estimates_are_what_the_formulas_say(int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random);
        int hidden = config.HiddenSize, maxDraft = random.Next(1, 20);
        using TinyPair pair = TinyModels.Load(config, seed);
        using var folder = new TemporaryFolder();
        TinySurvivals.Write(folder.Path, hidden, seed, random.Next(3, 40), random.Next(2, 20), maxDraft);
        using SurvivalWeights weights = SurvivalWeights.Load(folder.Path, pair.Target);
        using var predictor = new SurvivalPredictor(weights);
        using ITensorSource tensors = Checkpoint.Open(folder.Path);
        for (int i = 0; i < 10; i++)
        {
            int root = random.Next(config.VocabularySize);
            float[] feature = Values(random, hidden), output = Values(random, hidden), plan = new float[maxDraft];
            var signals = new DraftSignals(0.6f + (0.3f * random.NextSingle()), 0.05f, 1.5f * random.NextSingle());
            float temperature = i % 2 == 0 ? 0 : random.NextSingle();
            predictor.Plan(root, feature, signals, temperature, plan);
            double[] expected = Run(tensors, "plan.", SurvivalWeights.PlanBlocks, [.. Embedding(pair.Target, root), .. feature, signals.Entropy, signals.Top - signals.Second, temperature]);
            Assert.Equal(maxDraft, expected.Length);
            Assert.All(plan.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-4 * (1 + Math.Abs(pair.Second))));

            var step = new StepSignals(signals, -1.25f, 1 + (i % maxDraft), 0.5f, -0.75f, temperature);
            StepEstimate estimate = predictor.Estimate(output, step);
            expected = Run(
                tensors, "step.", SurvivalWeights.StepBlocks,
                [.. output, MathF.Log(signals.Top / (1 - signals.Top)), MathF.Log(signals.Second), signals.Entropy, -1.25f, 1 + (i % maxDraft), 0.5f, -0.75f, temperature]);
            Assert.Equal(expected[0], estimate.Right, 1e-4 * (1 + Math.Abs(expected[0])));
            Assert.Equal(expected[1], estimate.Next, 1e-4 * (1 + Math.Abs(expected[1])));

            float[] sibling = tensors.ReadF32("siblings.weight"), biases = tensors.ReadF32("siblings.bias");
            for (int rank = 1; rank <= 3; rank++)
            {
                double share = -3 - Math.Log(1 - signals.Top);
                Assert.Equal((sibling[(rank - 1) * 2] * share) + (sibling[((rank - 1) * 2) + 1] * Math.Log(signals.Top)) + biases[rank - 1], predictor.Sibling(rank, -3, signals.Top), 1e-4);
            }
        }
    }

    [Fact]
    public void Extremes_stay_numbers_and_a_feature_that_is_none_means_no_hope()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using SurvivalWeights weights = TinySurvivals.Load(pair.Target, 1, maxDraft: 5);
        using var predictor = new SurvivalPredictor(weights);
        float[] plan = new float[5], feature = new float[TinyModels.Config.HiddenSize];
        StepEstimate certain = predictor.Estimate(feature, new StepSignals(new DraftSignals(1, 0, 0), -1e9f, 5, 1e9f, -1e9f, 0));
        Assert.True(float.IsFinite(certain.Right) && float.IsFinite(certain.Next));
        feature[3] = float.NaN;
        predictor.Plan(0, feature, new DraftSignals(0.5f, 0.2f, 1), 0, plan);
        Assert.All(plan, logit => Assert.Equal(-20, logit));
        Assert.Equal(new StepEstimate(-20, -20), predictor.Estimate(feature, default));

        // And the next is not spoilt by it.
        predictor.Plan(0, new float[TinyModels.Config.HiddenSize], new DraftSignals(0.5f, 0.2f, 1), 0, plan);
        Assert.All(plan, logit => Assert.InRange(logit, -19, 19));
    }

    [Fact]
    public void On_the_default_model_a_plan_streams_a_hundredth_of_a_pass_and_an_estimate_a_fiftieth_of_a_draft_step()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config with { HiddenSize = 256, HeadCount = 4, KeyValueHeadCount = 2, HeadDimension = 64 }, 1);
        using var folder = new TemporaryFolder();
        TinySurvivals.Write(folder.Path, 256, 1, width: 64, stepWidth: 32);
        using SurvivalWeights weights = SurvivalWeights.Load(folder.Path, pair.Target);

        // Written as F32 here, BF16 when shipped. The default model's pass is 21 MB of BF16, a draft step 4 MB.
        Assert.InRange(weights.PlanBytes / 2, 1, 210_000);
        Assert.InRange(weights.StepBytes / 2, 1, 80_000);
    }

    [Theory]
    [InlineData("""{"hidden_size": 48}""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 48, "width": 12, "step_width": 9, "k_max": 8}""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 48, "width": 12, "step_width": 9, "k_max": 0}""", "k_max")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 48, "width": 12, "step_width": 9}""", "k_max")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 48, "width": 12, "k_max": 8}""", "step_width")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 48, "width": 12.5, "step_width": 9, "k_max": 8}""", "width")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 47, "width": 12, "step_width": 9, "k_max": 8}""", "hidden_size")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 48, "width": 12, "step_width": 9, "k_max": 8, "resolved": 1.5}""", "resolved")]
    [InlineData("""{"adaeagle_kind": "survival", "hidden_size": 48, "width": 12, "step_width": 9, "k_max": 8, "resolved": "0.3"}""", "resolved")]
    [InlineData("""[]""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": """, null)]
    public void Its_configuration_is_checked(string json, string? item)
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        TinySurvivals.Write(folder.Path, 48, 1);
        folder.Write("config.json", json);
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => SurvivalWeights.Load(folder.Path, pair.Target).Dispose());
        Assert.Equal((folder.File("config.json"), item), (failure.File, failure.Item));
    }

    [Theory]
    [InlineData("plan.blocks.1.bias", "missing")]
    [InlineData("step.input.weight", "missing")]
    [InlineData("siblings.bias", "missing")]
    [InlineData("siblings.weight", "shape")]
    [InlineData("plan.output.weight", "shape")]
    [InlineData("step.output.bias", "shape")]
    [InlineData("plan.blocks.2.weight", "extra")]
    public void Its_weights_are_checked(string name, string fault)
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        TinySurvivals.Write(folder.Path, 48, 1);
        string file = folder.File("model.safetensors");
        List<TensorData> tensors;
        using (ITensorSource source = Checkpoint.Open(folder.Path))
        {
            tensors = [.. source.Tensors.Values.Where(info => fault != "missing" || info.Name != name).Select(info => fault == "shape" && info.Name == name
                ? TensorData.FromF32(name, [info.Shape[0] + 1, .. info.Shape.Skip(1)], new float[(info.Shape[0] + 1) * info.Shape.Skip(1).Aggregate(1L, (a, b) => a * b)], TensorType.F32)
                : TensorData.FromF32(info.Name, info.Shape, source.ReadF32(info.Name), TensorType.F32))];
        }

        if (fault == "extra")
        {
            tensors.Add(TensorData.FromF32(name, [2], [0, 0], TensorType.F32));
        }

        SafeTensors.Write(file, tensors);
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => SurvivalWeights.Load(folder.Path, pair.Target).Dispose());
        Assert.Contains(name, failure.Message, StringComparison.Ordinal);
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (4 * random.NextSingle()) - 2)];

    private static unsafe float[] Embedding(LlamaModel model, int token)
    {
        float[] row = new float[model.Config.HiddenSize + 16];
        fixed (float* values = row)
        {
            model.Embedding.UnpackRow(token, values);
        }

        return row[..model.Config.HiddenSize];
    }

    private static double[] Run(ITensorSource tensors, string prefix, int blocks, float[] input)
    {
        double[] y = Affine("input", [.. input.Select(value => (double)value)]);
        for (int i = 0; i < blocks; i++)
        {
            y = [.. y.Zip(Affine($"blocks.{i}", y), (a, b) => a + (b / (1 + Math.Exp(-b))))];
        }

        return Affine("output", y);

        double[] Affine(string name, IReadOnlyList<double> x)
        {
            float[] weight = tensors.ReadF32($"{prefix}{name}.weight"), bias = tensors.ReadF32($"{prefix}{name}.bias");
            return [.. bias.Select((b, row) => b + x.Select((value, k) => value * weight[(row * x.Count) + k]).Sum())];
        }
    }
}

using System.Reflection;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>Where drafts stop, on sequences computed by hand; what a policy may see; the names.</summary>
public class PolicyTests
{
    [Theory]
    // S: -0.1, -0.3, -0.6, -1.0: the token that crossed T stays.
    [InlineData(-0.2f, 2)]
    [InlineData(-0.05f, 1)]
    [InlineData(-0.3f, 3)] // -0.3 is not below -0.3
    [InlineData(-0.9f, 4)]
    [InlineData(-5f, 4)]
    [InlineData(0f, 1)] // S_0 = 0 is not below 0
    [InlineData(0.01f, 0)]
    public void Threshold_stops_behind_the_token_that_crosses_it(float threshold, int expected) =>
        Assert.Equal(expected, Draft(new ThresholdPolicy(threshold, 4), planned: 0, [-0.1f, -0.2f, -0.3f, -0.4f]));

    [Fact]
    public void Threshold_stops_at_its_longest_draft()
    {
        Assert.Equal(3, Draft(new ThresholdPolicy(-100, 3), 0, [-0.1f, -0.1f, -0.1f, -0.1f, -0.1f]));
        Assert.Equal(0, Draft(new ThresholdPolicy(-100, 0), 0, [-0.1f]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void Fixed_lengths_are_kept_whatever_the_probabilities(int length)
    {
        var policy = new FixedLengthPolicy(length);
        Assert.Equal(length, policy.Plan(default));
        Assert.Equal((length, DraftNeeds.None), (policy.MaxDraft, policy.Needs));
        Assert.Equal(length, Draft(policy, length, [-9, -9, -9, -9, -9, -9, -9]));
    }

    [Theory]
    // Stop if i >= L and S_i < T, or i = k_max (4).
    [InlineData(0, null, 0)]
    [InlineData(2, null, 2)]
    [InlineData(4, null, 4)]
    [InlineData(0, -0.2f, 2)]
    [InlineData(1, -0.2f, 2)]
    [InlineData(3, -0.2f, 3)]
    [InlineData(0, -9f, 4)]
    [InlineData(0, 0.5f, 0)]
    [InlineData(2, 0.5f, 2)]
    public void Ldlp_drafts_its_length_and_on_while_the_threshold_allows(int length, float? threshold, int expected)
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using LdlpWeights weights = TinyPredictors.Load(pair.Target, 1, maxDraft: 4, outputBias: length, scale: 0);
        using var predictor = new DraftLengthPredictor(weights);
        var policy = new LdlpPolicy(predictor, threshold);
        int planned = policy.Plan(new PlanContext { Feature = new float[TinyModels.Config.HiddenSize], Token = 3, Root = 4, RootIndex = 0 });
        Assert.Equal(length, planned);
        Assert.Equal((4, threshold is not null), (policy.MaxDraft, policy.Needs == DraftNeeds.LogProbabilities));
        Assert.Equal(expected, Draft(policy, planned, [-0.1f, -0.2f, -0.3f, -0.4f, -0.5f, -0.6f]));
    }

    [Theory]
    [InlineData(-3.7f, 0)]
    [InlineData(0.4f, 0)]
    [InlineData(0.6f, 1)]
    [InlineData(1.49f, 1)]
    [InlineData(2.51f, 3)]
    [InlineData(3.4f, 3)]
    [InlineData(8.2f, 8)]
    [InlineData(1e30f, 8)]
    [InlineData(-1e30f, 0)]
    public void Predicted_lengths_are_rounded_and_held_within_the_longest(float y, int expected)
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using LdlpWeights weights = TinyPredictors.Load(pair.Target, 1, outputBias: y, scale: 0);
        using var predictor = new DraftLengthPredictor(weights);
        Assert.Equal(y, predictor.Predict(5, new float[TinyModels.Config.HiddenSize]));
        Assert.Equal(expected, predictor.PredictLength(5, new float[TinyModels.Config.HiddenSize]));
    }

    [Fact]
    public void A_threshold_goes_on_beyond_the_longest_prediction_to_k_max()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using LdlpWeights weights = TinyPredictors.Load(pair.Target, 1, maxDraft: 5, outputBias: 4.2f, scale: 0, longest: 2);
        using var predictor = new DraftLengthPredictor(weights);
        var policy = new LdlpPolicy(predictor, -9);
        int planned = policy.Plan(new PlanContext { Feature = new float[TinyModels.Config.HiddenSize], Token = 3, Root = 4, RootIndex = 0 });
        Assert.Equal((2, 5), (planned, policy.MaxDraft));
        Assert.Equal(5, Draft(policy, planned, [-0.1f, -0.2f, -0.3f, -0.4f, -0.5f, -0.6f]));
        Assert.Equal(2, Draft(new LdlpPolicy(predictor, null), planned, [-0.1f, -0.2f, -0.3f]));
    }

    [Fact]
    public void A_prediction_that_is_no_number_drafts_nothing()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using LdlpWeights weights = TinyPredictors.Load(pair.Target, 1);
        using var predictor = new DraftLengthPredictor(weights);
        float[] feature = new float[TinyModels.Config.HiddenSize];
        feature[3] = float.NaN;
        Assert.True(float.IsNaN(predictor.Predict(0, feature)));
        Assert.Equal(0, predictor.PredictLength(0, feature));
        // And the next prediction is not spoilt by it.
        Assert.True(float.IsFinite(predictor.Predict(0, new float[TinyModels.Config.HiddenSize])));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_predictor_computes_what_its_formula_says(int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random);
        using TinyPair pair = TinyModels.Load(config, seed);
        string folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        try
        {
            int width = random.Next(3, 40);
            TinyPredictors.Write(folder, config.HiddenSize, seed, width);
            using LdlpWeights weights = LdlpWeights.Load(folder, pair.Target);
            using var predictor = new DraftLengthPredictor(weights);
            using ITensorSource tensors = Checkpoint.Open(folder);
            for (int i = 0; i < 10; i++)
            {
                int token = random.Next(config.VocabularySize);
                float[] feature = [.. Enumerable.Range(0, config.HiddenSize).Select(_ => (4 * random.NextSingle()) - 2)];
                double expected = PredictInDouble(tensors, Embedding(pair.Target, token), feature);
                Assert.Equal(expected, predictor.Predict(token, feature), 1e-4 * (1 + Math.Abs(expected)));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_policy_sees_committed_context_the_draft_and_counts_and_nothing_else()
    {
        // Law 2 by the types: no logits, no generator, no uncommitted rows of the target can reach a policy.
        string[] plan = [.. typeof(PlanContext).GetProperties().Select(property => property.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(["Committed", "Feature", "Root", "RootIndex", "RootSignals", "Token"], plan);
        Type[] seen = [.. typeof(IDraftPolicy).GetMethods().SelectMany(method => method.GetParameters()).Select(parameter => parameter.ParameterType).Distinct()];
        Assert.Equal(
            [typeof(DraftTree), typeof(PlanContext).MakeByRefType(), typeof(RoundObservation).MakeByRefType(), typeof(int), typeof(Span<Expansion>), typeof(Span<int>)],
            seen.OrderBy(type => type.ToString(), StringComparer.Ordinal));
        Assert.All(typeof(RoundObservation).GetProperties(), property => Assert.Contains(property.PropertyType, (Type[])[typeof(int), typeof(double)]));
        Assert.All(
            typeof(DraftTree).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly),
            method => Assert.Contains(method.ReturnType, (Type[])[typeof(int), typeof(float), typeof(bool), typeof(DraftSignals), typeof(ReadOnlySpan<float>), typeof(void)]));
    }

    [Fact]
    public void Names_make_policies_and_come_back_as_their_names()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using LdlpWeights weights = TinyPredictors.Load(pair.Target, 1, maxDraft: 6);
        using var predictor = new DraftLengthPredictor(weights);
        var resources = new PolicyResources(predictor, 16);
        foreach (string name in (string[])["fixed:0", "fixed:16", "threshold:-0.6", "ldlp", "ldlp+threshold:-1.25"])
        {
            Assert.Equal(name, DraftPolicies.Create(name, resources).Name);
        }

        Assert.Equal(16, DraftPolicies.Create("threshold:-0.6", resources).MaxDraft);
        Assert.Equal(6, DraftPolicies.Create("ldlp", resources).MaxDraft);
        Assert.Equal(4, DraftPolicies.Create("threshold:-0.6", new PolicyResources(null, 4)).MaxDraft);
    }

    [Theory]
    [InlineData("fixed:17", "0 to 16")]
    [InlineData("fixed:-1", "0 to 16")]
    [InlineData("fixed:", "0 to 16")]
    [InlineData("fixed:2.5", "0 to 16")]
    [InlineData("threshold:", "must be a number")]
    [InlineData("threshold:NaN", "must be a number")]
    [InlineData("threshold:-Infinity", "must be a number")]
    [InlineData("threshold:0,6", "must be a number")]
    [InlineData("ldlp+threshold:x", "must be a number")]
    [InlineData("specdec++:2", "a number")]
    [InlineData("ldlp+", "Supported: ar, fixed:K, threshold:T, ldlp, ldlp+threshold:T")]
    [InlineData("Fixed:3", "Supported: ar")]
    [InlineData("", "Supported: ar")]
    public void Names_that_make_no_policy_are_refused_with_what_is_supported(string name, string message)
    {
        var resources = new PolicyResources(null, 16);
        ArgumentException failure = Assert.Throws<ArgumentException>(() => DraftPolicies.Create(name, resources));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.Equal(failure.Message, Assert.Throws<ArgumentException>(() => DraftPolicies.Check(name, resources)).Message);
    }

    [Theory]
    [InlineData("ldlp", "--predictor")]
    [InlineData("ldlp+threshold:-1", "--predictor")]
    [InlineData("specdec++", "--stop-head")]
    public void A_policy_whose_part_is_missing_says_which_and_its_name_is_all_right(string name, string message)
    {
        var resources = new PolicyResources(null, 16);
        Assert.Contains(message, Assert.Throws<MissingPartException>(() => DraftPolicies.Create(name, resources)).Message, StringComparison.Ordinal);
        DraftPolicies.Check(name, resources);
    }

    private static int Draft(ChainPolicy policy, int planned, float[] logProbabilities)
    {
        var draft = new DraftTree(logProbabilities.Length);
        while (draft.Count < logProbabilities.Length && policy.Extends(draft, planned))
        {
            draft.Add(0, draft.Count - 1, logProbabilities[draft.Count]);
        }

        return draft.Count;
    }

    private static unsafe float[] Embedding(LlamaModel model, int token)
    {
        float[] row = new float[model.Config.HiddenSize + 16];
        fixed (float* values = row)
        {
            model.Embedding.UnpackRow(token, values);
        }

        return row[..model.Config.HiddenSize];
    }

    private static double PredictInDouble(ITensorSource tensors, float[] embedding, float[] feature)
    {
        double[] y = Affine("input", [.. embedding.Concat(feature).Select(value => (double)value)]);
        for (int i = 0; i < LdlpWeights.Layers; i++)
        {
            double[] z = Affine($"blocks.{i}", y);
            y = [.. y.Zip(z, (a, b) => a + (b / (1 + Math.Exp(-b))))];
        }

        return Affine("output", y)[0];

        double[] Affine(string name, IReadOnlyList<double> x)
        {
            float[] weight = tensors.ReadF32(name + ".weight");
            float[] bias = tensors.ReadF32(name + ".bias");
            return [.. bias.Select((b, row) => b + x.Select((value, k) => value * weight[(row * x.Count) + k]).Sum())];
        }
    }
}

using AdaEagle.Bench.Models;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.BenchModels;

/// <summary>What inflation must not change of survival predictor and stop head, beside either kind of draft head: every number that they say, and so every draft of <c>auto</c>.</summary>
public class InflatedPredictorsTests
{
    private const int MaxNodes = 12;
    private const int LongestDraft = 5;

    private static readonly int[] s_text = [3, 17, 60, 1, 1, 42, 8, 23, 5];

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(1, true)]
    public void Predictions_and_drafts_are_the_originals(int widthExponent, bool eagle3)
    {
        using var folder = new TemporaryFolder();
        ModelConfig target = Tests.Models.TinyModels.Config with { HiddenSize = 32, HeadDimension = 8, LayerCount = 5, NormEpsilon = MathF.ScaleB(1, -17) };
        ModelConfig head = target with { LayerCount = 1, HeadCount = 3, KeyValueHeadCount = 1, Eagle3 = eagle3 ? new Eagle3Config { DraftVocabularySize = 24 } : null };
        Directory.CreateDirectory(folder["small"]);
        Tests.Models.TinyModels.WriteInto(folder["small"], target, 3, TensorType.BF16, head, scale: 0.15f, mimicry: 1);
        TinySurvivals.Write(Path.Combine(folder["small"], "survival"), 32, 4, maxDraft: LongestDraft, scale: 0.4f);
        TinyStopHeads.Write(Path.Combine(folder["small"], "stop"), 32, 5);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, widthExponent));
        File.WriteAllText(folder["costs.json"], """{"draft_step_seconds": 0.05, "verify_seconds": [1, 1.02, 1.04], "overhead_seconds": 0.01}""");

        Assert.Contains($"\"hidden_size\": {32 << (2 * widthExponent)},", File.ReadAllText(Path.Combine(folder["large"], "survival", "config.json")), StringComparison.Ordinal);

        // The narrow instruction sets take their time over the widest.
        foreach (KernelPath path in widthExponent < 2 ? KernelPaths.Available : [KernelPaths.Best])
        {
            Assert.Equal(Predictions(folder["small"], path), Predictions(folder["large"], path));
            (int[] Tokens, List<RoundRecord> Rounds) small = Auto(folder, "small", path), large = Auto(folder, "large", path);
            Assert.Equal(small.Tokens, large.Tokens);
            Assert.Equal(small.Rounds, large.Rounds);
            Assert.Contains(large.Rounds, round => round.Drafted > round.Depth);
            Assert.True(large.Rounds.Select(round => round.Depth).Distinct().Count() > 1, "The predictor tells roots apart.");
        }
    }

    [Fact]
    public void A_predictor_of_another_kind_is_refused()
    {
        using var folder = new TemporaryFolder();
        Tests.Models.TinyModels.WriteInto(folder.Path, Tests.Models.TinyModels.Config, 1);
        TinyPredictors.Write(folder["survival"], Tests.Models.TinyModels.Config.HiddenSize, 1);
        ModelFormatException refused = Assert.Throws<ModelFormatException>(() => SourceModel.Open(folder.Path));
        Assert.Equal((Path.Combine(folder["survival"], "config.json"), "adaeagle_kind"), (refused.File, refused.Item));
    }

    // Logits of plans at every position of the text, and of estimates after every step of drafts behind it.
    private static float[] Predictions(string folder, KernelPath path)
    {
        using var model = LlamaModel.Load(folder, path: path);
        using var head = EagleHead.Load(Path.Combine(folder, "eagle"), model);
        using var weights = SurvivalWeights.Load(Path.Combine(folder, "survival"), model);
        using var predictor = new SurvivalPredictor(weights);
        using var stopWeights = StopWeights.Load(Path.Combine(folder, "stop"), model);
        using var stop = new StopHead(stopWeights);
        var said = new List<float>();
        float[] plan = new float[LongestDraft];
        (float[][] features, _) = TargetStates.Of(head, s_text);
        for (int i = 0; i < s_text.Length - 1; i++)
        {
            predictor.Plan(s_text[i + 1], features[i], new DraftSignals(0.5f, 0.2f, 1.5f), 0.8f, plan);
            said.AddRange(plan);
        }

        using var pool = new WorkerPool(1);
        using var engine = new LlamaTarget(model, pool);
        using var eagle = new EagleDrafter(head, pool);
        using var decoder = new SpeculativeDecoder(engine, LongestDraft);
        Decoding.Speculative(decoder, new DecodingTask(s_text, SamplingOptions.Greedy, 20, []), eagle, new EstimatingPolicy(predictor, stop, said));
        Assert.All(said, value => Assert.InRange(value, -19, 19));
        Assert.True(said.Distinct().Count() > said.Count / 2);
        return [.. said];
    }

    // What auto decodes, which is what plain decoding does, and its rounds.
    private static (int[] Tokens, List<RoundRecord> Rounds) Auto(TemporaryFolder folder, string name, KernelPath path)
    {
        using var model = LlamaModel.Load(folder[name], path: path);
        using var head = EagleHead.Load(Path.Combine(folder[name], "eagle"), model);
        using var weights = SurvivalWeights.Load(Path.Combine(folder[name], "survival"), model);
        using var predictor = new SurvivalPredictor(weights);
        using var pool = new WorkerPool(1);
        using var engine = new LlamaTarget(model, pool);
        using var eagle = new EagleDrafter(head, pool);
        using var decoder = new SpeculativeDecoder(engine, MaxNodes);
        var task = new DecodingTask(s_text, SamplingOptions.Greedy, 30, []);
        var rounds = new List<RoundRecord>();
        int[] tokens = Decoding.Speculative(decoder, task, eagle, new AutoPolicy(predictor, DraftCosts.Read(folder["costs.json"], MaxNodes + 1), LongestDraft, MaxNodes), onRound: rounds.Add);
        Assert.Equal(Decoding.Plain(engine, task), tokens);
        return (tokens, rounds);
    }

    /// <summary>Drafts chains and notes what step estimator and stop head say of every token.</summary>
    private sealed class EstimatingPolicy(SurvivalPredictor predictor, StopHead stop, List<float> said) : ChainPolicy
    {
        public override string Name => "estimating";

        public override int MaxDraft => LongestDraft;

        public override DraftNeeds Needs => DraftNeeds.LogProbabilities | DraftNeeds.Signals | DraftNeeds.Hidden;

        public override int Plan(in PlanContext context) => LongestDraft;

        public override bool Extends(DraftTree draft, int planned) => draft.Count < planned;

        public override int Keep(DraftTree draft, int planned)
        {
            for (int node = 0; node < draft.Count; node++)
            {
                StepEstimate estimate = predictor.Estimate(
                    draft.Hidden(node - 1), new StepSignals(draft.Signals(node - 1), draft.CumulativeLogProbability(node), node + 1, 0.3f, -0.2f, 0));
                said.AddRange([estimate.Right, estimate.Next, (float)stop.Acceptance(draft.Hidden(node - 1))]);
            }

            return draft.Count;
        }
    }
}

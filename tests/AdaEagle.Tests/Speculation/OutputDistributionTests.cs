using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>
/// Lossless sampling, proved by enumeration: every path through the sampler's choices in the real round is taken once, with its exact weight, and
/// the distribution of outputs is compared with the plain one, the product of the target's own probabilities.
/// </summary>
public class OutputDistributionTests
{
    private const int Vocabulary = 4;
    private const int Horizon = 4;
    private const double Tolerance = 1e-12;

    public static TheoryData<string> Drafters => ["eagle", "constant", "by index"];

    [Theory]
    [MemberData(nameof(Drafters))]
    public void Outputs_have_the_distribution_of_plain_decoding(string kind)
    {
        using TinyPair pair = Model(out ModelConfig config);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 8, maxLogitRows: 8);
        using var decoder = new SpeculativeDecoder(target, Horizon);
        int[] prompt = [2, 0, 3];
        var everything = new SamplingOptions { Temperature = 1 };
        var filtered = new SamplingOptions { Temperature = 1.3f, TopK = 3, TopP = 0.9f };
        using IDrafter drafter = kind switch
        {
            "eagle" => new EagleDrafter(pair.Head, pool, Horizon),
            "constant" => new ScriptedDrafter(prompt, _ => 1),
            _ => new ScriptedDrafter(prompt, index => index % Vocabulary),
        };
        foreach (SamplingOptions sampling in (SamplingOptions[])[everything, filtered])
        {
            foreach (int? end in (int?[])[null, 1])
            {
                Dictionary<string, double> expected = Plain(target, prompt, sampling, end);
                Assert.Equal(1, expected.Values.Sum(), Tolerance);
                foreach (IDraftPolicy policy in (IDraftPolicy[])[new FixedLengthPolicy(0), new FixedLengthPolicy(1), new FixedLengthPolicy(3), new ThresholdPolicy(-1.2f, 4), new FirstThenNone()])
                {
                    Dictionary<string, double> actual = Speculative(decoder, prompt, sampling, end, drafter, policy);
                    Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
                    foreach ((string outcome, double probability) in expected)
                    {
                        Assert.True(Math.Abs(actual[outcome] - probability) < Tolerance, $"{policy.Name}, {sampling}: {outcome} has {actual[outcome]} instead of {probability}");
                    }
                }
            }
        }
    }

    [Fact]
    public void The_enumeration_sees_a_drafter_whose_tokens_are_simply_believed()
    {
        // The test's own power: emitting an accepted draft with another probability than the target's is far outside the tolerance.
        using TinyPair pair = Model(out _);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 8, maxLogitRows: 8);
        int[] prompt = [2, 0, 3];
        Dictionary<string, double> plain = Plain(target, prompt, new SamplingOptions { Temperature = 1 }, null);
        Dictionary<string, double> believed = plain.ToDictionary(pair => pair.Key, pair => pair.Key[1] == '1' ? pair.Value : 0);
        Assert.True(plain.Keys.Max(outcome => Math.Abs(plain[outcome] - believed[outcome])) > 1000 * Tolerance);
    }

    private static TinyPair Model(out ModelConfig config)
    {
        config = RandomModels.Target(new Random(12), Vocabulary) with { TieWordEmbeddings = false };
        return TinyModels.Load(config, 12, TensorType.F32, RandomModels.Head(new Random(5), config), scale: 0.3f, mimicry: 1);
    }

    /// <summary>Products of probabilities over all outputs of <see cref="Horizon"/> tokens, by one-row passes.</summary>
    private static Dictionary<string, double> Plain(LlamaTarget target, int[] prompt, SamplingOptions sampling, int? end)
    {
        var sampler = new Sampler(sampling);
        var outcomes = new Dictionary<string, double>();
        Extend([], 1);
        return outcomes;

        void Extend(int[] output, double probability)
        {
            if (output.Length == Horizon || (output.Length > 0 && output[^1] == end))
            {
                outcomes.Add(string.Join(",", output), probability);
                return;
            }

            int[] tokens = [.. prompt, .. output];
            using KvCache cache = target.CreateCache(tokens.Length);
            var rows = new PassRows(1);
            foreach (int token in tokens)
            {
                rows.Clear();
                rows.Add(cache, token);
                target.Forward(rows, PassRequest.AllLogits);
                cache.CommitFirst(1);
            }

            double[] probabilities = sampler.Probabilities(target.Logits(0));
            for (int token = 0; token < probabilities.Length; token++)
            {
                if (probabilities[token] > 0)
                {
                    Extend([.. output, token], probability * probabilities[token]);
                }
            }
        }
    }

    private static Dictionary<string, double> Speculative(
        SpeculativeDecoder decoder, int[] prompt, SamplingOptions sampling, int? end, IDrafter drafter, IDraftPolicy policy)
    {
        var outcomes = new Dictionary<string, double>();
        var sampler = new EnumeratingSampler(sampling);
        do
        {
            List<int> output = [decoder.Prefill(prompt, Horizon, sampler, token => token == end, drafter, policy, cancellation: TestContext.Current.CancellationToken)];
            while (output.Count < Horizon && output[^1] != end)
            {
                output.AddRange(decoder.Round(Horizon - output.Count, out _));
                decoder.CheckIntegrity(prompt.Length);
            }

            Assert.Equal(output.Count, sampler.Choices);
            outcomes.Add(string.Join(",", output), sampler.Weight);
        }
        while (sampler.Next());

        return outcomes;
    }

    /// <summary>Takes every path through the choices, one after the other; its weight is the product of the chosen tokens' probabilities.</summary>
    private sealed class EnumeratingSampler(SamplingOptions options) : ISampler
    {
        private readonly Sampler _sampler = new(options);
        private readonly List<(double[] Probabilities, int Chosen)> _path = [];

        public bool IsGreedy => false;

        /// <summary>Choices made on this path.</summary>
        public int Choices { get; private set; }

        public double Weight { get; private set; } = 1;

        public int Sample(ReadOnlySpan<float> logits, int index)
        {
            Assert.Equal(Choices, index);
            double[] probabilities = _sampler.Probabilities(logits);
            if (Choices == _path.Count)
            {
                _path.Add((probabilities, NextPossible(probabilities, 0)));
            }

            // The same prefix has the same probabilities, whatever was drafted.
            Assert.Equal(_path[Choices].Probabilities, probabilities);
            int chosen = _path[Choices++].Chosen;
            Weight *= probabilities[chosen];
            return chosen;
        }

        /// <summary>Goes on to the next path; false if there is none.</summary>
        public bool Next()
        {
            (Choices, Weight) = (0, 1);
            while (_path.Count > 0)
            {
                (double[] probabilities, int chosen) = _path[^1];
                _path.RemoveAt(_path.Count - 1);
                if (NextPossible(probabilities, chosen + 1) is int next and >= 0)
                {
                    _path.Add((probabilities, next));
                    return true;
                }
            }

            return false;
        }

        private static int NextPossible(double[] probabilities, int from)
        {
            int next = Array.FindIndex(probabilities, from, probability => probability > 0);
            return next;
        }
    }

    private sealed class FirstThenNone : ChainPolicy
    {
        public override string Name => "first, then none";

        public override int MaxDraft => 3;

        public override int Plan(in PlanContext context) => context.RootIndex == 0 ? 2 : 0;

        public override bool Extends(DraftTree draft, int planned) => draft.Count < planned;
    }
}

using AdaEagle.Generation;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Generation;

/// <summary>Law 7: from round to round the decode loop allocates nothing, streamed strings aside.</summary>
public class AllocationTests
{
    public static TheoryData<string, float, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, float, int>();
            foreach (string policy in (string[])["fixed:0", "fixed:1", "fixed:5", "threshold:-1", "ldlp", "ldlp+threshold:-0.6", "eagle2:20,3,4", "tree:eagle1", "comb:4,2", "auto", "auto:chain"])
            {
                cases.Add(policy, 0, 1);
                cases.Add(policy, 0.9f, 1);
            }

            cases.Add("ldlp+threshold:-0.6", 0, 2);
            cases.Add("fixed:3", 0.9f, 2);
            foreach (string rule in (string[])["p-min:0.2", "svip:0.5", "adaedl", "hf-heuristic:3:0.2", "hf-adaptive:0.3", "ema-tiers", "bucket", "ucb", "position-argmax", "specdec++:0.6", "survival-rank", "opt-tree:20,4,3:0.1", "cape:3"])
            {
                cases.Add(rule, 0, 1);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rounds_allocate_nothing(string policy, float temperature, int threads)
    {
        using var tiny = new TinyLanguage(1, survival: true, threads: threads);
        using var session = new GenerationSession(tiny.Model);
        // Across the edges of several cache blocks; with every filter.
        int[] prompt = tiny.Prompt(new Random(1), 50);
        var options = new GenerationOptions
        {
            MaxTokens = 120, StopAtEndToken = false, Sampling = new SamplingOptions { Temperature = temperature, TopK = 20, TopP = 0.95f, MinP = 0.01f, Seed = 3 },
        };
        AssertNothingIsAllocated(session, prompt, options, () => DraftPolicies.Create(policy, session.PolicyResources));
    }

    [Theory]
    [InlineData("ngram")]
    [InlineData("model")]
    public void Rounds_of_other_drafters_allocate_nothing(string drafter)
    {
        using var tiny = new TinyLanguage(1, head: false);
        using LanguageModel model = LanguageModel.Load(tiny.Folder, new LoadOptions { Threads = 1, Drafter = drafter, DraftFolder = drafter == "model" ? tiny.Folder : null });
        using var session = new GenerationSession(model);
        var options = new GenerationOptions { MaxTokens = 120, StopAtEndToken = false, Sampling = new SamplingOptions { Temperature = 0.9f, Seed = 3 } };
        AssertNothingIsAllocated(session, tiny.Prompt(new Random(1), 50), options, () => DraftPolicies.Create("fixed:3", session.PolicyResources));
    }

    [Fact]
    public void Rounds_that_look_for_end_tokens_allocate_nothing()
    {
        using var tiny = new TinyLanguage(3);
        using var session = new GenerationSession(tiny.Model);
        // A prompt whose plain output is long without an end token.
        var random = new Random(3);
        var options = new GenerationOptions { MaxTokens = 100 };
        int[] prompt = Enumerable.Range(0, 200).Select(_ => tiny.Prompt(random, 5))
            .First(candidate => session.Generate(candidate, options, (IDraftPolicy?)null, null, CancellationToken.None).Tokens.Count > 40);
        AssertNothingIsAllocated(session, prompt, options, () => new FixedLengthPolicy(2));
    }

    [Fact]
    public void The_test_sees_what_is_allocated()
    {
        using var tiny = new TinyLanguage(1);
        using var session = new GenerationSession(tiny.Model);
        var watching = new WatchingPolicy(new WastefulPolicy(), 130);
        session.Generate([1, 2, 3], new GenerationOptions { MaxTokens = 20, StopAtEndToken = false }, watching, null, TestContext.Current.CancellationToken);
        Assert.All(watching.AllocatedBetweenRounds, bytes => Assert.True(bytes >= 24));
    }

    // The first generations compile, and take cache blocks that later ones use again. What the runtime allocates for itself now and then (tables of
    // casts that grow, what a contended lock needs) falls on any thread, but not in every generation; what the loop allocates does.
    private static void AssertNothingIsAllocated(GenerationSession session, int[] prompt, GenerationOptions options, Func<IDraftPolicy> policy)
    {
        long[] allocated = [];
        for (int i = 0; i < 10; i++)
        {
            var watching = new WatchingPolicy(policy(), 130);
            session.Generate(prompt, options, watching, null, TestContext.Current.CancellationToken);
            Assert.True(watching.Rounds > 10);
            allocated = [.. watching.AllocatedBetweenRounds];
            if (i > 0 && allocated.All(bytes => bytes == 0))
            {
                return;
            }
        }

        Assert.Fail($"Bytes from round to round: {string.Join(", ", allocated)}");
    }

    private sealed class WastefulPolicy : ChainPolicy
    {
        private object? _waste;

        public override string Name => "wasteful";

        public override int MaxDraft => 1;

        public override int Plan(in PlanContext context)
        {
            _waste = new object();
            return 1;
        }

        public override bool Extends(DraftTree draft, int planned) => draft.Count < planned && _waste is not null;
    }

    /// <summary>Another policy, and what was allocated between its rounds: the whole of the loop, the collecting of tokens too.</summary>
    private sealed class WatchingPolicy(IDraftPolicy policy, int mostRounds) : IDraftPolicy
    {
        private readonly long[] _allocated = new long[mostRounds];

        public int Rounds { get; private set; }

        public IEnumerable<long> AllocatedBetweenRounds => Enumerable.Range(1, Rounds - 1).Select(round => _allocated[round] - _allocated[round - 1]);

        public string Name => policy.Name;

        public int MaxDraft => policy.MaxDraft;

        public int MaxPool => policy.MaxPool;

        public DraftNeeds Needs => policy.Needs;

        public int Plan(in PlanContext context) => policy.Plan(context);

        public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes) => policy.NextNodes(pool, planned, nodes);

        public int SelectNodes(DraftTree pool, int planned, Span<int> keep) => policy.SelectNodes(pool, planned, keep);

        public void Observe(in RoundObservation round)
        {
            policy.Observe(round);
            _allocated[Rounds++] = GC.GetAllocatedBytesForCurrentThread();
        }
    }
}

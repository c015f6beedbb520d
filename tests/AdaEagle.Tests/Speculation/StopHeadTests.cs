using AdaEagle.Formats;
using AdaEagle.Generation;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>The stop head computes what its formula says and refuses what is not its own; <c>specdec++</c> stops where the product of what it says asks for.</summary>
public class StopHeadTests
{
    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 1)]
    public void An_acceptance_is_what_the_formula_says(int seed, int layers)
    {
        var random = new Random(seed);
        using TinyPair pair = TinyModels.Load(TinyModels.Config, seed);
        using var folder = new TemporaryFolder();
        TinyStopHeads.Write(folder.Path, 48, seed, width: random.Next(3, 30), layers: layers);
        using StopWeights weights = StopWeights.Load(folder.Path, pair.Target);
        using var head = new StopHead(weights);
        using ITensorSource tensors = Checkpoint.Open(folder.Path);
        for (int i = 0; i < 5; i++)
        {
            float[] output = [.. Enumerable.Range(0, 48).Select(_ => (4 * random.NextSingle()) - 2)];
            double[] y = Affine("input", [.. output.Select(value => (double)value)]);
            for (int block = 0; block < layers; block++)
            {
                y = [.. y.Zip(Affine($"blocks.{block}", y), (a, b) => a + (b / (1 + Math.Exp(-b))))];
            }

            Assert.Equal(1 / (1 + Math.Exp(-Affine("output", y)[0])), head.Acceptance(output), 1e-5);
        }

        float[] none = new float[48];
        none[7] = float.NaN;
        Assert.Equal(0, head.Acceptance(none));

        double[] Affine(string name, double[] x)
        {
            float[] weight = tensors.ReadF32(name + ".weight"), bias = tensors.ReadF32(name + ".bias");
            return [.. bias.Select((b, row) => b + x.Select((value, k) => value * weight[(row * x.Length) + k]).Sum())];
        }
    }

    [Theory]
    // Products: 0.9, 0.72, 0.648; 0.5; 0.99, 0.9801, ….
    [InlineData("specdec++", 3, 0.9, 0.8, 0.9, 0.9)]
    [InlineData("specdec++:0.2", 2, 0.9, 0.8, 0.9, 0.9)]
    [InlineData("specdec++:0.4", 4, 0.9, 0.8, 0.9, 0.9, 0.9)]
    [InlineData("specdec++:0.3", 1, 0.5, 0.9)]
    [InlineData("specdec++:0", 1, 0.99, 0.99)]
    [InlineData("specdec++:1", 6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)]
    [InlineData("specdec++:0.05", 6, 0.999, 0.999, 0.999, 0.999, 0.999, 0.999, 0.999)]
    public void It_stops_where_a_rejection_is_likelier_than_the_threshold_and_that_token_stays(string name, int expected, params double[] acceptances)
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        using StopWeights weights = TinyStopHeads.LoadEcho(pair.Target, maxDraft: 6);
        using var head = new StopHead(weights);
        var policy = Assert.IsType<SpecDecPolicy>(DraftPolicies.Create(name, new PolicyResources(null, 8) { StopHead = head }));
        Assert.Equal(6, policy.MaxDraft);
        var draft = new DraftTree(8);
        float[] output = new float[48];
        for (int round = 0; round < 2; round++)
        {
            draft.Clear();
            int planned = policy.Plan(default);
            while (policy.Extends(draft, planned))
            {
                double acceptance = acceptances[draft.Count];
                output[0] = (float)Math.Log(acceptance / (1 - acceptance));
                draft.Expand(draft.Count - 1);
                draft.SetHidden(draft.Count - 1, output);
                draft.Add(5, draft.Count - 1, 0);
            }

            Assert.Equal((expected, expected), (draft.Count, policy.Keep(draft, planned)));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_changes_no_token_and_is_rehearsed_as_it_decodes(int seed)
    {
        var random = new Random(400 + seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 11) with { TieWordEmbeddings = false };
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random), RandomModels.Head(random, config), scale: 0.15f, mimicry: 1);
        using StopWeights weights = TinyStopHeads.Load(pair.Target, seed, scale: 0.8f);
        using var head = new StopHead(weights);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var shared = new EagleDrafter(pair.Head, pool, 256);
        using var decoder = new SpeculativeDecoder(target, 8);
        IDraftPolicy[] policies = [.. ((string[])["specdec++:0.3", "specdec++:0.6", "specdec++:0.9"]).Select(name => DraftPolicies.Create(name, new PolicyResources(null, 8) { StopHead = head }))];
        var costs = new TreeCosts(new RoundCosts([0, 1], [10, 11], 0, [1, 1]), [], [], []);
        using var rehearsal = new Rehearsal(pair.Target, shared, pool, policies, _ => costs);
        var lengths = new HashSet<int>();
        int[] passes = new int[policies.Length], drafted = new int[policies.Length];
        for (int i = 0; i < 4; i++)
        {
            var task = new DecodingTask(
                RandomModels.Tokens(random, 11, random.Next(1, 40)), i % 2 == 0 ? SamplingOptions.Greedy : new SamplingOptions { Temperature = 0.9f, Seed = (ulong)i }, 40, i == 3 ? [4] : []);
            int[] output = Decoding.Plain(target, task);
            rehearsal.Play(task.Prompt, output, task.MaxTokens, task.Ends(output[^1]), cancellation: TestContext.Current.CancellationToken);
            for (int policy = 0; policy < policies.Length; policy++)
            {
                Assert.Equal(output, Decoding.Speculative(decoder, task, eagle, policies[policy], onRound: round => lengths.Add(round.Drafted)));
                (passes[policy], drafted[policy]) = (passes[policy] + decoder.Passes - 1, drafted[policy] + decoder.Drafted);
                Assert.Equal((passes[policy], drafted[policy]), (rehearsal.Policies[policy].Rounds, rehearsal.Policies[policy].Drafted));
            }
        }

        Assert.True(lengths.Count > 2, string.Join(' ', lengths));
    }

    [Fact]
    public void A_model_folder_brings_its_own_and_without_one_the_policy_says_what_is_missing()
    {
        using var model = new Cli.TinyCliModel();
        using (LanguageModel without = model.Load())
        {
            var failure = Assert.Throws<MissingPartException>(() => without.Generate("ab", new GenerationOptions { Policy = "specdec++", MaxTokens = 4 }, TestContext.Current.CancellationToken));
            Assert.Contains("--kind stop", failure.Message, StringComparison.Ordinal);
        }

        TinyStopHeads.Write(Path.Combine(model.Folder, "stop"), TinyModels.Config.HiddenSize, 1);
        using LanguageModel with = model.Load();
        GenerationOptions options = new() { MaxTokens = 40 };
        Assert.Equal(
            with.Generate("ab", options with { Policy = "ar" }, TestContext.Current.CancellationToken).Tokens,
            with.Generate("ab", options with { Policy = "specdec++:0.6" }, TestContext.Current.CancellationToken).Tokens);
        var other = Assert.Throws<MissingPartException>(() => with.Generate("ab", options with { Policy = "specdec++", Drafter = "ngram" }, TestContext.Current.CancellationToken));
        Assert.Contains("EAGLE head", other.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"adaeagle_kind": "ldlp", "hidden_size": 48, "width": 9, "layers": 3, "k_max": 8}""", "adaeagle_kind")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 47, "width": 9, "layers": 3, "k_max": 8}""", "hidden_size")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 48, "width": 0, "layers": 3, "k_max": 8}""", "width")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 48, "width": 4294967296, "layers": 3, "k_max": 8}""", "width")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 48, "width": 9, "layers": 1000000, "k_max": 8}""", "layers")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 48, "width": 9, "layers": 3, "k_max": 65}""", "k_max")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 48, "width": 9, "layers": 3, "k_max": "8"}""", "k_max")]
    [InlineData("""{"adaeagle_kind": "stop", "hidden_size": 48, "width": 9, "k_max": 8}""", "layers")]
    [InlineData("""[1]""", "adaeagle_kind")]
    [InlineData("""{""", null)]
    public void Its_configuration_is_checked(string json, string? item)
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        TinyStopHeads.Write(folder.Path, 48, 1);
        folder.Write("config.json", json);
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => StopWeights.Load(folder.Path, pair.Target).Dispose());
        Assert.Equal((folder.File("config.json"), item), (failure.File, failure.Item));
    }

    [Theory]
    [InlineData("\"width\": 9", "\"width\": 10", "input.weight")]
    [InlineData("\"layers\": 3", "\"layers\": 4", "blocks.3.weight")]
    [InlineData("\"layers\": 3", "\"layers\": 2", "blocks.2")]
    public void Its_weights_are_checked(string said, string instead, string tensor)
    {
        using var folder = new TemporaryFolder();
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 1);
        TinyStopHeads.Write(folder.Path, 48, 1);
        folder.Write("config.json", File.ReadAllText(folder.File("config.json")).Replace(said, instead, StringComparison.Ordinal));
        ModelFormatException failure = Assert.Throws<ModelFormatException>(() => StopWeights.Load(folder.Path, pair.Target).Dispose());
        Assert.Contains(tensor, failure.Message, StringComparison.Ordinal);
    }
}

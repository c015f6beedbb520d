using System.Text.Json;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>EAGLE-2's dynamic trees and EAGLE-1's static one, round by round over whole generations, against EAGLE's own code.</summary>
public class EagleTreeFixturesTests(ITestOutputHelper output)
{
    // Path probabilities are summed in float32, in another order: nodes so close may take each other's place (the fixtures' page).
    private const float Near = 1e-4f;

    [Fact]
    public void Dynamic_trees_agree_with_EAGLE()
    {
        (int runs, int rounds, int trees, int same, int parted) = (0, 0, 0, 0, 0);
        foreach (EagleFixture fixture in EagleFixture.All(output))
        {
            using (fixture)
            {
                foreach (JsonElement setting in fixture.Expected("expected.json").GetProperty("settings").EnumerateArray())
                {
                    var policy = new Eagle2Policy(setting.GetProperty("total_token").GetInt32(), setting.GetProperty("depth").GetInt32(), setting.GetProperty("top_k").GetInt32());
                    foreach (JsonElement run in setting.GetProperty("runs").EnumerateArray())
                    {
                        bool whole = CheckRun(fixture, policy, setting.GetProperty("depth").GetInt32() + 1, run, (decoder, round) =>
                        {
                            rounds++;
                            if (!round.TryGetProperty("tokens", out _))
                            {
                                return true;
                            }

                            trees++;
                            bool equal = round.Ints("tokens")[1..].SequenceEqual(Tokens(Draft(decoder))) && round.Ints("parents")[1..].SequenceEqual(Parents(Draft(decoder)));
                            same += equal ? 1 : 0;
                            return equal || DiffersInNearTies(decoder, round, $"{fixture.Name}, {policy.Name}, round {rounds}");
                        });
                        runs++;
                        parted += whole ? 0 : 1;
                    }
                }
            }
        }

        output.WriteLine($"{runs} runs, {rounds} rounds, {trees} trees, {same} of them the same in every place; {parted} runs left the reference at a near-tie");
        Fixtures.RequireCases("eagle (dynamic trees)", runs);
        Assert.True(parted * 10 <= runs, $"{parted} of {runs} runs left the reference.");
        Assert.True(same * 10 >= trees * 9, $"{same} of {trees} trees are the same in every place.");
    }

    [Fact]
    public void Static_trees_agree_with_EAGLE()
    {
        (int runs, int parted) = (0, 0);
        foreach (EagleFixture fixture in EagleFixture.All(output))
        {
            using (fixture)
            {
                if (!fixture.Has("expected_static_tree.json"))
                {
                    output.WriteLine($"skipped: {fixture.Name} has no static tree");
                    continue;
                }

                JsonElement expected = fixture.Expected("expected_static_tree.json");
                int[][] paths = [.. expected.GetProperty("paths").EnumerateArray().Select(path => path.EnumerateArray().Select(rank => rank.GetInt32()).ToArray())];
                IDraftPolicy policy = DraftPolicies.Create("tree:eagle1", new PolicyResources(null, 16));
                Assert.Equal(paths.Length, policy.MaxDraft);
                foreach (JsonElement run in expected.GetProperty("runs").EnumerateArray())
                {
                    bool whole = CheckRun(fixture, policy, paths.Max(path => path.Length), run, (decoder, round) =>
                    {
                        Assert.Equal(expected.Ints("parents")[1..].Select(parent => parent - 1), Parents(Draft(decoder)).Select(parent => parent - 1));
                        DraftTree draft = Draft(decoder);
                        Assert.Equal(paths.Select(path => path[^1]), Enumerable.Range(0, draft.Count).Select(draft.Rank));
                        return round.Ints("tokens")[1..].SequenceEqual(Tokens(Draft(decoder)));
                    });
                    runs++;
                    parted += whole ? 0 : 1;
                }
            }
        }

        output.WriteLine($"{runs} runs, {parted} left the reference at a near-tie");
        Fixtures.RequireCases("eagle (static trees)", runs);
        Assert.True(parted * 4 <= runs, $"{parted} of {runs} runs left the reference.");
    }

    /// <summary>Runs a generation beside the reference's; false if it left it, at a round whose tree or accepted length is another.</summary>
    private static bool CheckRun(EagleFixture fixture, IDraftPolicy policy, int levels, JsonElement run, Func<SpeculativeDecoder, JsonElement, bool> agrees)
    {
        int[] prompt = run.Ints("prompt_ids");
        int[] expected = run.Ints("output_ids");
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(fixture.Target, pool, maxLogitRows: 64);
        using var drafter = new EagleDrafter(fixture.Head, pool);
        using var decoder = new SpeculativeDecoder(target, 63, maxPool: 1024);
        // The reference cuts neither at an end token nor at the limit inside a round.
        List<int> actual = [decoder.Prefill(prompt, expected.Length + levels, new Sampler(SamplingOptions.Greedy), _ => false, drafter, policy, cancellation: TestContext.Current.CancellationToken)];
        foreach (JsonElement round in run.GetProperty("rounds").EnumerateArray())
        {
            int root = actual[^1];
            actual.AddRange(decoder.Round(levels + 1, out RoundRecord record));
            decoder.CheckIntegrity(prompt.Length);
            if ((round.TryGetProperty("tokens", out _) && round.Ints("tokens")[0] != root) || !agrees(decoder, round) || round.GetProperty("accepted").GetInt32() != record.Accepted)
            {
                return false;
            }
        }

        // The token that the last round sampled is not in the reference's output: the next round would have begun with it.
        Assert.Equal(expected, actual[..^1]);
        return true;
    }

    /// <summary>True if every path that is in one tree alone has a score that is all but that of the least likely one.</summary>
    private static bool DiffersInNearTies(SpeculativeDecoder decoder, JsonElement round, string what)
    {
        Dictionary<string, float> pool = Scores(decoder.LastPool), draft = Scores(Draft(decoder));
        HashSet<string> expected = Paths(round.Ints("tokens"), round.Ints("parents"));
        Assert.Equal(expected.Count, draft.Count);
        float least = draft.Values.Min();
        foreach (string path in expected.Except(draft.Keys).Concat(draft.Keys.Except(expected)))
        {
            if (!pool.TryGetValue(path, out float score))
            {
                // The beam itself parted at a near-tie.
                return false;
            }

            Assert.True(MathF.Abs(score - least) < Near * (1 + MathF.Abs(least)), $"{what}: {path} has {score}, the least likely node {least}");
        }

        return true;
    }

    // In the reference's order, which is the pool's; here rows have the chain of best children first.
    private static DraftTree Draft(SpeculativeDecoder decoder)
    {
        var draft = new DraftTree(decoder.LastDraft.Count);
        draft.Take(decoder.LastPool, decoder.LastKept.ToArray().Order().ToArray());
        return draft;
    }

    private static Dictionary<string, float> Scores(DraftTree tree)
    {
        var scores = new Dictionary<string, float>();
        string[] paths = new string[tree.Count];
        for (int node = 0; node < tree.Count; node++)
        {
            paths[node] = (tree.Parent(node) < 0 ? "" : paths[tree.Parent(node)] + " ") + tree.Token(node);
            scores.Add(paths[node], tree.CumulativeLogProbability(node));
        }

        return scores;
    }

    private static HashSet<string> Paths(int[] tokens, int[] parents)
    {
        string[] paths = new string[tokens.Length];
        paths[0] = "";
        for (int node = 1; node < tokens.Length; node++)
        {
            paths[node] = $"{paths[parents[node]]} {tokens[node]}".TrimStart();
        }

        return [.. paths[1..]];
    }

    private static IEnumerable<int> Tokens(DraftTree tree) => Enumerable.Range(0, tree.Count).Select(tree.Token);

    // The reference numbers the root too.
    private static IEnumerable<int> Parents(DraftTree tree) => Enumerable.Range(0, tree.Count).Select(node => tree.Parent(node) + 1);
}

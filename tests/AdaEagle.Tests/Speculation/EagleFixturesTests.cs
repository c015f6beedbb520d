using System.Text.Json;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>EAGLE-1 and EAGLE-3 heads against EAGLE's own code: forward, chains, resynchronisation over whole generations, run lengths.</summary>
public class EagleFixturesTests(ITestOutputHelper output)
{
    [Fact]
    public void Head_rows_and_best_tokens_agree_with_EAGLE()
    {
        int cases = 0;
        foreach (EagleFixture fixture in EagleFixture.All(output))
        {
            using (fixture)
            {
                foreach (JsonElement one in fixture.Expected("expected.json").GetProperty("forward").EnumerateArray())
                {
                    CheckForward(fixture, one);
                    cases++;
                }
            }
        }

        Fixtures.RequireCases("eagle (forward)", cases);
    }

    [Fact]
    public void Chains_of_whole_generations_agree_with_EAGLE()
    {
        (int runs, int rounds, int parted) = (0, 0, 0);
        foreach (EagleFixture fixture in EagleFixture.All(output))
        {
            using (fixture)
            {
                foreach (JsonElement setting in fixture.Expected("expected.json").GetProperty("settings").EnumerateArray())
                {
                    if (setting.GetProperty("top_k").GetInt32() != 1)
                    {
                        output.WriteLine($"skipped: {fixture.Name}, trees of top_k {setting.GetProperty("top_k")}");
                        continue;
                    }

                    foreach (JsonElement run in setting.GetProperty("runs").EnumerateArray())
                    {
                        (int checkedRounds, bool whole) = CheckChainRun(fixture, setting, run);
                        rounds += checkedRounds;
                        runs++;
                        parted += whole ? 0 : 1;
                    }
                }
            }
        }

        output.WriteLine($"{runs} runs, {rounds} rounds, {parted} runs left the reference at a near-tie");
        Fixtures.RequireCases("eagle (chains)", runs);
        Assert.True(parted * 4 <= runs, $"{parted} of {runs} runs left the reference.");
    }

    [Fact]
    public void Run_lengths_agree_with_EAGLE()
    {
        (int positions, int parted) = (0, 0);
        foreach (EagleFixture fixture in EagleFixture.All(output))
        {
            using (fixture)
            {
                if (!fixture.Has("expected_run_lengths.json"))
                {
                    output.WriteLine($"skipped: {fixture.Name} has no run lengths");
                    continue;
                }

                JsonElement expected = fixture.Expected("expected_run_lengths.json");
                foreach (JsonElement run in expected.GetProperty("runs").EnumerateArray())
                {
                    Recording recording = Record(fixture, run.Ints("prompt_ids"), run.Ints("output_ids"), expected.GetProperty("k_max").GetInt32());
                    foreach (JsonElement position in run.GetProperty("positions").EnumerateArray())
                    {
                        positions++;
                        parted += CheckPosition(fixture.Name, recording, position) ? 0 : 1;
                    }
                }
            }
        }

        output.WriteLine($"{positions} positions, {parted} drafts left the reference at a near-tie");
        Fixtures.RequireCases("eagle (run lengths)", positions);
        Assert.True(parted * 50 <= positions, $"{parted} of {positions} drafts left the reference.");
    }

    [Fact]
    public void Every_policy_accepts_what_the_recorded_run_lengths_say()
    {
        int runs = 0;
        foreach (EagleFixture fixture in EagleFixture.All(output))
        {
            using (fixture)
            using (var pool = new WorkerPool(1))
            using (var target = new LlamaTarget(fixture.Target, pool))
            using (var drafter = new EagleDrafter(fixture.Head, pool, 8))
            using (var decoder = new SpeculativeDecoder(target, 8))
            {
                JsonElement expected = fixture.Expected("expected_run_lengths.json");
                int most = expected.GetProperty("k_max").GetInt32();
                using LdlpWeights weights = TinyPredictors.Load(fixture.Target, 3, maxDraft: most);
                using var predictor = new DraftLengthPredictor(weights);
                int Predicted(Chain root) => Math.Clamp((int)MathF.Round(predictor.Predict(root.ParentToken, root.ParentFeature)), 0, most);
                foreach (JsonElement run in expected.GetProperty("runs").EnumerateArray())
                {
                    // Recorded on our own plain output: the replay is exact, whatever near-ties part us from the reference.
                    int[] prompt = run.Ints("prompt_ids");
                    var task = new DecodingTask(prompt, SamplingOptions.Greedy, run.Ints("output_ids").Length, fixture.Target.Config.EosTokens);
                    Recording recording = Record(fixture, prompt, Decoding.Plain(target, task), most);
                    foreach (int k in (int[])[0, 1, 3, most])
                    {
                        CheckReplay(decoder, drafter, task, recording, new FixedLengthPolicy(k), _ => k);
                    }

                    foreach (float threshold in (float[])[-0.3f, -1.5f])
                    {
                        CheckReplay(decoder, drafter, task, recording, new ThresholdPolicy(threshold, most), root => WithThreshold(root.Sums, 0, threshold));
                        CheckReplay(decoder, drafter, task, recording, new LdlpPolicy(predictor, threshold), root => WithThreshold(root.Sums, Predicted(root), threshold));
                    }

                    CheckReplay(decoder, drafter, task, recording, new LdlpPolicy(predictor, null), Predicted);

                    runs++;
                }
            }
        }

        Fixtures.RequireCases("eagle (replay)", runs);
    }

    private static void CheckForward(EagleFixture fixture, JsonElement one)
    {
        int[] inputs = one.Ints("input_ids");
        int[] next = one.Ints("next_token_ids");
        (float[][] features, float[][] states) = TargetStates.Of(fixture.Head, inputs);
        FixtureNumbers.Close(one.Floats("target_features_last"), features[^1], $"{fixture.Name}: feature");
        if (fixture.Head.IsEagle3)
        {
            FixtureNumbers.Close(one.Floats("aux_last"), states[^1], $"{fixture.Name}: boundaries");
        }

        using var pool = new WorkerPool(1);
        using var runner = new EagleHeadRunner(fixture.Head, pool, inputs.Length);
        using KvCache cache = runner.CreateCache(inputs.Length);
        var rows = new PassRows(inputs.Length);
        for (int i = 0; i < inputs.Length; i++)
        {
            rows.Add(cache, next[i], i - 1);
            states[i].CopyTo(runner.TargetInput(i));
        }

        runner.ForwardCommitted(rows, logitRows: 1);
        float[][] hidden = [.. one.GetProperty("head_hidden").EnumerateArray().Select(row => row.EnumerateArray().Select(value => value.GetSingle()).ToArray())];
        for (int i = 0; i < hidden.Length; i++)
        {
            int row = inputs.Length - hidden.Length + i;
            FixtureNumbers.Close(hidden[i], runner.Output(row), $"{fixture.Name}: head output of row {row}");
        }

        // The same through the drafter: its best eight tokens and their log-probabilities.
        using var drafter = new EagleDrafter(fixture.Head, pool, 4);
        drafter.Reset(inputs.Length, 0);
        for (int i = 0; i < inputs.Length; i++)
        {
            drafter.Commit(states[i], next[i]);
        }

        int[] ids = one.Ints("head_top8_target_ids");
        float[] probabilities = one.Floats("head_top8_logprobs");
        var best = new DraftTree(ids.Length);
        drafter.Expand(best, [new Expansion(-1, ids.Length)], DraftNeeds.LogProbabilities);
        FixtureNumbers.Close(probabilities, [.. Enumerable.Range(0, best.Count).Select(best.LogProbability)], $"{fixture.Name}: log-probabilities");
        for (int i = 0; i < ids.Length; i++)
        {
            // Two of nearly the same probability may change places.
            bool tie = best.FindChild(-1, ids[i]) is int node and >= 0 && FixtureNumbers.IsClose(best.LogProbability(node), best.LogProbability(i));
            Assert.True(best.Token(i) == ids[i] || tie, $"{fixture.Name}: number {i} of the best is {best.Token(i)} instead of {ids[i]}");
        }
    }

    /// <summary>Rounds two and later are right only if the head's cache follows the target's features of the accepted rows.</summary>
    private static (int Rounds, bool Whole) CheckChainRun(EagleFixture fixture, JsonElement setting, JsonElement run)
    {
        int[] prompt = run.Ints("prompt_ids");
        int[] expected = run.Ints("output_ids");
        int length = run.GetProperty("first_tree").Ints("tokens").Length - 1;
        Assert.Equal(setting.GetProperty("depth").GetInt32() + 1, length);

        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(fixture.Target, pool);
        using var drafter = new EagleDrafter(fixture.Head, pool, length);
        using var decoder = new SpeculativeDecoder(target, length);
        // The reference cuts neither at an end token nor at the limit inside a round.
        List<int> actual = [decoder.Prefill(prompt, expected.Length + length, new Sampler(SamplingOptions.Greedy), _ => false, drafter, new FixedLengthPolicy(length))];
        int rounds = 0;
        foreach (JsonElement round in run.GetProperty("rounds").EnumerateArray())
        {
            int root = actual[^1];
            actual.AddRange(decoder.Round(length + 1, out RoundRecord record));
            decoder.CheckIntegrity(prompt.Length);
            int[] drafted = [root, .. Enumerable.Range(0, decoder.LastDraft.Count).Select(decoder.LastDraft.Token)];
            if ((round.TryGetProperty("tokens", out _) && !round.Ints("tokens").AsSpan().SequenceEqual(drafted)) || round.GetProperty("accepted").GetInt32() != record.Accepted)
            {
                // A near-tie in the head's logits, or in the target's, may part us; outputs stay the target's own.
                return (rounds, false);
            }

            rounds++;
        }

        // The token that the last round sampled is not in the reference's output: the next round would have begun with it.
        Assert.Equal(expected.Length + 1, actual.Count);
        Assert.Equal(expected, actual[..^1]);
        return (rounds, true);
    }

    private static bool CheckPosition(string head, Recording recording, JsonElement position)
    {
        int index = position.GetProperty("index").GetInt32();
        int[] draft = position.Ints("draft");
        Chain chain = recording.Chains[index - recording.Prompt.Length];
        if (!draft.AsSpan().SequenceEqual(chain.Tokens))
        {
            return false;
        }

        FixtureNumbers.Close(position.Floats("cumulative_logprobs"), chain.Sums, $"{head}, index {index}: sums");
        JsonElement label = position.GetProperty("run_length");
        int? expected = label.ValueKind == JsonValueKind.Null ? null : label.GetInt32();
        Assert.Equal(expected, chain.RunLength);
        return true;
    }

    // Stop if i >= L and S_i < T, or at the longest draft.
    private static int WithThreshold(float[] sums, int length, float threshold)
    {
        int drafted = 0;
        while (drafted < sums.Length && (drafted < length || (drafted == 0 ? 0 : sums[drafted - 1]) >= threshold))
        {
            drafted++;
        }

        return drafted;
    }

    /// <summary>
    /// A root t_(j+1): t_j and f_j; the head's chain behind it; and its run length, null where the output was cut too early to tell.
    /// </summary>
    private sealed record Chain(int ParentToken, float[] ParentFeature, int[] Tokens, float[] Sums, int? RunLength);

    private sealed record Recording(int[] Prompt, int[] Output, bool Ended, List<Chain> Chains);

    /// <summary>The head's chain for every root of a recorded output, with target features only in its cache.</summary>
    private static Recording Record(EagleFixture fixture, int[] prompt, int[] output, int most)
    {
        bool ended = fixture.Target.Config.EosTokens.Contains(output[^1]);
        int[] sequence = [.. prompt, .. output];
        (float[][] features, float[][] states) = TargetStates.Of(fixture.Head, sequence);
        using var pool = new WorkerPool(1);
        using var drafter = new EagleDrafter(fixture.Head, pool, most);
        drafter.Reset(sequence.Length, sequence[0]);
        var draft = new DraftTree(most);
        var chains = new List<Chain>();
        for (int root = 1; root < sequence.Length; root++)
        {
            drafter.Commit(states[root - 1], sequence[root]);
            if (root < prompt.Length)
            {
                continue;
            }

            draft.Clear();
            for (int i = 0; i < most; i++)
            {
                drafter.Extend(draft, DraftNeeds.LogProbabilities);
            }

            drafter.EndRound();
            int[] tokens = [.. Enumerable.Range(0, most).Select(draft.Token)];
            int[] followed = sequence[(root + 1)..];
            int length = tokens.AsSpan().CommonPrefixLength(followed);
            bool unknown = length == followed.Length && length < most && !ended;
            chains.Add(new Chain(sequence[root - 1], features[root - 1], tokens, [.. Enumerable.Range(0, most).Select(draft.CumulativeLogProbability)], unknown ? null : length));
        }

        return new Recording(prompt, output, ended, chains);
    }

    /// <summary>Runs a policy and compares each round with the replay: min(length, run length) drafts are accepted.</summary>
    private static void CheckReplay(
        SpeculativeDecoder decoder, EagleDrafter drafter, DecodingTask task, Recording recording, IDraftPolicy policy, Func<Chain, int> length)
    {
        int root = 0;
        int[] actual = Decoding.Speculative(decoder, task, drafter, policy, onRound: record =>
        {
            Chain chain = recording.Chains[root];
            int left = recording.Output.Length - root - 1;
            int drafted = Math.Min(length(chain), left - 1);
            int accepted = Math.Min(drafted, chain.RunLength ?? left);
            // An accepted end token is the round's last token, not a draft.
            accepted = root + accepted == recording.Output.Length - 1 && recording.Ended ? accepted - 1 : accepted;
            Assert.Equal((drafted, accepted), (record.Drafted, record.Accepted));
            root += accepted + 1;
        });
        Assert.Equal(recording.Output.Length - 1, root);
        Assert.Equal(recording.Output, actual);
    }
}

using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Tests;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Tests.Answers;

namespace AdaEagle.Training.Tests.Eagle;

public class RunLengthsTests
{
    /// <summary>The label's off-by-one, by hand: j = n - 1, the draft starts from (f_j, t_n) and is compared with t_(n+1) … .</summary>
    [Fact]
    public void A_run_length_is_what_the_drafter_alone_gets_right_from_the_root_on()
    {
        using var head = new SmallHead();
        const int MaxDraft = 4;
        using var drafter = new EagleDrafter(head.Engine, maxExpanded: MaxDraft);
        Answer[] answers = [.. head.Small.Answer(head.Small.Settings(20), SmallTarget.Jobs(20), 1, [.. Enumerable.Range(0, 8)]).Select(item => item.Answer), Drafted(head, drafter)];
        var runs = new List<AnswerRuns>();
        new RunLengths(head.Small.Target.Model, head.Engine, MaxDraft, wholeDrafts: true).Record(answers, 2, runs.Add);
        var shortened = new List<AnswerRuns>();
        new RunLengths(head.Small.Target.Model, head.Engine, MaxDraft, wholeDrafts: false).Record(answers, 1, shortened.Add);

        Assert.Equal(answers.Length, runs.Count);
        foreach (AnswerRuns one in runs)
        {
            Answer answer = one.Answer;
            AnswerRuns other = shortened.Single(item => item.Answer == answer);
            Assert.Equal(one.Roots.Select(root => (root.Index, root.RunLength)), other.Roots.Select(root => (root.Index, root.RunLength)));
            Assert.All(other.Roots, root => Assert.Empty(root.LogProbabilities));
            Assert.Equal(Enumerable.Range(answer.PromptLength, answer.Length - (answer.IsCut ? MaxDraft : 1)), one.Roots.Select(root => root.Index));
            foreach (RunRoot root in one.Roots)
            {
                (int[] draft, float[] sums) = Draft(drafter, head.Small.Target, answer.Tokens.AsSpan(0, root.Index + 1), MaxDraft);
                int run = 0;
                while (run < MaxDraft && root.Index + 1 + run < answer.Tokens.Length && draft[run] == answer.Tokens[root.Index + 1 + run])
                {
                    run++;
                }

                Assert.Equal(run, root.RunLength);
                Assert.Equal(sums, root.LogProbabilities);
            }
        }

        Assert.Contains(runs.SelectMany(one => one.Roots), root => root.RunLength == MaxDraft);
    }

    [Fact]
    public void Run_lengths_are_those_of_the_reference()
    {
        string folder = Fixtures.Folder("eagle");
        int cases = 0;
        foreach (string path in Directory.GetDirectories(folder).Where(path => File.Exists(Path.Combine(path, "expected_run_lengths.json"))))
        {
            using Models.LlamaModel target = Models.LlamaModel.Load(Path.Combine(folder, "target"));
            using EagleHead? head = Load(path, target);
            if (head is null)
            {
                continue;
            }

            using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(path, "expected_run_lengths.json")));
            int maxDraft = expected.RootElement.GetProperty("k_max").GetInt32();
            JsonElement[] runs = [.. expected.RootElement.GetProperty("runs").EnumerateArray()];
            Answer[] answers = [.. runs.Select((run, job) => Answer(run, job, target.Config.EosTokens))];
            new RunLengths(target, head, maxDraft, wholeDrafts: true).Record(answers, 2, recorded =>
            {
                JsonElement[] positions = [.. runs[recorded.Answer.Job].GetProperty("positions").EnumerateArray()];
                foreach (JsonElement position in positions.Where(position => position.GetProperty("run_length").ValueKind == JsonValueKind.Number))
                {
                    int index = position.GetProperty("index").GetInt32();
                    if (recorded.Roots.Where(root => root.Index == index).Select(root => (RunRoot?)root).SingleOrDefault() is not { } root)
                    {
                        Assert.True(index >= recorded.Answer.Tokens.Length - (recorded.Answer.IsCut ? maxDraft : 1), $"{path}: root {index} is missing.");
                        continue;
                    }

                    Assert.Equal(position.GetProperty("run_length").GetInt32(), root.RunLength);
                    float[] sums = [.. position.GetProperty("cumulative_logprobs").EnumerateArray().Select(value => value.GetSingle())];
                    Assert.All(sums.Zip(root.LogProbabilities), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * (1 + Math.Abs(pair.First))));
                    cases++;
                }
            });
        }

        Fixtures.RequireCases("eagle", cases);
    }

    private static EagleHead? Load(string path, Models.LlamaModel target)
    {
        try
        {
            return EagleHead.Load(path, target);
        }
        catch (ModelFormatException failure) when (failure.Message.Contains("EAGLE-3", StringComparison.Ordinal))
        {
            return null; // of a kind that is not supported yet
        }
    }

    private static Answer Answer(JsonElement run, int job, int[] endTokens)
    {
        int[] prompt = Ids("prompt_ids"), output = Ids("output_ids");
        return new Answer(job, "fixture", [.. prompt, .. output], prompt.Length, !endTokens.Contains(output[^1]), false);

        int[] Ids(string name) => [.. run.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
    }

    /// <summary>An answer that is the head's own draft, so that long runs occur: the recorder does not ask who wrote it.</summary>
    private static Answer Drafted(SmallHead head, EagleDrafter drafter)
    {
        List<int> tokens = [0, 9, 30, 31, 32];
        for (int round = 0; round < 4; round++)
        {
            tokens.AddRange(Draft(drafter, head.Small.Target, tokens.ToArray(), 4).Tokens);
        }

        return new Answer(99, "drafted", [.. tokens], 4, true, false);
    }

    /// <summary>The drafter's chain after <paramref name="tokens"/>, the last of which is the root.</summary>
    private static (int[] Tokens, float[] Sums) Draft(EagleDrafter drafter, AnsweringTarget target, ReadOnlySpan<int> tokens, int length)
    {
        using var engine = new LlamaTarget(target.Model);
        using KvCache cache = engine.CreateCache(tokens.Length);
        var rows = new PassRows(tokens.Length);
        for (int i = 0; i + 1 < tokens.Length; i++)
        {
            rows.Add(cache, tokens[i], i - 1);
        }

        engine.Forward(rows, PassRequest.FeaturesOnly);
        drafter.Reset(tokens.Length, tokens[0]);
        for (int i = 0; i + 1 < tokens.Length; i++)
        {
            drafter.Commit(engine.Feature(i), tokens[i + 1]);
        }

        var draft = new DraftTree(length);
        while (draft.Count < length)
        {
            drafter.Extend(draft, DraftNeeds.LogProbabilities);
        }

        drafter.EndRound();
        return ([.. Enumerable.Range(0, length).Select(draft.Token)], [.. Enumerable.Range(0, length).Select(draft.CumulativeLogProbability)]);
    }
}

using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>Where the text said the same before, and what a draft that follows it is worth.</summary>
public class RepetitionSignalTests
{
    private const int MaxDraft = 6;

    [Theory]
    [InlineData(new[] { 7 }, 0, new int[0])]
    [InlineData(new[] { 1, 2, 3 }, 0, new int[0])]
    [InlineData(new[] { 1, 2, 3, 9, 8, 1, 2, 3 }, 3, new[] { 9, 8, 1, 2, 3, 9 })]
    [InlineData(new[] { 2, 3, 5, 4, 3, 6, 3 }, 1, new[] { 6, 3, 6, 3, 6, 3 })] // of equals the last
    [InlineData(new[] { 1, 2, 4, 3, 2, 5, 1, 2 }, 2, new[] { 4, 3, 2, 5, 1, 2 })] // the longer one before the later
    [InlineData(new[] { 4, 4, 4 }, 2, new[] { 4, 4, 4, 4, 4, 4 })]
    public void The_longest_match_goes_on_as_it_did(int[] text, int match, int[] continuation)
    {
        var signal = new RepetitionSignal(MaxDraft);
        signal.Find(text);
        Assert.Equal(match, signal.Match);
        Assert.Equal(continuation, signal.Continuation.ToArray());
    }

    [Fact]
    public void It_is_what_a_search_of_all_places_finds()
    {
        var random = new Random(5);
        var signal = new RepetitionSignal(MaxDraft);
        for (int i = 0; i < 2000; i++)
        {
            int vocabulary = random.Next(1, 6);
            int[] text = [.. Enumerable.Range(0, random.Next(0, 60)).Select(_ => random.Next(vocabulary))];
            signal.Find(text);
            int Length(int at) => Enumerable.Range(0, at + 1).TakeWhile(back => text[at - back] == text[^(back + 1)]).Take(32).Count();
            int[] lengths = [.. Enumerable.Range(0, Math.Max(text.Length - 1, 0)).Select(Length)];
            int match = lengths.DefaultIfEmpty(0).Max();
            Assert.Equal(match, signal.Match);
            if (match > 0)
            {
                int place = Array.LastIndexOf(lengths, match);
                List<int> expected = [.. text[(place + 1)..]];
                while (expected.Count < MaxDraft)
                {
                    expected.Add(expected[^(text.Length - 1 - place)]);
                }

                Assert.Equal(expected.Take(MaxDraft), signal.Continuation.ToArray());
            }
        }
    }

    [Fact]
    public void What_follows_the_repetition_what_leaves_it_and_what_repeats_nothing_are_learnt_apart()
    {
        var signal = new RepetitionSignal(MaxDraft);
        int[] repeating = [1, 2, 3, 9, 8, 1, 2, 3];
        for (int i = 0; i < 40; i++)
        {
            signal.Find(repeating);
            Assert.True(signal.Follow(0, 9).Right >= 0);
            signal.LearnRight(0, 0.3);
            signal.Follow(1, 8);
            signal.LearnNext(1, 0.1);
            signal.Find(repeating);
            signal.Follow(0, 5);
            signal.LearnRight(0, -0.4);
        }

        signal.Find(repeating);
        Assert.True(signal.Follow(0, 5).Right < -0.5);
        Assert.Equal((0, 0), signal.Follow(1, 8)); // the repetition was left
        (float right, float next) = signal.Follow(0, 9);
        Assert.True(right > 0.5 && next > 0.1);
        signal.Find([1, 2, 3, 4]);
        Assert.Equal((0, 0), signal.Follow(0, 9));
        signal.LearnRight(0, 1);
        Assert.Equal((0, 0), signal.Follow(0, 9));
    }

    [Fact]
    public void How_often_the_text_goes_on_as_it_did_is_learnt_by_the_length_of_the_match_up_to_the_first_difference()
    {
        var signal = new RepetitionSignal(MaxDraft);
        float[] planned = [.. Enumerable.Repeat(0.5f, MaxDraft)];
        signal.Find([1, 2, 3, 9, 8, 1, 2, 3]);
        (double third, double fourth, double sixth) = (signal.Copy(0, 0.5f, false), signal.Copy(1, 0.5f, false), signal.Copy(3, 0.5f, false));
        Assert.InRange(third, 0.1, fourth);
        Assert.InRange(signal.Copy(0, 2, false), third, 1); // what the plan hopes for counts
        for (int i = 0; i < 100; i++)
        {
            signal.Learn([9, 5, 1, 2], planned, isConfirmed: false);
        }

        Assert.InRange(signal.Copy(0, 0.5f, false), 0.8, 1); // always right after a match of three
        Assert.InRange(signal.Copy(1, 0.5f, false), 0, 0.2); // never after four
        Assert.InRange(signal.Copy(3, 0.5f, false), sixth - 1e-9, sixth + 1e-9); // nobody got there
        Assert.InRange(signal.Copy(1, 0.5f, true), fourth - 1e-9, fourth + 1e-9);
        for (int i = 0; i < 200; i++)
        {
            signal.Learn([9, 8, 1, 2], planned, isConfirmed: true);
            signal.Learn([9, 5, 1, 2], planned, isConfirmed: false);
        }

        Assert.InRange(signal.Copy(1, 0.5f, true), 0.8, 1);
        Assert.InRange(signal.Copy(1, 0.5f, false), 0.3, 0.7);
        signal.Find([1, 2, 3, 4]);
        signal.Learn([1, 2], planned, isConfirmed: true); // no match, nothing to learn
        Assert.False(signal.Continues(0));
    }

    [Fact]
    public void A_policy_sees_the_prompt_and_all_that_was_said()
    {
        using TinyPair pair = TinyModels.Load(TinyModels.Config, 4, head: TinyModels.Config with { LayerCount = 1 });
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var eagle = new EagleDrafter(pair.Head, pool);
        using var decoder = new SpeculativeDecoder(target, 4);
        var policy = new Watching();
        foreach (int[] prompt in (int[][])[[1, 2, 3, 4, 5], [6], [7, 8]])
        {
            policy.Seen.Clear();
            int first = decoder.Prefill(prompt, 30, new Sampler(SamplingOptions.Greedy, pair.Target.Path), _ => false, eagle, policy, cancellation: TestContext.Current.CancellationToken);
            List<int> text = [.. prompt, first];
            while (decoder.Generated < 30)
            {
                int before = text.Count;
                text.AddRange(decoder.Round(30 - decoder.Generated, out _));
                Assert.Equal(text[..before], policy.Seen[^1]);
            }
        }
    }

    private sealed class Watching : ChainPolicy
    {
        public List<int[]> Seen { get; } = [];

        public override string Name => "watching";

        public override int MaxDraft => 3;

        public override int Plan(in PlanContext context)
        {
            Seen.Add(context.Committed.ToArray());
            return MaxDraft;
        }

        public override bool Extends(DraftTree draft, int planned) => draft.Count < planned;
    }
}

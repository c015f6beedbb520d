using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Tests.Speculation;

/// <summary>Prompt lookup on sequences worked out by hand.</summary>
public class NgramDrafterTests
{
    [Theory]
    // The last two tokens (1 2) occur at the start; what followed them is 3 4 1 2.
    [InlineData("1 2 3 4 1 2", 10, 2, "3 4 1 2")]
    [InlineData("1 2 3 4 1 2", 3, 2, "3 4 1")]
    // The first occurrence from the left, not the latest.
    [InlineData("1 2 3 9 1 2 4 9 1 2", 2, 2, "3 9")]
    // No pair occurs, so the last token alone decides.
    [InlineData("5 2 7 8 1 2", 2, 2, "7 8")]
    [InlineData("5 2 7 8 1 2", 2, 1, "7 8")]
    // A longer n-gram is looked for first.
    [InlineData("2 6 0 1 2 5 0 1 2", 2, 3, "5 0")]
    [InlineData("2 6 0 1 2 5 0 1 2", 2, 1, "6 0")]
    // An occurrence may overlap the end: 1 1 at 0 has one token after it.
    [InlineData("1 1 1", 10, 2, "1")]
    [InlineData("1 1 1 1", 10, 2, "1 1")]
    // Nothing occurs; one token alone has no earlier one; the n-gram is never longer than what is there.
    [InlineData("1 2 3", 10, 2, "")]
    [InlineData("7", 10, 2, "")]
    [InlineData("7 7", 10, 5, "7")]
    // 99 ends an output: the draft ends before it, and a shorter n-gram is not tried instead.
    [InlineData("1 2 3 99 1 2", 10, 2, "3")]
    [InlineData("2 5 1 2 99 4 1 2", 10, 2, "")]
    public void What_followed_the_last_tokens_before_is_proposed(string tokens, int most, int longest, string expected)
    {
        int[] known = Numbers(tokens);
        using var drafter = new NgramDrafter(most, longest, [99, 98]);
        drafter.Reset(known.Length, known[0]);
        foreach (int token in known[1..])
        {
            drafter.Commit([], token);
        }

        for (int again = 0; again < 2; again++)
        {
            Assert.Equal(Numbers(expected), Draft(drafter, 12));
        }

        drafter.CheckIntegrity(known.Length - 1);
    }

    [Fact]
    public void The_first_token_of_the_prompt_is_not_lost()
    {
        using var drafter = new NgramDrafter();
        drafter.Reset(4, 7);
        drafter.Commit([], 8);
        drafter.Commit([], 7);
        Assert.Equal([8, 7], Draft(drafter, 5));
    }

    [Fact]
    public void Another_sequence_begins_anew()
    {
        using var drafter = new NgramDrafter();
        drafter.Reset(4, 1);
        drafter.Commit([], 1);
        Assert.Equal([1], Draft(drafter, 5));
        drafter.Reset(900, 2);
        Assert.Empty(Draft(drafter, 5));
        drafter.Commit([], 1);
        Assert.Empty(Draft(drafter, 5));
    }

    [Fact]
    public void It_has_one_proposal_for_a_node_however_many_are_asked_for()
    {
        using var drafter = new NgramDrafter();
        drafter.Reset(4, 1);
        drafter.Commit([], 1);
        var draft = new DraftTree(4);
        drafter.Expand(draft, [new Expansion(-1, 3)], DraftNeeds.Signals);
        Assert.Equal((1, 1, 0f), (draft.Count, draft.Token(0), draft.LogProbability(0)));
        // What it proposes counts as certain, for policies that look at entropy.
        Assert.Equal(new DraftSignals(1, 0, 0), draft.Signals(-1));
    }

    private static int[] Numbers(string text) => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];

    private static int[] Draft(NgramDrafter drafter, int most)
    {
        var draft = new DraftTree(most);
        while (draft.Count < most && drafter.Extend(draft, DraftNeeds.LogProbabilities) >= 0)
        {
        }

        drafter.EndRound();
        return [.. Enumerable.Range(0, draft.Count).Select(draft.Token)];
    }
}

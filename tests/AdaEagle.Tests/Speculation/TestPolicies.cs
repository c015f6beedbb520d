using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Plans and stops at random.</summary>
internal sealed class RandomPolicy(int seed, int maxDraft, bool probabilities) : ChainPolicy
{
    private readonly Random _random = new(seed);

    public override string Name => $"random:{seed}";

    public override int MaxDraft => maxDraft;

    public override DraftNeeds Needs => probabilities ? DraftNeeds.LogProbabilities : DraftNeeds.None;

    public override int Plan(in PlanContext context) => _random.Next(maxDraft + 1);

    public override bool Extends(DraftTree draft, int planned) => draft.Count < planned && _random.Next(8) > 0;

    public override void Observe(in RoundObservation round)
    {
        Assert.InRange(round.Accepted, 0, round.Drafted);
        Assert.InRange(round.Matched, round.Accepted, round.Drafted);
        Assert.Equal((round.Pool, round.Pool, round.Drafted), (round.Drafted, round.DraftPasses, round.Depth));
    }
}

/// <summary>Asks for far too much, or for less than nothing: the round has to clamp it.</summary>
internal sealed class UnreasonablePolicy : ChainPolicy
{
    public override string Name => "unreasonable";

    public override int MaxDraft => int.MaxValue;

    public override int Plan(in PlanContext context) => context.RootIndex % 2 == 0 ? int.MaxValue : int.MinValue;

    public override bool Extends(DraftTree draft, int planned) => true;
}

/// <summary>Drafts nothing for some rounds, then a fixed length.</summary>
internal sealed class LatePolicy(int idleRounds, int length) : ChainPolicy
{
    private int _rounds;

    public override string Name => "late";

    public override int MaxDraft => length;

    public override int Plan(in PlanContext context) => _rounds++ < idleRounds ? 0 : length;

    public override bool Extends(DraftTree draft, int planned) => draft.Count < planned;
}

/// <summary>Adds a path that is a token too long.</summary>
internal sealed class TooDeepPolicy : ChainPolicy, IDraftPolicy
{
    public override string Name => "too deep";

    public override int MaxDraft => 8;

    public override int Plan(in PlanContext context) => 0;

    public override bool Extends(DraftTree draft, int planned) => false;

    public void AddNodes(DraftTree pool, int longest)
    {
        for (int parent = -1; parent < longest; parent++)
        {
            pool.Add(1, parent, 0);
        }
    }
}

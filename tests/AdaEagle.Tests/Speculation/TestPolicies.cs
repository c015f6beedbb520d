using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Plans and stops at random.</summary>
internal sealed class RandomPolicy(int seed, int maxDraft, bool probabilities) : IDraftPolicy
{
    private readonly Random _random = new(seed);

    public string Name => $"random:{seed}";

    public int MaxDraft => maxDraft;

    public bool NeedsLogProbabilities => probabilities;

    public int Plan(in PlanContext context) => _random.Next(maxDraft + 1);

    public bool Extends(DraftTree draft, int planned) => draft.Count < planned && _random.Next(8) > 0;

    public void Observe(in RoundObservation round) => Assert.InRange(round.Accepted, 0, round.Drafted);
}

/// <summary>Asks for far too much, or for less than nothing: the round has to clamp it.</summary>
internal sealed class UnreasonablePolicy : IDraftPolicy
{
    public string Name => "unreasonable";

    public int MaxDraft => int.MaxValue;

    public bool NeedsLogProbabilities => false;

    public int Plan(in PlanContext context) => context.RootIndex % 2 == 0 ? int.MaxValue : int.MinValue;

    public bool Extends(DraftTree draft, int planned) => true;

    public void Observe(in RoundObservation round)
    {
    }
}

/// <summary>Drafts nothing for some rounds, then a fixed length.</summary>
internal sealed class LatePolicy(int idleRounds, int length) : IDraftPolicy
{
    private int _rounds;

    public string Name => "late";

    public int MaxDraft => length;

    public bool NeedsLogProbabilities => false;

    public int Plan(in PlanContext context) => _rounds++ < idleRounds ? 0 : length;

    public bool Extends(DraftTree draft, int planned) => draft.Count < planned;

    public void Observe(in RoundObservation round)
    {
    }
}

using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// <c>bucket:F</c>: one whole number, the bucket, moves the draft length between F and k_max. A round adds accepted + 1 - length to it; where every token of a
/// draft shorter than the length was accepted, (accepted - length - 1) / 2 towards zero. At its top the length grows by one, at 0 it falls by one, and the bucket begins
/// anew at drop(length).
/// </summary>
/// <remarks>
/// Source: llama.cpp pull request 27210 (<c>draft-mtp-adaptive</c>), its tables and rules. drop(d) = max(5 d, 20); the top is drop(d) + climb(d), climb(1 …) = 2, 5, 10, 5,
/// 4, 3, and 2 from 7 on. It begins anew at F with every output.
/// </remarks>
public sealed class BucketPolicy : ChainPolicy
{
    private const int UsualShortest = 3;

    private readonly int _shortest;

    /// <summary>Makes it, for lengths from <paramref name="shortest"/> (at least 1) to <paramref name="maxDraft"/>.</summary>
    public BucketPolicy(int shortest, int maxDraft)
    {
        _shortest = Math.Min(Math.Max(shortest, 1), maxDraft);
        MaxDraft = maxDraft;
        Name = string.Create(CultureInfo.InvariantCulture, $"bucket:{shortest}");
        Begin();
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override int MaxDraft { get; }

    /// <summary>The draft length now.</summary>
    public int Length { get; private set; }

    /// <summary>The bucket.</summary>
    public int Bucket { get; private set; }

    internal static BucketPolicy? Make(string name, PolicyResources resources)
    {
        if (PolicyArguments.Of(name, "bucket") is not { } parts)
        {
            return null;
        }

        PolicyArguments.RequireAtMost(name, parts, 1);
        int longest = resources.MaxDraft;
        return new BucketPolicy(PolicyArguments.Whole(name, parts, 0, "F", 1, longest, usual: Math.Min(UsualShortest, longest)), longest);
    }

    /// <inheritdoc/>
    public override int Plan(in PlanContext context)
    {
        if (context.RootIndex == 0)
        {
            Begin();
        }

        return Length;
    }

    /// <inheritdoc/>
    public override bool Extends(DraftTree draft, int planned)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Count < planned;
    }

    /// <inheritdoc/>
    public override void Observe(in RoundObservation round)
    {
        if (round.Drafted == 0)
        {
            return;
        }

        bool cutShort = round.Accepted == round.Drafted && round.Drafted < Length;
        Bucket += cutShort ? (round.Accepted - Length - 1) / 2 : round.Accepted + 1 - Length;
        int top = Drop(Length) + Climb(Length);
        if (Bucket >= top)
        {
            Move(Length < MaxDraft, +1, top);
        }
        else if (Bucket <= 0)
        {
            Move(Length > _shortest, -1, 0);
        }
    }

    private static int Drop(int length) => Math.Max(5 * length, 20);

    private static int Climb(int length) => length switch { 1 => 2, 2 => 5, 3 => 10, 4 => 5, 5 => 4, 6 => 3, _ => 2 };

    private void Begin() => (Length, Bucket) = (_shortest, Drop(_shortest));

    private void Move(bool moves, int by, int end)
    {
        Length += moves ? by : 0;
        Bucket = moves ? Drop(Length) : end;
    }
}

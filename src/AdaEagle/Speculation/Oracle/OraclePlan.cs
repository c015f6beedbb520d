namespace AdaEagle.Speculation.Oracle;

/// <summary>
/// The draft lengths of one who knows every run length, and costs: at each root k = argmax over 0 … min(run, k_max) of
/// (1 + k) - rho (draft(k) + verify(k + 1) + overhead), where rho is the tokens per second that these very lengths give. No draft is ever rejected;
/// drafting all that would be accepted is not best, since a step may cost more than the token it saves.
/// </summary>
internal sealed class OraclePlan
{
    private const int MostIterations = 50;

    private OraclePlan(IReadOnlyList<int[]> lengths, double rate, int iterations)
    {
        Lengths = lengths;
        TokensPerSecond = rate;
        Iterations = iterations;
    }

    /// <summary>For each output the draft length at each root.</summary>
    public IReadOnlyList<int[]> Lengths { get; }

    /// <summary>rho: tokens of rounds by the time of rounds, as the replay with the measured costs has it.</summary>
    public double TokensPerSecond { get; }

    /// <summary>Replays until rho no longer changed.</summary>
    public int Iterations { get; }

    /// <summary>Finds rho and the lengths by replaying the outputs, beginning with plain decoding's rate.</summary>
    /// <param name="outputs">The recorded outputs.</param>
    /// <param name="costs">What rounds cost.</param>
    /// <param name="maxDraft">k_max.</param>
    /// <param name="knowsRanks">
    /// True for the oracle of trees, which takes the right one of a node's candidates: its drafts are chains of the same costs, but longer ones.
    /// </param>
    public static OraclePlan Find(IReadOnlyList<RecordedOutput> outputs, RoundCosts costs, int maxDraft, bool knowsRanks = false)
    {
        int longest = Math.Min(maxDraft, costs.MaxDraft);
        double rate = 1 / costs.Round(0);
        (IReadOnlyList<int[]> Lengths, double Rate) best = (Choose(outputs, costs, longest, rate, knowsRanks), rate);
        int iteration = 0;
        while (iteration++ < MostIterations)
        {
            IReadOnlyList<int[]> lengths = Choose(outputs, costs, longest, rate, knowsRanks);
            double replayed = Rate(outputs, costs, lengths, knowsRanks);
            if (replayed >= best.Rate)
            {
                best = (lengths, replayed);
            }

            if (Math.Abs(replayed - rate) <= 1e-9 * rate)
            {
                break;
            }

            rate = replayed;
        }

        return new OraclePlan(best.Lengths, best.Rate, iteration);
    }

    /// <summary>The best length where <paramref name="run"/> tokens would be accepted; of equals the shorter.</summary>
    public static int Best(int run, RoundCosts costs, double rate)
    {
        int best = 0;
        double value = double.NegativeInfinity;
        for (int length = 0; length <= run; length++)
        {
            double gain = 1 + length - (rate * costs.Round(length));
            if (gain > value)
            {
                (best, value) = (length, gain);
            }
        }

        return best;
    }

    private static List<int[]> Choose(IReadOnlyList<RecordedOutput> outputs, RoundCosts costs, int longest, double rate, bool knowsRanks) =>
        [.. outputs.Select(output => Enumerable.Range(0, output.Roots.Count).Select(root => Best(Math.Min(knowsRanks ? output.UsefulPath(root) : output.UsefulRun(root), longest), costs, rate)).ToArray())];

    private static double Rate(IReadOnlyList<RecordedOutput> outputs, RoundCosts costs, IReadOnlyList<int[]> lengths, bool knowsRanks)
    {
        long tokens = 0;
        double seconds = 0;
        for (int i = 0; i < outputs.Count; i++)
        {
            ReplayedOutput replay = outputs[i].Replay(root => lengths[i][root], knowsRanks);
            tokens += replay.Emitted - 1;
            seconds += replay.Lengths.Sum(costs.Round);
        }

        return seconds > 0 ? tokens / seconds : 1 / costs.Round(0);
    }
}

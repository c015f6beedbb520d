using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>What rounds cost that are tuned with.</summary>
/// <param name="Bare">Of policies that read nothing of the drafter but its tokens.</param>
/// <param name="Reading">Of those that read probabilities, signals or output rows, which a draft step has to work out for them.</param>
internal sealed record TuneCosts(TreeCosts Bare, TreeCosts Reading)
{
    private const string Remedy = "name a file that bench tune --json wrote";

    /// <summary>What the second are measured with.</summary>
    public const DraftNeeds Needs = DraftNeeds.LogProbabilities | DraftNeeds.Signals | DraftNeeds.Hidden;

    /// <summary>Reads what <c>bench tune --json</c> wrote of another run's costs.</summary>
    /// <param name="file">Its file.</param>
    /// <param name="maxDraft">Chains of as many tokens are to be priced.</param>
    /// <exception cref="ModelFormatException">It holds none, or of shorter chains.</exception>
    public static TuneCosts Read(string file, int maxDraft)
    {
        TuneJson? run = null;
        try
        {
            run = JsonSerializer.Deserialize(File.ReadAllBytes(file), Json.Page.TuneJson);
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException(file, null, failure is JsonException ? "is not what bench tune --json writes" : "cannot be read: " + failure.Message, Remedy, failure);
        }

        if (run is not { Costs: { DraftSeconds: { } draft, VerifySeconds: { } verify, Samples: { } samples } costs, ReadingDraftSeconds: { } reading, TreeCosts: { Sizes: { } sizes, DraftSeconds: { } trees, VerifySeconds: { } rows } }
            || verify.Count != draft.Count || reading.Count != draft.Count || trees.Count != sizes.Count || rows.Count != sizes.Count
            || draft.Concat(verify).Concat(reading).Concat(trees).Concat(rows).Any(seconds => !double.IsFinite(seconds) || seconds < 0)
            || verify is not [> 0, ..] || sizes.Prepend(0).Zip(sizes).Any(pair => pair.First >= pair.Second))
        {
            throw new ModelFormatException(file, "costs", "there are no costs of chains and trees", Remedy);
        }

        if (draft.Count <= maxDraft)
        {
            throw new ModelFormatException(file, "costs", $"chains of at most {draft.Count - 1} tokens were measured, and {maxDraft} are to be priced", "give --max-draft as it was there");
        }

        var bare = new RoundCosts(draft, verify, costs.OverheadSeconds, samples);
        return new TuneCosts(new TreeCosts(bare, sizes, trees, rows), new TreeCosts(bare with { DraftSeconds = reading }, sizes, trees, rows));
    }

    /// <summary>What a policy's rounds cost, but for the time of its own thoughts.</summary>
    public TreeCosts Of(IDraftPolicy policy) => (policy.Needs & Needs) == 0 ? Bare : Reading;
}

using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>What policies are made from: a session's predictor, if its model has one, and the longest draft.</summary>
/// <param name="Predictor">The LDLP, or null.</param>
/// <param name="MaxDraft">k_max of policies that have none of their own.</param>
public sealed record PolicyResources(DraftLengthPredictor? Predictor, int MaxDraft);

/// <summary>Policies by name. A new one is a file and a line here.</summary>
public static class DraftPolicies
{
    /// <summary>The name of plain decoding: no drafter at all.</summary>
    public const string Plain = "ar";

    private static readonly (string Form, string What, Func<string, PolicyResources, IDraftPolicy?> Make)[] s_kinds =
    [
        ("fixed:K", "always K tokens, K from 0", MakeFixed),
        ("threshold:T", "while the draft's cumulative log-probability is at least T", MakeThreshold),
        ("ldlp", "the length that the draft length predictor says", (name, resources) => name == "ldlp" ? new LdlpPolicy(Predictor(name, resources), null) : null),
        ("ldlp+threshold:T", "that, and on while the cumulative log-probability is at least T", MakeLdlpThreshold),
    ];

    /// <summary>The forms that <see cref="Create"/> knows, with what they do.</summary>
    public static IEnumerable<(string Form, string What)> Supported => s_kinds.Select(kind => (kind.Form, kind.What));

    /// <summary>Makes a policy from its name.</summary>
    /// <exception cref="ArgumentException">No policy has that name, or the model lacks what it needs; the message says what is supported.</exception>
    public static IDraftPolicy Create(string name, PolicyResources resources)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(resources);
        foreach ((string Form, string What, Func<string, PolicyResources, IDraftPolicy?> Make) kind in s_kinds)
        {
            if (kind.Make(name, resources) is { } policy)
            {
                return policy;
            }
        }

        throw new ArgumentException($"There is no policy '{name}'. Supported: {Plain}, {string.Join(", ", s_kinds.Select(kind => kind.Form))}.", nameof(name));
    }

    private static FixedLengthPolicy? MakeFixed(string name, PolicyResources resources)
    {
        if (Argument(name, "fixed:") is not { } argument)
        {
            return null;
        }

        if (!int.TryParse(argument, NumberStyles.None, CultureInfo.InvariantCulture, out int length) || length > resources.MaxDraft)
        {
            throw new ArgumentException($"'{name}': K must be a whole number from 0 to {resources.MaxDraft}.", nameof(name));
        }

        return new FixedLengthPolicy(length);
    }

    private static ThresholdPolicy? MakeThreshold(string name, PolicyResources resources) =>
        Argument(name, "threshold:") is { } argument ? new ThresholdPolicy(Threshold(name, argument), Math.Min(resources.MaxDraft, resources.Predictor?.MaxDraft ?? 8)) : null;

    private static LdlpPolicy? MakeLdlpThreshold(string name, PolicyResources resources) =>
        Argument(name, "ldlp+threshold:") is { } argument ? new LdlpPolicy(Predictor(name, resources), Threshold(name, argument)) : null;

    private static string? Argument(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : null;

    private static float Threshold(string name, string argument) =>
        float.TryParse(argument, NumberStyles.Float, CultureInfo.InvariantCulture, out float threshold) && float.IsFinite(threshold)
            ? threshold
            : throw new ArgumentException($"'{name}': T must be a number, a sum of natural-log probabilities such as -0.6.", nameof(name));

    private static DraftLengthPredictor Predictor(string name, PolicyResources resources) =>
        resources.Predictor ?? throw new ArgumentException(
            $"'{name}' needs a draft length predictor, and the model has none: name one with --predictor, or train one with adaeagle-train ldlp.", nameof(name));
}

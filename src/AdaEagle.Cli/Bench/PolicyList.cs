using AdaEagle.Generation;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench;

/// <summary>The policies of a bench.</summary>
internal static class PolicyList
{
    private static readonly PolicyResources s_resources = new(null, GenerationSession.MaxDraft, GenerationSession.MaxNodes, GenerationSession.MaxPool);

    /// <summary>What runs where nobody says what: plain decoding, an ordinary fixed length, and <c>auto</c>; without a drafter plain decoding alone.</summary>
    public static IReadOnlyList<string> Usual(bool hasDrafter) => hasDrafter ? [DraftPolicies.Plain, "fixed:3", AutoPolicy.PolicyName] : [DraftPolicies.Plain];

    /// <summary>The names of a list with commas between them.</summary>
    /// <exception cref="ArgumentException">A name is empty or says no policy.</exception>
    public static IReadOnlyList<string> Parse(string list) => Complete(DraftPolicies.Split(list), $"--policies '{list}'");

    /// <summary>Each name once, plain decoding among them, since it is the base of every speedup; all of them checked as far as that goes without a model.</summary>
    /// <exception cref="ArgumentException">A name is empty or says no policy; the message begins with <paramref name="place"/> or the name.</exception>
    public static IReadOnlyList<string> Complete(IEnumerable<string> policies, string place)
    {
        string[] names = [.. policies.Distinct()];
        if (names.Any(string.IsNullOrEmpty))
        {
            throw new ArgumentException($"{place} has an empty name; policies are separated by one comma.");
        }

        Array.ForEach(names, Check);
        return names.Contains(DraftPolicies.Plain) ? names : [DraftPolicies.Plain, .. names];
    }

    // Before a model is loaded, which may take a while. Whether it has the parts for a policy is seen then.
    private static void Check(string name)
    {
        if (name is not (DraftPolicies.Plain or OraclePolicy.PolicyName or TreeOraclePolicy.PolicyName))
        {
            DraftPolicies.Check(name, s_resources);
        }
    }
}

using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench;

/// <summary>What a bench compares policies with: the best of each of these kinds.</summary>
internal enum PolicyKind
{
    /// <summary>One length for all rounds: <c>ar</c>, which is length 0, and <c>fixed:K</c>.</summary>
    FixedLength,

    /// <summary>One tree for all rounds: <c>comb:K,S</c> and <c>tree:PATHS</c>.</summary>
    FixedTree,

    /// <summary>A rule that others use, EAGLE-2's dynamic tree among them (docs/rules.md).</summary>
    Rule,

    /// <summary>What is proposed here: <c>ldlp</c> and <c>auto</c>, in all their forms.</summary>
    Own,

    /// <summary>Knows the output: a ceiling, and nothing to be better than.</summary>
    Oracle,
}

/// <summary>Kinds by a policy's name.</summary>
internal static class PolicyKinds
{
    private const string FixedPrefix = "fixed:";

    private static readonly (string Prefix, PolicyKind Kind)[] s_prefixes =
    [
        (FixedPrefix, PolicyKind.FixedLength), ("comb:", PolicyKind.FixedTree), ("tree:", PolicyKind.FixedTree), ("ldlp", PolicyKind.Own), (AutoPolicy.PolicyName, PolicyKind.Own),
        (OraclePolicy.PolicyName, PolicyKind.Oracle),
    ];

    /// <summary>The kind of a policy.</summary>
    public static PolicyKind Of(string name) => name == DraftPolicies.Plain
        ? PolicyKind.FixedLength
        : s_prefixes.Where(entry => name.StartsWith(entry.Prefix, StringComparison.Ordinal)).Select(entry => entry.Kind).FirstOrDefault(PolicyKind.Rule);

    /// <summary>True for a fixed length above 0; where none runs, "the best fixed length" would be plain decoding by default.</summary>
    public static bool IsFixedDraft(string name) => name.StartsWith(FixedPrefix, StringComparison.Ordinal);
}

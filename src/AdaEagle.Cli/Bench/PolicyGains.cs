using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench;

/// <summary>How much faster a policy decodes than another of the same run, paired over prompts.</summary>
/// <param name="Over">The other's name.</param>
/// <param name="Ratio">Decode speed over the other's: 1 is level.</param>
internal sealed record Gain(string Over, Interval Ratio)
{
    /// <summary>True if even the upper end of the interval is slower.</summary>
    public bool IsBehind => Ratio.High < 1;
}

/// <summary>The same within a suite, over the fixed length that is best in that suite.</summary>
internal sealed record SuiteGains(string Suite, int Prompts, Interval? OracleShare, Interval? TreeOracleShare, Gain? BestFixed);

/// <summary>
/// What one policy gains over the best of each kind in its run. A gain is null where no policy of that kind ran, and for the best one itself. Best means
/// fastest over these very prompts, which favours it: it was chosen on them.
/// </summary>
/// <param name="OracleShare">
/// (speed - best fixed) / (oracle - best fixed): its share of what knowing every run length would gain. Null without <c>oracle</c>, without a <c>fixed:K</c>, or where
/// the oracle gained nothing.
/// </param>
/// <param name="TreeOracleShare">The same of what <c>oracle:tree</c> gains.</param>
/// <param name="BestFixed">Over the best single fixed length, 0 (plain decoding) included.</param>
/// <param name="BestFixedOfSuites">Over the best fixed length of each suite, all suites together.</param>
/// <param name="BestTree">Over the best fixed tree.</param>
/// <param name="BestRule">Over the best rule from elsewhere.</param>
/// <param name="Suites">Each suite by itself.</param>
internal sealed record PolicyGains(
    Interval? OracleShare, Interval? TreeOracleShare, Gain? BestFixed, Gain? BestFixedOfSuites, Gain? BestTree, Gain? BestRule, IReadOnlyList<SuiteGains> Suites)
{
    /// <summary>Resampling fewer prompts says nothing of their spread.</summary>
    public const int FewestPrompts = 5;

    /// <summary>Suites of at least <see cref="FewestPrompts"/> prompts in which it is significantly slower than the suite's best fixed length.</summary>
    public IReadOnlyList<string> BehindIn => [.. Suites.Where(suite => suite.Prompts >= FewestPrompts && suite.BestFixed is { IsBehind: true }).Select(suite => suite.Suite)];

    /// <summary>What each policy of a run gains, in the run's order.</summary>
    public static IReadOnlyList<PolicyGains> Of(IReadOnlyList<PolicyResult> results)
    {
        Bests all = Bests.Of(results);
        string[] suites = [.. results[0].Prompts.Select(prompt => prompt.Question.Category).Distinct()];
        PolicyResult[][] parts = [.. suites.Select(suite => (PolicyResult[])[.. results.Select(result => result.OfSuite(suite))])];
        Bests[] bests = [.. parts.Select(Bests.Of)];
        PolicyResult? ofSuites = all.Fixed is null ? null : BestOfSuites(results, suites, bests);
        return [.. results.Select((result, policy) => new PolicyGains(
            Share(result, all.Fixed, all.Oracle), Share(result, all.Fixed, all.TreeOracle),
            Over(result, all.Fixed), Over(result, ofSuites), Over(result, all.Tree), Over(result, all.Rule),
            [.. suites.Select((suite, s) => new SuiteGains(
                suite, parts[s][policy].Prompts.Count, Share(parts[s][policy], bests[s].Fixed, bests[s].Oracle), Share(parts[s][policy], bests[s].Fixed, bests[s].TreeOracle), Over(parts[s][policy], bests[s].Fixed)))]))];
    }

    private static Interval? Share(PolicyResult result, PolicyResult? best, PolicyResult? oracle) =>
        best is not null && oracle is not null && result.GainShare(best, oracle) is var share && double.IsFinite(share.Value) ? share : null;

    private static Gain? Over(PolicyResult result, PolicyResult? best) => best is null || best.Name == result.Name ? null : new Gain(best.Name, result.DecodeSpeedup(best));

    // For every prompt what the best fixed length of its suite did.
    private static PolicyResult BestOfSuites(IReadOnlyList<PolicyResult> results, string[] suites, Bests[] bests)
    {
        string[] names = [.. bests.Select(best => best.Fixed!.Name)];
        PolicyResult[] chosen = [.. names.Select(name => results.First(result => result.Name == name))];
        return new PolicyResult(
            string.Join("; ", suites.Zip(names, (suite, name) => $"{name} in {suite}")),
            [.. results[0].Prompts.Select((prompt, index) => chosen[Array.IndexOf(suites, prompt.Question.Category)].Prompts[index])]);
    }

    /// <summary>The fastest of each kind.</summary>
    private sealed record Bests(PolicyResult? Fixed, PolicyResult? Tree, PolicyResult? Rule, PolicyResult? Oracle, PolicyResult? TreeOracle)
    {
        public static Bests Of(IReadOnlyList<PolicyResult> results) => new(
            results.Any(result => PolicyKinds.IsFixedDraft(result.Name)) ? Fastest(results, PolicyKind.FixedLength) : null,
            Fastest(results, PolicyKind.FixedTree), Fastest(results, PolicyKind.Rule),
            results.FirstOrDefault(result => result.Name == OraclePolicy.PolicyName), results.FirstOrDefault(result => result.Name == TreeOraclePolicy.PolicyName));

        private static PolicyResult? Fastest(IReadOnlyList<PolicyResult> results, PolicyKind kind) =>
            results.Where(result => PolicyKinds.Of(result.Name) == kind).OrderByDescending(result => result.Sum.DecodeTokensPerSecond).FirstOrDefault();
    }
}

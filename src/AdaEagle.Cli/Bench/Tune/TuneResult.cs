namespace AdaEagle.Cli.Bench.Tune;

/// <summary>One setting of a rule, replayed over all outputs with the measured costs of rounds.</summary>
/// <param name="Policy">The setting, as a policy's name.</param>
/// <param name="TokensPerSecond">Tokens of rounds by their time: what decoding would reach.</param>
/// <param name="Speedup">Against plain decoding with the same costs.</param>
/// <param name="AcceptanceLength">tau: emitted tokens per target pass.</param>
/// <param name="DraftedPerRound">Tokens verified in a round beside the root.</param>
internal sealed record SettingJson(string Policy, double TokensPerSecond, double Speedup, double AcceptanceLength, double DraftedPerRound);

/// <summary>A rule with all the settings that were tried, the best first.</summary>
/// <param name="Rule">The rule's name.</param>
/// <param name="OverBestFixed">Its best setting's tokens per second over those of the best fixed length, minus 1.</param>
/// <param name="OracleShare">Its share of the oracle's gain over the best fixed length.</param>
/// <param name="Settings">The settings.</param>
internal sealed record RuleJson(string Rule, double OverBestFixed, double OracleShare, IReadOnlyList<SettingJson> Settings);

/// <summary>What <c>bench tune --json</c> writes.</summary>
/// <param name="Model">The model.</param>
/// <param name="Drafter">What drafted.</param>
/// <param name="Prompts">The file of prompts.</param>
/// <param name="Outputs">Outputs recorded.</param>
/// <param name="Tokens">Tokens in them.</param>
/// <param name="MaxDraft">k_max.</param>
/// <param name="Costs">Measured costs of rounds whose drafts are chains.</param>
/// <param name="ReadingDraftSeconds">By draft length from 0: a draft whose policy reads probabilities and signals too.</param>
/// <param name="TreeCosts">What trees cost beyond them.</param>
/// <param name="OracleTokensPerSecond">What one who knows every run length would reach.</param>
/// <param name="TreeOracleTokensPerSecond">What one would reach who knows the rank of every token, too.</param>
/// <param name="Rules">The rules, the best first.</param>
internal sealed record TuneJson(
    string Model, string Drafter, string Prompts, int Outputs, long Tokens, int MaxDraft, CostsJson Costs, IReadOnlyList<double> ReadingDraftSeconds, TreeCostsJson TreeCosts, double OracleTokensPerSecond,
    double TreeOracleTokensPerSecond, IReadOnlyList<RuleJson> Rules);

/// <summary>What trees cost.</summary>
/// <param name="Sizes">Numbers of nodes n.</param>
/// <param name="DraftSeconds">A draft in two passes, the second over n nodes.</param>
/// <param name="VerifySeconds">A pass over n + 1 rows.</param>
internal sealed record TreeCostsJson(IReadOnlyList<int> Sizes, IReadOnlyList<double> DraftSeconds, IReadOnlyList<double> VerifySeconds);

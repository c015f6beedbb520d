using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench;

/// <summary>The results of one run, and what follows from comparing them.</summary>
internal sealed class BenchFigures
{
    /// <summary>Compares; plain decoding is among the results.</summary>
    public BenchFigures(IReadOnlyList<PolicyResult> results)
    {
        Results = results;
        Plain = results.First(result => result.Name == DraftPolicies.Plain);
        Gains = PolicyGains.Of(results);
        int straight = Plain.Prompts.Count(prompt => !prompt.Loops);
        WithoutLoops = straight > 0 && straight < Plain.Prompts.Count ? new BenchFigures([.. results.Select(result => result.Where(index => !Plain.Prompts[index].Loops))]) : null;
    }

    /// <summary>The policies' results, in the order of the run.</summary>
    public IReadOnlyList<PolicyResult> Results { get; }

    /// <summary>Plain decoding's.</summary>
    public PolicyResult Plain { get; }

    /// <summary>What each policy gains over others, in the same order.</summary>
    public IReadOnlyList<PolicyGains> Gains { get; }

    /// <summary>The same over the prompts whose output does not loop: looping flatters every draft. Null where that is all of them, or none.</summary>
    public BenchFigures? WithoutLoops { get; }

    /// <summary>The suites, in the order of the questions.</summary>
    public IReadOnlyList<string> Suites => [.. Gains[0].Suites.Select(suite => suite.Suite)];

    /// <summary>Questions.</summary>
    public int Prompts => Plain.Prompts.Count;
}

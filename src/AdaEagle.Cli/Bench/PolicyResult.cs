using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench;

/// <summary>What one policy did on one question, all its turns together.</summary>
/// <param name="Question">The question.</param>
/// <param name="Measurement">Counts and times; of several repeats the median.</param>
/// <param name="Identical">True if the tokens of every turn and every repeat are plain decoding's.</param>
/// <param name="Loops">True if a turn's output loops.</param>
/// <param name="Rounds">Every round of the first repeat.</param>
internal sealed record PromptResult(Question Question, Measurement Measurement, bool Identical, bool Loops, IReadOnlyList<RoundRecord> Rounds)
{
    /// <summary>The turns by themselves; of several repeats those of the median.</summary>
    public IReadOnlyList<TurnResult> Turns { get; init; } = [];
}

/// <summary>What one policy said in one turn.</summary>
/// <param name="Text">The visible text.</param>
/// <param name="Tokens">Tokens emitted, an end token included.</param>
/// <param name="Seconds">From the prompt to the last token.</param>
/// <param name="Emitted">Tokens emitted by each target pass, the prefill's first.</param>
internal sealed record TurnResult(string Text, int Tokens, double Seconds, IReadOnlyList<int> Emitted);

/// <summary>What one policy did on all questions, in their order.</summary>
internal sealed record PolicyResult(string Name, IReadOnlyList<PromptResult> Prompts)
{
    /// <summary>What <c>auto</c> thought of its tokens, where that was asked for.</summary>
    public IReadOnlyList<DraftForecast> Forecasts { get; init; } = [];

    /// <summary>The same for some of the questions.</summary>
    public PolicyResult Where(Func<int, bool> takes) => new(Name, [.. Prompts.Where((_, index) => takes(index))]);

    /// <summary>The same for one suite.</summary>
    public PolicyResult OfSuite(string suite) => Where(index => Prompts[index].Question.Category == suite);

    /// <summary>Questions that were answered exactly as plain decoding answers them.</summary>
    public int IdenticalCount => Prompts.Count(prompt => prompt.Identical);

    public Measurement Sum { get; } = Measurement.Sum(Prompts.Select(prompt => prompt.Measurement));

    /// <summary>Share of questions whose output loops.</summary>
    public double RepeatedShare => Prompts.Count == 0 ? 0 : (double)Prompts.Count(prompt => prompt.Loops) / Prompts.Count;

    /// <summary>Tokens drafted in a round.</summary>
    public double MeanDrafted => Prompts.Sum(prompt => prompt.Rounds.Count) is > 0 and int rounds ? (double)Prompts.Sum(prompt => prompt.Rounds.Sum(round => round.Drafted)) / rounds : 0;

    /// <summary>How much faster than another, from prompt to last token.</summary>
    public Interval Speedup(PolicyResult other) => Bootstrap.RateRatio(Rates, other.Rates);

    /// <summary>How much faster than another, from first token to last.</summary>
    public Interval DecodeSpeedup(PolicyResult other) => Bootstrap.RateRatio(DecodeRates, other.DecodeRates);

    /// <summary>For each position of a draft, the share of tokens accepted there where all before it were.</summary>
    public IReadOnlyList<double> AcceptanceByPosition()
    {
        var rounds = Prompts.SelectMany(prompt => prompt.Rounds).ToList();
        int longest = rounds.Count == 0 ? 0 : rounds.Max(round => round.Depth);
        return [.. Enumerable.Range(1, longest).Select(position =>
            (double)rounds.Count(round => round.Accepted >= position) / rounds.Count(round => round.Depth >= position && round.Accepted >= position - 1))];
    }

    /// <summary>Its share of what <paramref name="ceiling"/> gains in decode speed over <paramref name="baseline"/>; NaN where that gains nothing.</summary>
    public Interval GainShare(PolicyResult baseline, PolicyResult ceiling) => Bootstrap.GainShare(DecodeRates, baseline.DecodeRates, ceiling.DecodeRates);

    private (double, double)[] Rates => [.. Prompts.Select(prompt => ((double)prompt.Measurement.Visible, prompt.Measurement.Total))];

    private (double, double)[] DecodeRates => [.. Prompts.Select(prompt => ((double)prompt.Measurement.VisibleAfterFirst, prompt.Measurement.Decode))];
}

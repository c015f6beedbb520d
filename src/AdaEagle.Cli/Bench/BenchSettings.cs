using AdaEagle.Generation;

namespace AdaEagle.Cli.Bench;

/// <summary>What a bench runs.</summary>
/// <param name="Questions">The questions, in file order.</param>
/// <param name="Policies">Policy names; plain decoding is the first.</param>
/// <param name="Options">How to generate; the policy in it doesn't count.</param>
/// <param name="Repeat">How often everything is run.</param>
internal sealed record BenchSettings(IReadOnlyList<Question> Questions, IReadOnlyList<string> Policies, GenerationOptions Options, int Repeat)
{
    /// <summary>True to keep what <c>auto</c> thinks of its tokens: <see cref="PolicyResult.Forecasts"/>.</summary>
    public bool KeepForecasts { get; init; }

    /// <summary>How many percent of the drafter's best children are right, whatever it says (<see cref="Levels.OverriddenDrafter"/>); null leaves it as it is.</summary>
    public int? RightPercent { get; init; }

    // Far beyond the questions of a file, so that the turns of a question have numbers of their own.
    private const long TurnStride = 1L << 32;

    /// <summary>The options for one turn: its sequence number is the same under every policy, and on every run over the same file.</summary>
    public GenerationOptions OptionsFor(Question question, int turn) =>
        Options with { Raw = true, KeepRounds = true, Sampling = Options.Sampling with { Sequence = question.Index + (turn * TurnStride) } };
}

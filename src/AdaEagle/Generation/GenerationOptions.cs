using AdaEagle.Sampling;

namespace AdaEagle.Generation;

/// <summary>How to generate.</summary>
public sealed record GenerationOptions
{
    /// <summary>
    /// The draft policy: <c>ar</c> (plain decoding) or one of <see cref="Speculation.Policies.DraftPolicies.Supported"/>.
    /// Null takes the model's best: see <see cref="LanguageModel.DefaultPolicy"/>. It changes speed, never output.
    /// </summary>
    public string? Policy { get; init; }

    /// <summary>What drafts, one of <see cref="Speculation.Drafting.Drafters.Supported"/>. Null takes the model's: see <see cref="LanguageModel.DefaultDrafter"/>.</summary>
    public string? Drafter { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>The most tokens to generate; the model's context may end the output earlier.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Texts that end the output where they first appear, also across tokens; they are not part of it.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>False lets tokens that end the output pass as ordinary ones.</summary>
    public bool StopAtEndToken { get; init; } = true;

    /// <summary>True if the prompt is a raw text to be continued; false if it is a user's message for the chat template.</summary>
    public bool Raw { get; init; }

    /// <summary>True keeps a record of every round in <see cref="GenerationStatistics.Rounds"/>.</summary>
    public bool KeepRounds { get; init; }

    /// <summary>Told after each part of the prompt that was read (on the generating thread); null: nobody.</summary>
    public IProgress<PromptProgress>? Progress { get; init; }

    /// <summary>Throws if a value is out of range.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxTokens);
        Sampling.Validate();
        if (StopStrings.Any(string.IsNullOrEmpty))
        {
            throw new ArgumentException("A stop string is empty.", nameof(StopStrings));
        }
    }
}

/// <summary>How far the reading of a prompt is.</summary>
/// <param name="Done">Tokens read.</param>
/// <param name="Total">Tokens of the prompt.</param>
public readonly record struct PromptProgress(int Done, int Total);

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>An end token or a stop string.</summary>
    Stop,

    /// <summary>The limit of tokens, or the end of the model's context.</summary>
    Length,
}

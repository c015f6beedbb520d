using AdaEagle.Speculation;

namespace AdaEagle.Generation;

/// <summary>What a generation gave.</summary>
/// <param name="Text">The visible text: special tokens and stop strings left out.</param>
/// <param name="Tokens">The tokens, an end token included.</param>
/// <param name="FinishReason">Why it ended.</param>
/// <param name="Statistics">How it went.</param>
public sealed record GenerationResult(string Text, IReadOnlyList<int> Tokens, FinishReason FinishReason, GenerationStatistics Statistics);

/// <summary>A piece of a streamed generation.</summary>
/// <param name="Text">New text; may be empty.</param>
/// <param name="Round">The round it came from: 0 is the prefill.</param>
/// <param name="Drafted">True if the token was an accepted draft token, false if the target's own.</param>
/// <param name="Result">The whole, in the last piece only.</param>
public sealed record GenerationUpdate(string Text, int Round, bool Drafted, GenerationResult? Result);

/// <summary>How a generation went. The five times add up to <see cref="TotalTime"/>.</summary>
public sealed record GenerationStatistics
{
    /// <summary>The policy that ran.</summary>
    public required string Policy { get; init; }

    /// <summary>What drafted; null in plain decoding.</summary>
    public string? Drafter { get; init; }

    /// <summary>Tokens of the prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Generated tokens that are visible: an end token, and what a stop string cut off, not counted.</summary>
    public required int VisibleTokens { get; init; }

    /// <summary>Tokens emitted by passes, the end token included, what an end, stop or limit cuts off excluded.</summary>
    public required int EmittedTokens { get; init; }

    /// <summary>Target passes, a prefill counting as one however it was chunked.</summary>
    public required int Passes { get; init; }

    /// <summary>Draft tokens verified.</summary>
    public required int Drafted { get; init; }

    /// <summary>Draft tokens accepted.</summary>
    public required int Accepted { get; init; }

    /// <summary>From the prompt to the last token.</summary>
    public required TimeSpan TotalTime { get; init; }

    /// <summary>From the prompt to the first token, without the drafter's catch-up on the prompt, which is part of <see cref="DraftTime"/>.</summary>
    public required TimeSpan PrefillTime { get; init; }

    /// <summary>Time in the policy's plans.</summary>
    public required TimeSpan PlanTime { get; init; }

    /// <summary>Time in the drafter, its catch-up on committed features included.</summary>
    public required TimeSpan DraftTime { get; init; }

    /// <summary>Time in the target's passes after the prefill, and in choosing tokens.</summary>
    public required TimeSpan VerifyTime { get; init; }

    /// <summary>The rest: bookkeeping, text, the caller's own code while streaming.</summary>
    public TimeSpan OtherTime => TotalTime - PrefillTime - PlanTime - DraftTime - VerifyTime;

    /// <summary>tau: emitted tokens per target pass; plain decoding is 1.</summary>
    public double AcceptanceLength => Passes == 0 ? 0 : (double)EmittedTokens / Passes;

    /// <summary>Visible tokens by the time from the prompt to the last token.</summary>
    public double TokensPerSecond => VisibleTokens / Math.Max(TotalTime.TotalSeconds, 1e-9);

    /// <summary>Visible tokens after the first by the time from the first token to the last, the drafter's work on the prompt included.</summary>
    public double DecodeTokensPerSecond => Math.Max(VisibleTokens - 1, 0) / Math.Max((TotalTime - PrefillTime).TotalSeconds, 1e-9);

    /// <summary>Every round, where <see cref="GenerationOptions.KeepRounds"/> asked for them; the prefill is not one.</summary>
    public IReadOnlyList<RoundRecord> Rounds { get; init; } = [];
}

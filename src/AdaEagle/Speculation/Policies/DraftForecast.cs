namespace AdaEagle.Speculation.Policies;

/// <summary>What <see cref="AutoPolicy"/> thought of a token of its draft, where all tokens before it were right, and what came of it.</summary>
/// <param name="Position">Its place in the draft, from 1.</param>
/// <param name="Planned">Its chance as planned before the draft.</param>
/// <param name="Estimated">Its chance as estimated after the draft step.</param>
/// <param name="IsRight">Whether the target says the same.</param>
public readonly record struct DraftForecast(int Position, double Planned, double Estimated, bool IsRight);

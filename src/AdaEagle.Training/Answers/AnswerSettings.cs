using System.Globalization;
using System.Text.Json.Serialization;

namespace AdaEagle.Training.Answers;

/// <summary>What the answers of a run depend on, beside target and prompts. Part of the run's file: another run's answers are not mixed in.</summary>
internal sealed record AnswerSettings
{
    /// <summary>SHA-256 over the target's weight files.</summary>
    public required string Target { get; init; }

    /// <summary>Fingerprint of the vocabulary.</summary>
    public required string Vocabulary { get; init; }

    /// <summary>Which documents gave the prompts.</summary>
    public required PromptChoice Prompts { get; init; }

    /// <summary>Width of a feature.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>The most tokens of an answer.</summary>
    public int MaxTokens { get; init; } = 128;

    /// <summary>Share of sampled answers; the others are greedy.</summary>
    public double SampledShare { get; init; }

    /// <summary>Temperature of the sampled ones.</summary>
    public float Temperature { get; init; } = 0.7f;

    /// <summary>Seed of the prompts' order and of sampling.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>True if the features are kept, BF16, for a head's training.</summary>
    public bool KeepFeatures { get; init; }

    /// <summary>Boundaries whose residual streams are kept behind the features, with commas between: for an EAGLE-3 head. Empty: none.</summary>
    public string Boundaries { get; init; } = "";

    /// <summary><see cref="Boundaries"/> as numbers.</summary>
    [JsonIgnore]
    public int[] KeptBoundaries => [.. Boundaries.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(part => int.Parse(part, CultureInfo.InvariantCulture))];

    /// <summary>Numbers that are kept per position: feature, then boundaries.</summary>
    [JsonIgnore]
    public int RowWidth => HiddenSize * (1 + KeptBoundaries.Length);
}

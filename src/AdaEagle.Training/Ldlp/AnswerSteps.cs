using AdaEagle.Speculation;

namespace AdaEagle.Training.Ldlp;

/// <summary>What a root is to a survival predictor.</summary>
/// <param name="Before">t_j, the token before the root.</param>
/// <param name="Token">t_n = t_(j+1): the root.</param>
/// <param name="Run">Run length of the draft that starts after it, at most k_max, in the answer as it was given.</param>
/// <param name="Signals">The target's distribution that gave the root.</param>
/// <param name="Temperature">At which the drafts' truth is told; 0 is greedy.</param>
/// <param name="FirstStep">Number of its first step among the answer's.</param>
/// <param name="Steps">Recorded steps of its draft.</param>
internal readonly record struct StepRoot(int Before, int Token, int Run, DraftSignals Signals, float Temperature, int FirstStep, int Steps);

/// <summary>Four numbers, for the four best children of a node.</summary>
internal readonly record struct Four(float First, float Second, float Third, float Fourth)
{
    public float this[int rank] => rank switch
    {
        0 => First,
        1 => Second,
        2 => Third,
        _ => Fourth,
    };
}

/// <summary>A step of a draft.</summary>
/// <param name="Signals">The head's distribution that the token was taken from.</param>
/// <param name="Sum">S_i.</param>
/// <param name="LogProbabilities">ln p of the four best.</param>
/// <param name="Truth">
/// Probability that each of the four is what the target emits there, given that the draft was right so far: 1 or 0 where decoding is greedy, the target's
/// own probability at the root's temperature where it samples. Zeros where nothing can be told: behind a wrong token, behind the output's end.
/// </param>
internal readonly record struct DraftStep(DraftSignals Signals, float Sum, Four LogProbabilities, Four Truth);

/// <summary>The roots of one answer with their drafts, in order.</summary>
/// <param name="Job">Number of the answer's job.</param>
/// <param name="Category">Its category.</param>
/// <param name="IsLooping">It repeats itself.</param>
/// <param name="IsCut">It was cut by length.</param>
/// <param name="IsSampled">It was sampled.</param>
/// <param name="Roots">The roots.</param>
/// <param name="Steps">The steps of all of them.</param>
/// <param name="Features">f_j of each root, [roots, hidden].</param>
/// <param name="Hidden">The head's output row of each step, BF16 [steps, hidden].</param>
internal sealed record AnswerSteps(
    int Job, string Category, bool IsLooping, bool IsCut, bool IsSampled, StepRoot[] Roots, DraftStep[] Steps, float[] Features, ushort[] Hidden)
{
    /// <summary>The steps of a root.</summary>
    public ReadOnlySpan<DraftStep> StepsOf(int root) => Steps.AsSpan(Roots[root].FirstStep, Roots[root].Steps);

    /// <summary>Widens the head's output row of a step.</summary>
    public void ReadHidden(int step, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BitConverter.UInt32BitsToSingle((uint)Hidden[(step * values.Length) + i] << 16);
        }
    }

    /// <summary>Rounds to BF16 as the engine's files do: to the nearest, ties to even.</summary>
    public static ushort ToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}

/// <summary>Training data of survival predictor and step estimator: every token of the target's own answers is a root, whose draft by the frozen head is recorded.</summary>
internal sealed class StepTable(int hidden, int maxDraft, IReadOnlyList<AnswerSteps> answers)
{
    /// <summary>Width of a feature.</summary>
    public int Hidden => hidden;

    /// <summary>k_max.</summary>
    public int MaxDraft => maxDraft;

    public IReadOnlyList<AnswerSteps> Answers => answers;

    public int RootCount { get; } = answers.Sum(answer => answer.Roots.Length);

    /// <summary>The answers whose number among them passes, for a split by answer.</summary>
    public StepTable Where(Func<int, bool> chosen) => new(hidden, maxDraft, [.. answers.Where((_, index) => chosen(index))]);
}

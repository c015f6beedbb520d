using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;

namespace AdaEagle.Training.Ldlp;

/// <summary>One root of an answer as the predictor sees it.</summary>
/// <param name="Token">t_j, j = n - 1: the token at the last position that has a feature.</param>
/// <param name="Label">Run length of the draft that starts after t_(j+1), at most k_max.</param>
/// <param name="LogProbabilities">S_1 … S_kmax of the draft.</param>
internal readonly record struct PredictorRoot(int Token, int Label, float[] LogProbabilities);

/// <summary>The roots of one answer, in order.</summary>
/// <param name="Job">Number of the answer's job.</param>
/// <param name="Category">Its category.</param>
/// <param name="IsLooping">It repeats itself.</param>
/// <param name="IsCut">It was cut by length, so that tokens follow those of the last root's run.</param>
/// <param name="Roots">The roots.</param>
/// <param name="Features">f_j of each, [roots, hidden].</param>
internal sealed record AnswerRoots(int Job, string Category, bool IsLooping, bool IsCut, PredictorRoot[] Roots, float[] Features);

/// <summary>
/// The LDLP's training data (AdaEAGLE section 3): every token t_n of the target's own output is a root with j = n - 1, its input [E(t_j) ; f_j], its label the run length
/// of the frozen head's draft from (f_j, t_(j+1)).
/// </summary>
internal sealed class RootTable(int hidden, IReadOnlyList<AnswerRoots> answers)
{
    /// <summary>Width of a feature.</summary>
    public int Hidden => hidden;

    public IReadOnlyList<AnswerRoots> Answers => answers;

    public int RootCount { get; } = answers.Sum(answer => answer.Roots.Length);

    /// <summary>The roots of recorded runs.</summary>
    public static AnswerRoots Of(AnswerRuns runs, int hidden)
    {
        PredictorRoot[] roots = [.. runs.Roots.Select(root => new PredictorRoot(runs.Answer.Tokens[root.Index - 1], root.RunLength, root.LogProbabilities))];
        int first = runs.Answer.PromptLength - 1; // j of the first root: the prompt's last token
        return new AnswerRoots(runs.Answer.Job, runs.Answer.Category, runs.Answer.IsLooping, runs.Answer.IsCut, roots, runs.Features[(first * hidden)..((first + roots.Length) * hidden)]);
    }

    /// <summary>The same roots with run lengths cut to <paramref name="longest"/>: the labels of a predictor that asks for no more.</summary>
    public RootTable CutTo(int longest) =>
        new(hidden, [.. answers.Select(answer => answer with { Roots = [.. answer.Roots.Select(root => root with { Label = Math.Min(root.Label, longest) })] })]);

    /// <summary>The answers whose number among them passes, for a split by answer.</summary>
    public RootTable Where(Func<int, bool> chosen) => new(hidden, [.. answers.Where((_, index) => chosen(index))]);
}

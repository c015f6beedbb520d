using System.Globalization;
using AdaEagle.Models;
using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Eagle;

/// <summary>What drafts of a head are worth on some answers: statistics of the run lengths of all their roots.</summary>
/// <param name="Text">Which answers.</param>
/// <param name="Roots">Number of roots.</param>
/// <param name="Mean">Mean run length.</param>
/// <param name="Conditional">At [i - 1]: the share of roots whose run reaches i among those whose run reaches i - 1; NaN where there are none.</param>
internal sealed record AcceptanceRow(string Text, int Roots, double Mean, double[] Conditional);

/// <summary>Measures a head's acceptance with the engine's own drafts.</summary>
internal static class Acceptance
{
    /// <summary>Rows by category, then all answers, then those that don't loop.</summary>
    public static List<AcceptanceRow> Measure(LlamaModel target, EagleHead head, IReadOnlyList<Answer> answers, int maxDraft, int threads)
    {
        var runs = new List<AnswerRuns>();
        new RunLengths(target, head, maxDraft, wholeDrafts: false).Record(answers, threads, one => runs.Add(one with { Features = [] }));
        return Rows(runs, maxDraft);
    }

    public static List<AcceptanceRow> Rows(IReadOnlyList<AnswerRuns> runs, int maxDraft) =>
    [
        .. runs.GroupBy(one => one.Answer.Category).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => Row(group.Key, group, maxDraft)),
        Row("all", runs, maxDraft),
        Row("not looping", runs.Where(one => !one.Answer.IsLooping), maxDraft),
    ];

    /// <summary>The rows as a table of plain text.</summary>
    public static string Table(IEnumerable<AcceptanceRow> rows) => string.Join('\n',
    [
        "text          roots   mean   P(0)   conditional acceptance by position",
        .. rows.Select(row => string.Create(CultureInfo.InvariantCulture,
            $"{row.Text,-12} {row.Roots,6} {row.Mean,6:0.00} {1 - row.Conditional[0],6:0.00}   {string.Join(' ', row.Conditional.Select(share => share.ToString("0.00", CultureInfo.InvariantCulture)))}")),
    ]);

    private static AcceptanceRow Row(string text, IEnumerable<AnswerRuns> runs, int maxDraft)
    {
        int[] lengths = [.. runs.SelectMany(one => one.Roots).Select(root => root.RunLength)];
        double[] conditional = [.. Enumerable.Range(1, maxDraft).Select(position =>
            (double)lengths.Count(length => length >= position) / lengths.Count(length => length >= position - 1))];
        return new AcceptanceRow(text, lengths.Length, lengths.Length > 0 ? lengths.Average() : double.NaN, conditional);
    }
}

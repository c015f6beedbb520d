using System.Globalization;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Training.Ldlp;

/// <summary>How well a survival predictor and its step estimator do on some roots. Figures of steps are weighted with the probability that decoding gets there.</summary>
/// <param name="Text">Which roots.</param>
/// <param name="Roots">Number of them.</param>
/// <param name="Mean">Mean run length.</param>
/// <param name="R2">Of the expected accepted length before the draft against the run length.</param>
/// <param name="HazardAuc">Before the draft: the chance that a right token has a larger hazard than a wrong one.</param>
/// <param name="HazardLoss">Cross-entropy of hazards, nats a step.</param>
/// <param name="BaseLoss">That of the mean hazard of each position.</param>
/// <param name="DraftAuc">Of the head's own probability of its token.</param>
/// <param name="RightAuc">After the step: of the estimate that the token is right.</param>
/// <param name="RightLoss">Its cross-entropy.</param>
/// <param name="NextAuc">Of the estimate that the next would be right.</param>
internal sealed record SurvivalQuality(
    string Text, int Roots, double Mean, double R2, double HazardAuc, double HazardLoss, double BaseLoss, double DraftAuc, double RightAuc, double RightLoss, double NextAuc);

/// <summary>A line of a reliability table: steps whose predicted probability lies in a tenth, and how many of them were right.</summary>
internal sealed record Reliability(string Of, double From, double Steps, double Predicted, double Observed);

/// <summary>Measures survival predictors on recorded roots.</summary>
internal static class SurvivalReport
{
    private const int Bins = 10;

    /// <summary>By category, all together, and those of answers that don't loop; <paramref name="visited"/>: only roots that it has.</summary>
    public static List<SurvivalQuality> Quality(StepTable table, SurvivalPredictions predictions, HashSet<(int, int)>? visited)
    {
        List<RootQuality> roots = [.. Roots(table, predictions, visited)];
        return
        [
            .. roots.GroupBy(root => root.Category).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => Row(group.Key, [.. group])),
            Row("all", roots),
            Row("not looping", [.. roots.Where(root => !root.IsLooping)]),
        ];
    }

    /// <summary>Predicted against observed on visited roots, for hazards and the two estimates, on all answers or those that don't loop.</summary>
    public static List<Reliability> ReliabilityTable(StepTable table, SurvivalPredictions predictions, HashSet<(int, int)> visited, bool onlyPlain)
    {
        StepPoint[] steps = [.. Roots(table, predictions, visited).Where(root => !onlyPlain || !root.IsLooping).SelectMany(root => root.Steps)];
        return
        [
            .. Table("planned", [.. steps.Select(step => (step.Planned, step.Truth, step.Weight))]),
            .. Table("right", [.. steps.Select(step => (step.Right, step.Truth, step.Weight))]),
            .. Table("next", [.. steps.Where(step => !double.IsNaN(step.Next)).Select(step => (step.Next, step.Truth, step.Weight))]),
        ];

        static IEnumerable<Reliability> Table(string of, (double Predicted, double Truth, double Weight)[] points) => points
            .GroupBy(point => Math.Min((int)(point.Predicted * Bins), Bins - 1)).OrderBy(group => group.Key)
            .Select(group => new Reliability(
                of, (double)group.Key / Bins, group.Sum(point => point.Weight), Mean(group.Select(point => (point.Predicted, point.Weight))), Mean(group.Select(point => (point.Truth, point.Weight)))));
    }

    /// <summary>Simulated decoding of <c>auto</c>: planned once, revised after each step, and with siblings; on all answers and those that don't loop.</summary>
    public static List<SimulationRow> Simulate(StepTable table, SurvivalPredictions predictions, double draftCost, double verifyCost)
    {
        return
        [
            Row("survival, planned", SurvivalUse.Planned), Row("auto, chains", SurvivalUse.Revised), Row("auto, with siblings", SurvivalUse.WithSiblings),
        ];

        SimulationRow Row(string name, SurvivalUse use)
        {
            var replay = new SurvivalReplay(table, predictions, use);
            SurvivalResult all = replay.Run(draftCost, verifyCost), plain = replay.Run(draftCost, verifyCost, answer => !answer.IsLooping);
            return new SimulationRow(name, all.TokensPerPass(draftCost, verifyCost), plain.TokensPerPass(draftCost, verifyCost), (double)all.Drafted / all.Rounds, (double)all.Emitted / all.Rounds);
        }
    }

    /// <summary>The roots at which <c>auto</c> on chains starts rounds.</summary>
    public static HashSet<(int, int)> Visited(StepTable table, SurvivalPredictions predictions, double draftCost, double verifyCost)
    {
        var visited = new HashSet<(int, int)>();
        new SurvivalReplay(table, predictions, SurvivalUse.Revised).Run(draftCost, verifyCost, visit: (answer, root) => visited.Add((answer, root)));
        return visited;
    }

    public static string Table(string title, IEnumerable<SurvivalQuality> rows) => string.Join('\n',
    [
        $"{title,-26} roots   run     R2   plan: AUC  loss (base)     head's p: AUC   right: AUC  loss   next: AUC",
        .. rows.Select(row => string.Create(CultureInfo.InvariantCulture,
            $"{row.Text,-24} {row.Roots,7} {row.Mean,5:0.00} {row.R2,6:0.000}      {row.HazardAuc,6:0.000} {row.HazardLoss,5:0.000} ({row.BaseLoss:0.000})          {row.DraftAuc,6:0.000}       {row.RightAuc,6:0.000} {row.RightLoss,5:0.000}      {row.NextAuc,6:0.000}")),
    ]);

    public static string Table(string title, IEnumerable<Reliability> rows) => string.Join('\n',
    [
        $"{title}: predicted probability, observed share (steps)",
        .. rows.GroupBy(row => row.Of).Select(group => $"{group.Key,-8} {string.Join("  ", group.Select(row => string.Create(CultureInfo.InvariantCulture, $"{row.Predicted:0.00} {row.Observed:0.00} ({row.Steps:0})")))}"),
    ]);

    /// <summary>The chance that a point that is true (probability of it its truth) is ranked above one that is not; ties count half.</summary>
    public static double Auc(IEnumerable<(double Score, double Truth, double Weight)> points)
    {
        double above = 0, wrongBelow = 0, right = 0, wrong = 0;
        foreach (var group in points.GroupBy(point => point.Score).OrderBy(group => group.Key))
        {
            double ownRight = group.Sum(point => point.Truth * point.Weight), ownWrong = group.Sum(point => (1 - point.Truth) * point.Weight);
            above += ownRight * (wrongBelow + (ownWrong / 2));
            wrongBelow += ownWrong;
            (right, wrong) = (right + ownRight, wrong + ownWrong);
        }

        return above / (right * wrong);
    }

    private static IEnumerable<RootQuality> Roots(StepTable table, SurvivalPredictions predictions, HashSet<(int, int)>? visited)
    {
        for (int number = 0; number < table.Answers.Count; number++)
        {
            AnswerSteps answer = table.Answers[number];
            for (int root = 0; root < answer.Roots.Length; root++)
            {
                if (visited is not null && !visited.Contains((number, root)))
                {
                    continue;
                }

                float[] plans = predictions.Plans[number];
                StepEstimate[] estimates = predictions.Estimates[number];
                int plan = root * table.MaxDraft, first = answer.Roots[root].FirstStep;
                double expected = 0, survival = 1;
                for (int i = 0; i < table.MaxDraft; i++)
                {
                    expected += survival *= Probability(plans[plan + i]);
                }

                var steps = new List<StepPoint>();
                ReadOnlySpan<DraftStep> drafted = answer.StepsOf(root);
                double reach = 1;
                for (int i = 0; i < drafted.Length && reach > 0.01; i++)
                {
                    steps.Add(new StepPoint(
                        i, Probability(plans[plan + i]), drafted[i].Signals.Top, Probability(estimates[first + i].Right),
                        i > 0 ? Probability(estimates[first + i - 1].Next) : double.NaN, drafted[i].Truth.First, reach));
                    reach *= drafted[i].Truth.First;
                }

                yield return new RootQuality(answer.Category, answer.IsLooping, answer.Roots[root].Run, expected, [.. steps]);
            }
        }
    }

    private static SurvivalQuality Row(string text, IReadOnlyList<RootQuality> roots)
    {
        StepPoint[] steps = [.. roots.SelectMany(root => root.Steps)];
        if (steps.Length == 0)
        {
            return new SurvivalQuality(text, 0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
        }

        double mean = roots.Average(root => (double)root.Run), squares = roots.Sum(root => Math.Pow(root.Run - mean, 2));
        Dictionary<int, double> usual = steps.GroupBy(step => step.Position).ToDictionary(group => group.Key, group => Mean(group.Select(step => (step.Truth, step.Weight))));
        return new SurvivalQuality(
            text, roots.Count, mean, 1 - (roots.Sum(root => Math.Pow(root.Run - root.Expected, 2)) / squares),
            Auc(steps.Select(step => (step.Planned, step.Truth, step.Weight))), Loss(steps, step => step.Planned), Loss(steps, step => usual[step.Position]),
            Auc(steps.Select(step => (step.Head, step.Truth, step.Weight))), Auc(steps.Select(step => (step.Right, step.Truth, step.Weight))), Loss(steps, step => step.Right),
            Auc(steps.Where(step => !double.IsNaN(step.Next)).Select(step => (step.Next, step.Truth, step.Weight))));
    }

    private static double Loss(StepPoint[] steps, Func<StepPoint, double> predicted) => Mean(steps.Select(step =>
    {
        double probability = Math.Clamp(predicted(step), 1e-6, 1 - 1e-6);
        return (-(step.Truth * Math.Log(probability)) - ((1 - step.Truth) * Math.Log(1 - probability)), step.Weight);
    }));

    private static double Mean(IEnumerable<(double Value, double Weight)> points)
    {
        double sum = 0, weights = 0;
        foreach ((double value, double weight) in points)
        {
            (sum, weights) = (sum + (value * weight), weights + weight);
        }

        return sum / weights;
    }

    private static double Probability(float logit) => 1 / (1 + Math.Exp(-logit));

    private sealed record RootQuality(string Category, bool IsLooping, int Run, double Expected, StepPoint[] Steps);

    private readonly record struct StepPoint(int Position, double Planned, double Head, double Right, double Next, double Truth, double Weight);
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdaEagle.Training.Ldlp;

/// <summary>How well a predictor does on some roots.</summary>
/// <param name="Text">Which roots.</param>
/// <param name="Roots">Number of them.</param>
/// <param name="Loss">Mean asymmetric L1 of its scalar.</param>
/// <param name="Constant">The constant with the least loss on the same roots.</param>
/// <param name="ConstantLoss">That constant's loss.</param>
/// <param name="MeanAbsoluteError">Mean |y - k|.</param>
/// <param name="R2">1 - sum (y - k)^2 / sum (k - mean)^2; a quantile above the mean costs R2, however well it orders the roots.</param>
/// <param name="Correlation2">Squared correlation of y and k: R2 after the best straight line.</param>
internal sealed record PredictionQuality(
    string Text, int Roots, double Loss, int Constant, double ConstantLoss, double MeanAbsoluteError, double R2, double Correlation2);

/// <summary>One line of the simulated decoding: tokens per plain pass on all answers and on those that don't loop.</summary>
internal sealed record SimulationRow(string Policy, double All, double NotLooping, double Drafted, double AcceptanceLength);

/// <summary>Measures predictors on recorded roots.</summary>
internal static class LdlpReport
{
    public static readonly double[] Thresholds = [-0.2, -0.4, -0.6, -0.8, -1, -1.5, -2, -3];

    /// <summary>How every report.json of a predictor is written: of few roots some figures are no numbers.</summary>
    public static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>By category, all together, and those of answers that don't loop: all roots, or only those where <c>ldlp</c> itself starts a round. Run lengths are cut to the longest prediction, as in training.</summary>
    public static List<PredictionQuality> Quality(RootTable table, IReadOnlyList<double[]> predictions, double lambda, int longest, bool onlyVisited)
    {
        var points = new List<(string Category, bool IsLooping, double Predicted, int Label)>();
        for (int index = 0; index < table.Answers.Count; index++)
        {
            AnswerRoots answer = table.Answers[index];
            double[] predicted = predictions[index];
            var visited = new List<int>();
            if (onlyVisited)
            {
                Replay.Run(answer, predicted, ReplayPolicy.Ldlp(longest), visited.Add);
            }

            points.AddRange((onlyVisited ? visited : Enumerable.Range(0, answer.Roots.Length)).Select(root => (answer.Category, answer.IsLooping, predicted[root], Math.Min(answer.Roots[root].Label, longest))));
        }

        return
        [
            .. points.GroupBy(point => point.Category).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => Row(group.Key, [.. group.Select(point => (point.Predicted, point.Label))], lambda)),
            Row("all", [.. points.Select(point => (point.Predicted, point.Label))], lambda),
            Row("not looping", [.. points.Where(point => !point.IsLooping).Select(point => (point.Predicted, point.Label))], lambda),
        ];
    }

    /// <summary>Simulated decoding of fixed lengths, thresholds, the predictor with and without threshold, and the oracle.</summary>
    public static List<SimulationRow> Simulate(RootTable table, IReadOnlyList<double[]> predictions, int longest, int maxDraft, double draftCost, double verifyCost)
    {
        ReplayPolicy[] policies =
        [
            .. Enumerable.Range(0, maxDraft + 1).Select(ReplayPolicy.Fixed),
            .. Thresholds.Select(threshold => ReplayPolicy.Threshold(threshold, maxDraft)),
            .. predictions.Count > 0 ? (IEnumerable<ReplayPolicy>)[ReplayPolicy.Ldlp(longest), .. Thresholds.Select(threshold => ReplayPolicy.LdlpThreshold(threshold, longest, maxDraft))] : [],
        ];
        AnswerRoots[] plain = [.. table.Answers.Where(answer => !answer.IsLooping)];
        double[][] plainPredictions = predictions.Count > 0 ? [.. predictions.Where((_, index) => !table.Answers[index].IsLooping)] : [];
        List<SimulationRow> rows =
        [
            .. policies.Select(policy => Row(policy.Name, Replay.Run(table.Answers, predictions, policy), Replay.Run(plain, plainPredictions, policy))),
        ];
        (ReplayResult oracle, _) = Replay.Oracle(table.Answers, draftCost, verifyCost);
        (ReplayResult plainOracle, _) = Replay.Oracle(plain, draftCost, verifyCost);
        rows.Add(Row("oracle", oracle, plainOracle));
        return rows;

        SimulationRow Row(string name, ReplayResult all, ReplayResult notLooping) => new(
            name, all.TokensPerPass(draftCost, verifyCost), notLooping.TokensPerPass(draftCost, verifyCost), (double)all.Drafted / all.Rounds, all.AcceptanceLength);
    }

    public static string Table(string title, IEnumerable<PredictionQuality> rows) => string.Join('\n',
    [
        $"{title,-24} roots   loss  best constant (its loss)   MAE     R2   r^2",
        .. rows.Select(row => string.Create(CultureInfo.InvariantCulture,
            $"{row.Text,-22} {row.Roots,7} {row.Loss,6:0.000}  {row.Constant,13} {row.ConstantLoss,11:0.000} {row.MeanAbsoluteError,7:0.000} {row.R2,6:0.000} {row.Correlation2,5:0.000}")),
    ]);

    public static string Table(string title, IReadOnlyList<SimulationRow> rows)
    {
        SimulationRow[] fixedRows = [.. rows.Where(row => row.Policy.StartsWith("fixed:", StringComparison.Ordinal))];
        double best = fixedRows.Max(row => row.All), bestPlain = fixedRows.Max(row => row.NotLooping);
        SimulationRow oracle = rows.First(row => row.Policy == "oracle");
        return string.Join('\n',
        [
            $"{title}: tokens per plain pass (gain over the best fixed length, share of the oracle's gain)",
            $"{"policy",-22} {"all",22}  {"not looping",22}  drafted/round  tau",
            .. rows.Select(row => string.Create(CultureInfo.InvariantCulture,
                $"{row.Policy,-22} {row.All,7:0.000} ({Gain(row.All, best, oracle.All)})  {row.NotLooping,7:0.000} ({Gain(row.NotLooping, bestPlain, oracle.NotLooping)})  {row.Drafted,13:0.00}  {row.AcceptanceLength:0.00}")),
        ]);

        static string Gain(double value, double best, double oracle) =>
            string.Create(CultureInfo.InvariantCulture, $"{(value / best) - 1,6:+0.0%;-0.0%}, {(oracle > best ? (value - best) / (oracle - best) : double.NaN),4:0%}");
    }

    private static PredictionQuality Row(string text, (double Predicted, int Label)[] points, double lambda)
    {
        if (points.Length == 0)
        {
            return new PredictionQuality(text, 0, double.NaN, 0, double.NaN, double.NaN, double.NaN, double.NaN);
        }

        int constant = LdlpTrainer.BestConstant([.. points.Select(point => point.Label)], lambda);
        double labelMean = points.Average(point => point.Label), predictedMean = points.Average(point => point.Predicted);
        double labelSquares = points.Sum(point => Math.Pow(point.Label - labelMean, 2)), predictedSquares = points.Sum(point => Math.Pow(point.Predicted - predictedMean, 2));
        double products = points.Sum(point => (point.Label - labelMean) * (point.Predicted - predictedMean));
        return new PredictionQuality(
            text,
            points.Length,
            points.Average(point => LdlpTrainer.Loss(point.Predicted, point.Label, lambda)),
            constant,
            points.Average(point => LdlpTrainer.Loss(constant, point.Label, lambda)),
            points.Average(point => Math.Abs(point.Predicted - point.Label)),
            1 - points.Sum(point => Math.Pow(point.Predicted - point.Label, 2)) / labelSquares,
            products * products / (labelSquares * predictedSquares));
    }
}

using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>What <c>adaeagle-train ldlp --kind stop</c> was asked for, beside the recording.</summary>
/// <param name="Fit">How it is trained.</param>
/// <param name="DraftCost">Cost c of a draft step in plain passes, for the simulation.</param>
/// <param name="VerifyCost">Cost v of a further verified row.</param>
internal sealed record StopSettings(StopOptions Fit, double DraftCost, double VerifyCost);

/// <summary>Recorded drafts, training, report: the run of <c>adaeagle-train ldlp --kind stop</c>. Its folder may be a survival predictor's: both learn from the same recording.</summary>
internal sealed class StopRun(TextWriter log, AnsweringTarget target, string headFingerprint, RecordingSettings recording, StopSettings settings)
{
    private static readonly double[] s_thresholds = [0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998];

    /// <summary>Trains, and returns the folder of the stop head.</summary>
    public string Run(StepRecording steps)
    {
        StepTable training = steps.Training();
        StepTable? validation = steps.Validation();
        TorchLibrary.Begin(recording.Threads, settings.Fit.Seed);
        string export = Path.Combine(recording.Folder, "stop");
        Train(training, export);
        Judge(export, training, validation);
        return export;
    }

    private void Train(StepTable training, string export)
    {
        using var progress = new TrainingProgress("stop head", settings.Fit.Epochs);
        (StopModel model, List<LdlpEpoch> epochs) = StopTrainer.Train(training, settings.Fit, (epoch, rows) => progress.Report(epoch.Epoch, epoch.TrainingLoss, rows));
        using StopModel trained = model;
        LdlpEpoch kept = epochs.MinBy(epoch => epoch.AsideLoss);
        progress.Log(string.Create(CultureInfo.InvariantCulture, $"{epochs.Count} epochs, the best is {kept.Epoch}: loss {kept.TrainingLoss:0.000}, on answers kept aside {kept.AsideLoss:0.000}"));
        trained.Export(export, new Dictionary<string, JsonNode?>
        {
            ["reject_weight"] = settings.Fit.RejectWeight,
            ["target_vocabulary"] = target.Tokenizer.Fingerprint,
            ["target_weights"] = target.Fingerprint,
            ["head_weights"] = headFingerprint,
            ["training_answers"] = training.Answers.Count,
            ["training_roots"] = training.RootCount,
            ["sampled_share"] = recording.SampledShare,
            ["dropout"] = settings.Fit.Dropout,
            ["weight_decay"] = settings.Fit.WeightDecay,
            ["seed"] = settings.Fit.Seed,
        });
        double[] numbers = [.. epochs.Select(epoch => (double)epoch.Epoch)];
        LossCurve.Save(
            Path.Combine(recording.Folder, "stop-loss.png"), "Stop head (epochs instead of tokens)",
            new LossSeries("training", numbers, [.. epochs.Select(epoch => epoch.TrainingLoss)]), new LossSeries("kept aside", numbers, [.. epochs.Select(epoch => epoch.AsideLoss)]));
    }

    /// <summary>Measures the exported head with the engine: how well it ranks steps, and simulated decoding by threshold, where drafts of validation answers were recorded whole.</summary>
    private void Judge(string export, StepTable training, StepTable? validation)
    {
        using StopWeights weights = StopWeights.Load(export, target.Model);
        using var head = new StopHead(weights);
        (double own, double usual) = (Auc(training, Predict(head, training)), double.NaN);
        var simulation = new List<SimulationRow>();
        if (validation is not null)
        {
            double[][] predictions = Predict(head, validation);
            usual = Auc(validation, predictions);
            simulation = Simulate(validation, predictions);
            log.WriteLine(LdlpReport.Table(string.Create(CultureInfo.InvariantCulture, $"c {settings.DraftCost}, v {settings.VerifyCost}"), simulation));
        }

        log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"stop head: area under the curve {usual:0.000} on validation answers, {own:0.000} on those it was trained on"));
        var report = new JsonObject
        {
            ["kind"] = "stop",
            ["reject_weight"] = settings.Fit.RejectWeight,
            ["draft_cost"] = settings.DraftCost,
            ["verify_cost"] = settings.VerifyCost,
            ["bytes"] = weights.ByteLength,
            ["auc"] = JsonSerializer.SerializeToNode(usual, LdlpReport.Json),
            ["auc_trained_on"] = JsonSerializer.SerializeToNode(own, LdlpReport.Json),
            ["simulation"] = JsonSerializer.SerializeToNode(simulation, LdlpReport.Json),
        };
        AtomicFile.Write(Path.Combine(recording.Folder, "stop-report.json"), stream => stream.Write(Encoding.UTF8.GetBytes(report.ToJsonString(LdlpReport.Json) + "\n")));
    }

    /// <summary>What the engine predicts for every step, by answer.</summary>
    public static double[][] Predict(StopHead head, StepTable table)
    {
        float[] output = new float[table.Hidden];
        return [.. table.Answers.Select(answer => Enumerable.Range(0, answer.Steps.Length).Select(step =>
        {
            answer.ReadHidden(step, output);
            return head.Acceptance(output);
        }).ToArray())];
    }

    // Fixed lengths, thresholds and the oracle, then the policy: stopping where 1 - p_1 … p_i > H is stopping where the sum of ln p_i is below ln (1 - H).
    private List<SimulationRow> Simulate(StepTable table, double[][] predictions)
    {
        RootTable drafts = Roots(table, (answer, step) => table.Answers[answer].Steps[step].Sum, isSum: true);
        RootTable own = Roots(table, (answer, step) => (float)Math.Log(Math.Max(predictions[answer][step], 1e-9)), isSum: false);
        AnswerRoots[] plain = [.. own.Answers.Where(answer => !answer.IsLooping)];
        return
        [
            .. LdlpReport.Simulate(drafts, [], table.MaxDraft, table.MaxDraft, settings.DraftCost, settings.VerifyCost),
            .. s_thresholds.Select(most =>
            {
                ReplayPolicy policy = ReplayPolicy.Threshold(Math.Log(1 - most), table.MaxDraft) with { Name = FormattableString.Invariant($"specdec++:{most}") };
                ReplayResult all = Replay.Run(own.Answers, [], policy), notLooping = Replay.Run(plain, [], policy);
                return new SimulationRow(
                    policy.Name, all.TokensPerPass(settings.DraftCost, settings.VerifyCost), notLooping.TokensPerPass(settings.DraftCost, settings.VerifyCost), (double)all.Drafted / all.Rounds, all.AcceptanceLength);
            }),
        ];
    }

    private static RootTable Roots(StepTable table, Func<int, int, float> value, bool isSum) => new(table.Hidden, [.. table.Answers.Select((answer, number) => new AnswerRoots(
        answer.Job, answer.Category, answer.IsLooping, answer.IsCut,
        [.. answer.Roots.Select(root =>
        {
            float[] sums = [.. Enumerable.Range(root.FirstStep, root.Steps).Select(step => value(number, step))];
            for (int i = 1; i < sums.Length && !isSum; i++)
            {
                sums[i] += sums[i - 1];
            }

            return new PredictorRoot(root.Before, root.Run, sums);
        })],
        answer.Features))]);

    // Of steps that drafts reach, weighted with how often.
    private static double Auc(StepTable table, double[][] predictions)
    {
        var points = new List<(double, double, double)>();
        for (int number = 0; number < table.Answers.Count; number++)
        {
            AnswerSteps answer = table.Answers[number];
            foreach (StepRoot root in answer.Roots)
            {
                double reach = 1;
                for (int step = root.FirstStep; step < root.FirstStep + root.Steps && reach > 0; step++)
                {
                    points.Add((predictions[number][step], answer.Steps[step].Truth.First, reach));
                    reach *= answer.Steps[step].Truth.First;
                }
            }
        }

        return SurvivalReport.Auc(points);
    }
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Torch;

namespace AdaEagle.Training.Ldlp;

/// <summary>What <c>adaeagle-train ldlp --kind survival</c> was asked for, beside the recording.</summary>
/// <param name="Fit">How it is trained.</param>
/// <param name="Scalar">Folder of a scalar predictor to simulate beside it, or null.</param>
internal sealed record SurvivalSettings(SurvivalOptions Fit, string? Scalar);

/// <summary>Answers, recorded drafts, training, report: the run of <c>adaeagle-train ldlp --kind survival</c>. A run that was stopped goes on in its folder.</summary>
internal sealed class SurvivalRun(TextWriter log, AnsweringTarget target, string headFingerprint, RecordingSettings recording, SurvivalSettings settings)
{
    /// <summary>Trains, and returns the folder of the predictor.</summary>
    public string Run(StepRecording steps)
    {
        StepTable training = steps.Training();
        StepTable? validation = steps.Validation();
        TorchLibrary.Begin(recording.Threads, settings.Fit.Seed);
        string export = Path.Combine(recording.Folder, "export");
        Train(training, export);
        Judge(export, training, validation);
        return export;
    }

    private void Train(StepTable training, string export)
    {
        var curves = new Dictionary<string, List<LdlpEpoch>>(StringComparer.Ordinal);
        using var progress = new TrainingProgress("survival", settings.Fit.Epochs);
        using SurvivalModel model = SurvivalTrainer.Train(training, target.Embedding(), settings.Fit, (part, epoch, rows) =>
        {
            if (!curves.TryGetValue(part, out List<LdlpEpoch>? epochs))
            {
                curves.Add(part, epochs = []);
            }

            epochs.Add(epoch);
            progress.Report(epoch.Epoch, epoch.TrainingLoss, rows);
        });
        foreach ((string part, List<LdlpEpoch> epochs) in curves)
        {
            LdlpEpoch kept = epochs.MinBy(epoch => epoch.AsideLoss);
            progress.Log(string.Create(CultureInfo.InvariantCulture, $"{part}: {epochs.Count} epochs, the best is {kept.Epoch}: loss {kept.TrainingLoss:0.000}, on answers kept aside {kept.AsideLoss:0.000}"));
        }

        progress.Log(string.Create(CultureInfo.InvariantCulture, $"of the variance before a step the estimate after it explains {model.Resolved:0.00}"));
        model.Export(export, new Dictionary<string, JsonNode?>
        {
            ["target_vocabulary"] = target.Tokenizer.Fingerprint,
            ["target_weights"] = target.Fingerprint,
            ["head_weights"] = headFingerprint,
            ["eos_token_id"] = new JsonArray([.. target.EndTokens.Select(token => (JsonNode)token)]),
            ["training_answers"] = training.Answers.Count,
            ["training_roots"] = training.RootCount,
            ["sampled_share"] = recording.SampledShare,
            ["temperatures"] = recording.SampledShare > 0 ? new JsonArray([0, .. recording.StepTemperatures.Select(value => (JsonNode)value)]) : new JsonArray(0),
            ["dropout"] = settings.Fit.Dropout,
            ["weight_decay"] = settings.Fit.WeightDecay,
            ["seed"] = settings.Fit.Seed,
        });
        LossCurve.Save(
            Path.Combine(recording.Folder, "loss.png"), "Survival predictor (epochs instead of tokens)",
            [.. curves.Where(item => item.Key is "plan" or "step").SelectMany(item => (LossSeries[])
            [
                new LossSeries($"{item.Key}, training", [.. item.Value.Select(epoch => (double)epoch.Epoch)], [.. item.Value.Select(epoch => epoch.TrainingLoss)]),
                new LossSeries($"{item.Key}, kept aside", [.. item.Value.Select(epoch => (double)epoch.Epoch)], [.. item.Value.Select(epoch => epoch.AsideLoss)]),
            ])]);
    }

    /// <summary>Measures the exported predictor with the engine; without validation answers, on those it was trained on, which flatters it.</summary>
    private void Judge(string export, StepTable training, StepTable? validation)
    {
        StepTable judged = validation ?? training;
        (double c, double v) = (settings.Fit.DraftCost, settings.Fit.VerifyCost);
        using SurvivalWeights weights = SurvivalWeights.Load(export, target.Model);
        using var predictor = new SurvivalPredictor(weights);
        SurvivalPredictions predictions = Predict(predictor, judged), own = Predict(predictor, training);
        HashSet<(int, int)> visited = SurvivalReport.Visited(judged, predictions, c, v);
        string name = validation is null ? "training" : "validation";
        List<SurvivalQuality> all = SurvivalReport.Quality(judged, predictions, null), there = SurvivalReport.Quality(judged, predictions, visited), known = SurvivalReport.Quality(training, own, null);
        List<Reliability> reliability = SurvivalReport.ReliabilityTable(judged, predictions, visited, false), plain = SurvivalReport.ReliabilityTable(judged, predictions, visited, true);
        log.WriteLine(SurvivalReport.Table($"{name}, all roots", all));
        log.WriteLine(SurvivalReport.Table($"{name}, visited roots", there));
        log.WriteLine(SurvivalReport.Table("trained on, all roots", known.Where(row => row.Text is "all" or "not looping")));
        log.WriteLine(SurvivalReport.Table($"{name}, visited roots", reliability));
        log.WriteLine(SurvivalReport.Table($"{name}, visited roots that don't loop", plain));
        List<SimulationRow> simulation = validation is null ? [] : Simulate(judged, predictions, c, v);
        if (simulation.Count > 0)
        {
            log.WriteLine(LdlpReport.Table(string.Create(CultureInfo.InvariantCulture, $"c {c}, v {v}"), simulation));
        }

        var report = new JsonObject
        {
            ["kind"] = "survival",
            ["draft_cost"] = c,
            ["verify_cost"] = v,
            ["resolved"] = weights.Resolved,
            ["plan_bytes"] = weights.PlanBytes,
            ["step_bytes"] = weights.StepBytes,
            ["all_roots"] = JsonSerializer.SerializeToNode(all, LdlpReport.Json),
            ["visited_roots"] = JsonSerializer.SerializeToNode(there, LdlpReport.Json),
            ["trained_on"] = JsonSerializer.SerializeToNode(known, LdlpReport.Json),
            ["reliability"] = JsonSerializer.SerializeToNode(reliability, LdlpReport.Json),
            ["reliability_not_looping"] = JsonSerializer.SerializeToNode(plain, LdlpReport.Json),
            ["simulation"] = JsonSerializer.SerializeToNode(simulation, LdlpReport.Json),
        };
        AtomicFile.Write(Path.Combine(recording.Folder, "report.json"), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(report.ToJsonString(LdlpReport.Json) + "\n")));
    }

    /// <summary>Fixed lengths, thresholds, the scalar if there is one, the oracle, and <c>auto</c> in its forms.</summary>
    private List<SimulationRow> Simulate(StepTable table, SurvivalPredictions predictions, double draftCost, double verifyCost)
    {
        var roots = new RootTable(table.Hidden, [.. table.Answers.Select(answer => new AnswerRoots(
            answer.Job, answer.Category, answer.IsLooping, answer.IsCut,
            [.. Enumerable.Range(0, answer.Roots.Length).Select(root => new PredictorRoot(answer.Roots[root].Before, answer.Roots[root].Run, [.. answer.StepsOf(root).ToArray().Select(step => step.Sum)]))],
            answer.Features))]);
        double[][] lengths = [];
        int longest = table.MaxDraft;
        if (settings.Scalar is { } folder)
        {
            using LdlpWeights scalar = LdlpWeights.Load(folder, target.Model);
            using var predictor = new DraftLengthPredictor(scalar);
            longest = Math.Min(scalar.LongestPrediction, table.MaxDraft);
            lengths = [.. roots.Answers.Select(answer => answer.Roots.Select((root, index) => (double)predictor.Predict(root.Token, answer.Features.AsSpan(index * table.Hidden, table.Hidden))).ToArray())];
        }

        return [.. LdlpReport.Simulate(roots, lengths, longest, table.MaxDraft, draftCost, verifyCost), .. SurvivalReport.Simulate(table, predictions, draftCost, verifyCost)];
    }

    /// <summary>What the engine predicts for every root and step.</summary>
    public static SurvivalPredictions Predict(SurvivalPredictor predictor, StepTable table)
    {
        float[][] plans = new float[table.Answers.Count][];
        var estimates = new StepEstimate[table.Answers.Count][];
        float[] hidden = new float[table.Hidden];
        for (int number = 0; number < table.Answers.Count; number++)
        {
            AnswerSteps answer = table.Answers[number];
            plans[number] = new float[answer.Roots.Length * table.MaxDraft];
            estimates[number] = new StepEstimate[answer.Steps.Length];
            for (int index = 0; index < answer.Roots.Length; index++)
            {
                StepRoot root = answer.Roots[index];
                predictor.Plan(root.Token, answer.Features.AsSpan(index * table.Hidden, table.Hidden), root.Signals, root.Temperature, plans[number].AsSpan(index * table.MaxDraft, table.MaxDraft));
                for (int step = 0; step < root.Steps; step++)
                {
                    answer.ReadHidden(root.FirstStep + step, hidden);
                    estimates[number][root.FirstStep + step] = predictor.Estimate(hidden, SurvivalInputs.Signals(table, answer, plans[number], index, step));
                }
            }
        }

        return new SurvivalPredictions(plans, estimates, predictor.Sibling, predictor.Resolved);
    }
}

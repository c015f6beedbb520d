using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Ldlp;
using AdaEagle.Training.Torch;

namespace AdaEagle.Training.Commands;

/// <summary><c>adaeagle-train ldlp</c>: the Lightweight Draft Length Predictor for a target and its frozen head.</summary>
internal static class LdlpCommand
{
    private static readonly Option<DirectoryInfo> Target = AnswerOptions.Target();
    private static readonly Option<DirectoryInfo> Head = new("--head") { Description = "Folder of the finished EAGLE head.", HelpName = "DIR", Required = true };
    private static readonly Option<FileInfo[]> CorpusFiles = CommonOptions.Corpus();
    private static readonly Option<FileInfo[]> ValidationFiles = AnswerOptions.Validation();
    private static readonly Option<int> Count = AnswerOptions.Count(4_000);
    private static readonly Option<int> ValidationAnswers = CommonOptions.Whole("--validation-answers", "Answers to validation prompts.", 400, 1, 100_000);
    private static readonly Option<double?> AnswerMinutes = AnswerOptions.Minutes();
    private static readonly Option<int> MaxTokens = AnswerOptions.MaxTokens();
    private static readonly Option<int> MaxDraft = CommonOptions.Whole("--k-max", "The longest draft.", 8, 1, 64);
    private static readonly Option<string> Kind = new("--kind")
    {
        Description = "scalar: the paper's predictor of one length. survival: P(accepted length >= i) for every i, with a step estimator that revises it, for the policy auto."
            + " stop: SpecDec++'s head that says when to stop, for the policy specdec++.",
        HelpName = "scalar|survival|stop",
        DefaultValueFactory = _ => "scalar",
    };
    private static readonly Option<int> StepWidth = CommonOptions.Whole("--step-width", "Survival: width of the step estimator.", 32, 16, 1 << 12);
    private static readonly Option<double> RejectWeight = new("--reject-weight") { Description = "Stop: what a rejected token weighs in the loss; an accepted one weighs 1.", HelpName = "X", DefaultValueFactory = _ => 6 };
    private static readonly Option<double> Sampled = AnswerOptions.Sampled(0);
    private static readonly Option<double> Temperature = AnswerOptions.Temperature();
    private static readonly Option<float[]> StepTemperatures = new("--step-temperatures")
    {
        Description = "Survival, stop: temperatures at which the target judges the drafts of sampled answers, root by root in turn. Default: --temperature.",
        HelpName = "X",
        AllowMultipleArgumentsPerToken = true,
    };
    private static readonly Option<DirectoryInfo?> Scalar = new("--scalar") { Description = "Survival: folder of a scalar predictor to simulate beside it.", HelpName = "DIR" };
    private static readonly Option<double[]> Lambdas = new("--lambda")
    {
        Description = "Factor of the loss where the prediction is too short, above 1; of several, the one that decodes fastest in simulation on the validation answers is taken.",
        HelpName = "X",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [1.5, 2, 3, 5],
    };
    private static readonly Option<int[]> LongestPredictions = new("--longest-prediction")
    {
        Description = "The longest length that is predicted, --k-max or less; of several, the one that decodes fastest in simulation is taken. Default: --k-max.",
        HelpName = "N",
        AllowMultipleArgumentsPerToken = true,
    };
    private static readonly Option<int> Width = CommonOptions.Whole("--width", "Width of the layers.", 64, 16, 1 << 16);
    private static readonly Option<int> Epochs = CommonOptions.Whole("--epochs", "The most epochs.", 30, 1, 100_000);
    private static readonly Option<double?> Minutes = new("--minutes") { Description = "The most minutes a predictor is trained.", HelpName = "N" };
    private static readonly Option<double> Rate = AnswerOptions.Share("--rate", "Peak learning rate.", 1e-3);
    private static readonly Option<double> WeightDecay = AnswerOptions.Share("--weight-decay", "Weight decay.", 0.1);
    private static readonly Option<double> Dropout = AnswerOptions.Share("--dropout", "Dropout of inputs and layers.", 0.3);
    private static readonly Option<double> DraftCost = AnswerOptions.Share("--draft-cost", "Cost c of a draft step in plain passes, for the simulation.", 0.05);
    private static readonly Option<double> VerifyCost = AnswerOptions.Share("--verify-cost", "Cost v of a further verified row in plain passes, for the simulation.", 0.03);
    private static readonly Option<int> Threads = AnswerOptions.Threads();
    private static readonly Option<int> Seed = CommonOptions.Seed();
    private static readonly Option<DirectoryInfo> Out = CommonOptions.Out("Folder for answers, recorded drafts, report.json, loss.png and export/, the predictor (stop-report.json, stop-loss.png and stop/, the stop head). A run that was stopped goes on in it.");

    public static Command Create()
    {
        var command = new CommandWithExamples(
            "ldlp",
            "Trains the draft length predictor on greedy answers to the held-out documents, which neither target nor head has seen.",
            "adaeagle-train ldlp --target target/export --head eagle/export --corpus train.jsonl.gz --validation dev.jsonl.gz --out ldlp",
            "adaeagle-train ldlp --kind survival --target target/export --head eagle/export --corpus train.jsonl.gz --validation dev.jsonl.gz --sampled 0.3 --temperature 0.8 --out survival",
            "adaeagle-train ldlp --kind stop --target target/export --head eagle/export --corpus train.jsonl.gz --validation dev.jsonl.gz --sampled 0.3 --temperature 0.8 --out survival")
        {
            Kind, Target, Head, CorpusFiles, ValidationFiles, Count, ValidationAnswers, AnswerMinutes, MaxTokens, MaxDraft, LongestPredictions, Lambdas, Width, StepWidth, Epochs, Minutes, Rate,
            WeightDecay, Dropout, DraftCost, VerifyCost, RejectWeight, Sampled, Temperature, StepTemperatures, Scalar, Threads, Seed, Out,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult arguments)
    {
        string kind = arguments.GetValue(Kind) ?? "scalar";
        if (kind is not ("scalar" or "survival" or "stop"))
        {
            throw new CommandException($"--kind is '{kind}'; it must be scalar, survival or stop.");
        }

        double[] lambdas = arguments.GetValue(Lambdas) is { Length: > 0 } given && given.All(lambda => lambda is > 1 and <= 100)
            ? given
            : throw new CommandException("--lambda is a number above 1 (at most 100): drafting too little is dearer than drafting too much.");
        int maxDraft = arguments.GetValue(MaxDraft);
        int[] longest = arguments.GetValue(LongestPredictions) is { Length: > 0 } asked ? asked : [maxDraft];
        if (longest.Any(length => length < 1 || length > maxDraft))
        {
            throw new CommandException($"--longest-prediction is a whole number from 1 to {maxDraft}, the --k-max.");
        }

        string folder = arguments.GetRequiredValue(Out).FullName;
        using AnsweringTarget target = AnsweringTarget.Load(arguments.GetRequiredValue(Target).FullName);
        using EagleHead head = EagleHead.Load(arguments.GetRequiredValue(Head).FullName, target.Model);
        string headFingerprint = AnsweringTarget.WeightFingerprint(arguments.GetRequiredValue(Head).FullName);
        if (head.Config.VocabularyFingerprint is { } vocabulary && vocabulary != target.Tokenizer.Fingerprint)
        {
            throw new CommandException($"The head in {arguments.GetRequiredValue(Head).FullName} was trained with another vocabulary than {target.Folder}. Give the target's own head.");
        }

        long most = target.Model.PassBytes / 100, bytes = PredictorBytes(kind, target.Model.Config.HiddenSize, maxDraft, arguments.GetValue(Width));
        if (bytes > most)
        {
            arguments.InvocationConfiguration.Error.WriteLine($"A predictor of width {arguments.GetValue(Width)} streams {bytes} bytes, more than 1% of a pass of the target ({most}): a smaller --width is cheaper.");
        }

        if (kind != "scalar")
        {
            RecordingSettings recording = Recording(arguments, folder);
            var steps = new StepRecording(target, head, headFingerprint, recording);
            TextWriter log = arguments.InvocationConfiguration.Error;
            arguments.InvocationConfiguration.Output.WriteLine(
                kind == "stop"
                    ? new StopRun(log, target, headFingerprint, recording, Stop(arguments)).Run(steps)
                    : new SurvivalRun(log, target, headFingerprint, recording, Survival(arguments)).Run(steps));
            return 0;
        }

        RootTable training = Roots(arguments, target, head, headFingerprint, folder, AnswerOptions.Paths(arguments.GetValue(CorpusFiles)), PromptChoice.HeldOut, arguments.GetValue(Count));
        string[] validationFiles = AnswerOptions.Paths(arguments.GetValue(ValidationFiles));
        RootTable? validation = validationFiles.Length > 0
            ? Roots(arguments, target, head, headFingerprint, folder, validationFiles, PromptChoice.All, arguments.GetValue(ValidationAnswers))
            : null;
        TorchLibrary.Begin(arguments.GetValue(Threads), arguments.GetValue(Seed));
        Fit(arguments, [.. longest.SelectMany(length => lambdas.Select(lambda => (lambda, length)))], target, headFingerprint, training, validation, folder);
        arguments.InvocationConfiguration.Output.WriteLine(Path.Combine(folder, "export"));
        return 0;
    }

    private static RecordingSettings Recording(ParseResult arguments, string folder) => new()
    {
        Folder = folder,
        Corpus = AnswerOptions.Paths(arguments.GetValue(CorpusFiles)),
        Validation = AnswerOptions.Paths(arguments.GetValue(ValidationFiles)),
        Answers = arguments.GetValue(Count),
        ValidationAnswers = arguments.GetValue(ValidationAnswers),
        AnswerLimit = arguments.GetValue(AnswerMinutes) is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
        MaxTokens = arguments.GetValue(MaxTokens),
        MaxDraft = arguments.GetValue(MaxDraft),
        SampledShare = arguments.GetValue(Sampled),
        Temperature = (float)arguments.GetValue(Temperature),
        StepTemperatures = arguments.GetValue(StepTemperatures) is { Length: > 0 } given
            ? given.All(value => value is > 0 and <= 10) ? given : throw new CommandException("--step-temperatures are numbers above 0, at most 10.")
            : [(float)arguments.GetValue(Temperature)],
        Threads = arguments.GetValue(Threads),
        Seed = arguments.GetValue(Seed),
    };

    private static SurvivalSettings Survival(ParseResult arguments) => new(
        Options(arguments, new SurvivalOptions { StepWidth = arguments.GetValue(StepWidth), DraftCost = arguments.GetValue(DraftCost), VerifyCost = arguments.GetValue(VerifyCost) }),
        arguments.GetValue(Scalar)?.FullName);

    private static StopSettings Stop(ParseResult arguments) => new(
        Options(arguments, new StopOptions
        {
            RejectWeight = arguments.GetValue(RejectWeight) is > 0 and <= 1000 and double weight ? weight : throw new CommandException("--reject-weight is a number above 0, at most 1000."),
        }),
        arguments.GetValue(DraftCost), arguments.GetValue(VerifyCost));

    /// <summary>What every network is fitted by.</summary>
    private static TOptions Options<TOptions>(ParseResult arguments, TOptions options)
        where TOptions : FitOptions => (TOptions)(options with
        {
            Width = arguments.GetValue(Width),
            Epochs = arguments.GetValue(Epochs),
            Limit = arguments.GetValue(Minutes) is { } most ? TimeSpan.FromMinutes(most) : null,
            Rate = arguments.GetValue(Rate),
            WeightDecay = arguments.GetValue(WeightDecay),
            Dropout = arguments.GetValue(Dropout),
            Seed = arguments.GetValue(Seed),
        });

    private static void Fit(ParseResult arguments, (double Lambda, int Longest)[] variants, AnsweringTarget target, string headFingerprint, RootTable training, RootTable? validation, string folder)
    {
        int maxDraft = arguments.GetValue(MaxDraft);
        (double draftCost, double verifyCost) = (arguments.GetValue(DraftCost), arguments.GetValue(VerifyCost));
        float[] embedding = target.Embedding();
        var tried = new List<JsonObject>();
        var curves = new List<LossSeries>();
        (double Speed, double Lambda, int Longest, string Folder)? best = null;
        foreach ((double lambda, int longest) in variants)
        {
            LdlpOptions options = Options(arguments, new LdlpOptions { Lambda = lambda });
            (LdlpModel model, List<LdlpEpoch> epochs) = Train(training.CutTo(longest), embedding, options, longest);
            using LdlpModel trained = model;
            string export = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"lambda-{lambda}-longest-{longest}"));
            trained.Export(export, Config(options, maxDraft, longest, target, headFingerprint, training));
            double[] tokens = [.. epochs.Select(epoch => (double)epoch.Epoch * training.RootCount)];
            curves.Add(new LossSeries(string.Create(CultureInfo.InvariantCulture, $"lambda {lambda}, longest {longest}, training"), tokens, [.. epochs.Select(epoch => epoch.TrainingLoss)]));
            curves.Add(new LossSeries(string.Create(CultureInfo.InvariantCulture, $"lambda {lambda}, longest {longest}, kept aside"), tokens, [.. epochs.Select(epoch => epoch.AsideLoss)]));
            (double speed, JsonObject report) = Judge(arguments.InvocationConfiguration.Error, export, target, training, validation, lambda, longest, maxDraft, draftCost, verifyCost);
            tried.Add(report);
            if (best is null || speed > best.Value.Speed)
            {
                best = (speed, lambda, longest, export);
            }
        }

        LossCurve.Save(Path.Combine(folder, "loss.png"), "Draft length predictor (roots instead of tokens)", [.. curves]);
        string final = Path.Combine(folder, "export");
        Directory.CreateDirectory(final);
        foreach (string name in (string[])["model.safetensors", "config.json"])
        {
            File.Copy(Path.Combine(best!.Value.Folder, name), Path.Combine(final, name), overwrite: true);
        }

        var whole = new JsonObject { ["lambda"] = best!.Value.Lambda, ["longest_prediction"] = best.Value.Longest, ["draft_cost"] = draftCost, ["verify_cost"] = verifyCost, ["tried"] = new JsonArray([.. tried]) };
        AtomicFile.Write(Path.Combine(folder, "report.json"), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(whole.ToJsonString(LdlpReport.Json) + "\n")));
        arguments.InvocationConfiguration.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"chosen: lambda {best.Value.Lambda}, longest prediction {best.Value.Longest}"));
    }

    private static (LdlpModel Model, List<LdlpEpoch> Epochs) Train(RootTable training, float[] embedding, LdlpOptions options, int longest)
    {
        using var progress = new TrainingProgress(string.Create(CultureInfo.InvariantCulture, $"ldlp, lambda {options.Lambda}, longest {longest}"), options.Epochs);
        (LdlpModel model, List<LdlpEpoch> epochs) = LdlpTrainer.Train(training, embedding, options, (epoch, roots) => progress.Report(epoch.Epoch, epoch.TrainingLoss, roots));
        LdlpEpoch kept = epochs.MinBy(epoch => epoch.AsideLoss);
        progress.Log(string.Create(CultureInfo.InvariantCulture, $"lambda {options.Lambda}, longest {longest}: {epochs.Count} epochs, the best is {kept.Epoch}: loss {kept.TrainingLoss:0.000}, on answers kept aside {kept.AsideLoss:0.000}"));
        return (model, epochs);
    }

    /// <summary>Measures an exported predictor with the engine; without validation answers, on those it was trained on.</summary>
    private static (double Speed, JsonObject Report) Judge(
        TextWriter log, string export, AnsweringTarget target, RootTable training, RootTable? validation, double lambda, int longest, int maxDraft, double draftCost, double verifyCost)
    {
        RootTable judged = validation ?? training;
        double[][] predictions = Predictions(export, target.Model, judged);
        List<PredictionQuality> all = LdlpReport.Quality(judged, predictions, lambda, longest, onlyVisited: false);
        List<PredictionQuality> visited = LdlpReport.Quality(judged, predictions, lambda, longest, onlyVisited: true);
        List<PredictionQuality> own = LdlpReport.Quality(training, Predictions(export, target.Model, training), lambda, longest, onlyVisited: false);
        List<SimulationRow> simulation = LdlpReport.Simulate(judged, predictions, longest, maxDraft, draftCost, verifyCost);
        string name = validation is null ? "training" : "validation";
        log.WriteLine(LdlpReport.Table($"{name}, all roots", all));
        log.WriteLine(LdlpReport.Table($"{name}, visited roots", visited));
        log.WriteLine(LdlpReport.Table("trained on, all roots", own.Where(row => row.Text == "all")));
        log.WriteLine(LdlpReport.Table(string.Create(CultureInfo.InvariantCulture, $"lambda {lambda}, longest {longest}, c {draftCost}, v {verifyCost}"), simulation));
        var report = new JsonObject
        {
            ["lambda"] = lambda,
            ["longest_prediction"] = longest,
            ["all_roots"] = JsonSerializer.SerializeToNode(all, LdlpReport.Json),
            ["visited_roots"] = JsonSerializer.SerializeToNode(visited, LdlpReport.Json),
            ["trained_on"] = JsonSerializer.SerializeToNode(own, LdlpReport.Json),
            ["simulation"] = JsonSerializer.SerializeToNode(simulation, LdlpReport.Json),
        };
        return (simulation.Where(row => row.Policy.StartsWith("ldlp", StringComparison.Ordinal)).Max(row => row.All), report);
    }

    private static double[][] Predictions(string folder, Models.LlamaModel target, RootTable table)
    {
        using LdlpWeights weights = LdlpWeights.Load(folder, target);
        using var predictor = new DraftLengthPredictor(weights);
        return [.. table.Answers.Select(answer => answer.Roots.Select((root, index) =>
            (double)predictor.Predict(root.Token, answer.Features.AsSpan(index * table.Hidden, table.Hidden))).ToArray())];
    }

    private static Dictionary<string, JsonNode?> Config(LdlpOptions options, int maxDraft, int longest, AnsweringTarget target, string headFingerprint, RootTable training) => new()
    {
        ["k_max"] = maxDraft,
        ["longest_prediction"] = longest,
        ["lambda"] = options.Lambda,
        ["target_vocabulary"] = target.Tokenizer.Fingerprint,
        ["target_weights"] = target.Fingerprint,
        ["head_weights"] = headFingerprint,
        ["eos_token_id"] = new JsonArray([.. target.EndTokens.Select(token => (JsonNode)token)]),
        ["training_answers"] = training.Answers.Count,
        ["training_roots"] = training.RootCount,
        ["dropout"] = options.Dropout,
        ["weight_decay"] = options.WeightDecay,
        ["seed"] = options.Seed,
    };

    private static RootTable Roots(
        ParseResult arguments, AnsweringTarget target, EagleHead head, string headFingerprint, string folder, string[] files, PromptChoice choice, int count)
    {
        string name = choice == PromptChoice.HeldOut ? "held-out" : "validation";
        AnswerSettings settings = AnswerOptions.Settings(target, choice, arguments.GetValue(MaxTokens), choice == PromptChoice.HeldOut ? arguments.GetValue(Seed) : 1);
        int maxDraft = arguments.GetValue(MaxDraft), threads = arguments.GetValue(Threads);
        bool isSimulated = choice == PromptChoice.All || arguments.GetValue(ValidationFiles) is not { Length: > 0 }; // thresholds are replayed over whole drafts
        using StopSignal signal = AnswerOptions.Stopping();
        using AnswerStore store = AnswerRun.Make(
            target, files, settings, Path.Combine(folder, name), count, threads,
            arguments.GetValue(AnswerMinutes) is { } minutes && choice == PromptChoice.HeldOut ? TimeSpan.FromMinutes(minutes) : null, signal.Token);
        Answer[] answers = [.. store.Answers.OrderBy(answer => answer.Job).Take(count).Where(answer => RunLengths.RootCount(answer, maxDraft) > 0)];
        string file = Path.Combine(folder, $"{name}-roots.safetensors"), key = $"{target.Fingerprint} {headFingerprint} {maxDraft} {arguments.GetValue(MaxTokens)} {settings.Seed} {answers.Length} {isSimulated}";
        if (RootFile.TryRead(file, settings.HiddenSize, key) is { } there)
        {
            return there;
        }

        var recorded = new List<AnswerRoots>();
        using (var progress = new TrainingProgress($"drafts ({name})", answers.Length))
        {
            new RunLengths(target.Model, head, maxDraft, wholeDrafts: isSimulated).Record(answers, threads, runs =>
            {
                signal.Token.ThrowIfCancellationRequested();
                recorded.Add(RootTable.Of(runs, settings.HiddenSize));
                progress.Report(recorded.Count, double.NaN, runs.Roots.Count);
            });
        }

        var table = new RootTable(settings.HiddenSize, [.. recorded.OrderBy(answer => answer.Job)]);
        RootFile.Write(file, table, key);
        return table;
    }

    /// <summary>Bytes of BF16 weights that a prediction streams: before a draft, or of a stop head after a step.</summary>
    private static long PredictorBytes(string kind, int hidden, int maxDraft, int width)
    {
        (int inputs, int blocks, int outputs) = kind switch
        {
            "stop" => (hidden, StopWeights.UsualBlocks, 1),
            "survival" => ((2 * hidden) + SurvivalWeights.RootInputs, SurvivalWeights.PlanBlocks, maxDraft),
            _ => (2 * hidden, LdlpWeights.Layers, 1),
        };
        return 2L * width * (inputs + (blocks * width) + ((outputs + 15) / 16 * 16));
    }
}

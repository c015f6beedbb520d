using System.CommandLine;
using System.Globalization;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Torch;
using TorchSharp;

namespace AdaEagle.Training.Commands;

/// <summary><c>adaeagle-train eagle</c>: an EAGLE-1 or EAGLE-3 draft head for a finished target, on answers that the target itself gives.</summary>
internal static class EagleCommand
{
    /// <summary>The longest draft that validations measure.</summary>
    private const int MaxDraft = 8;

    private static readonly Option<DirectoryInfo> Target = AnswerOptions.Target();
    private static readonly Option<string> Head = new("--head") { Description = "Layout: eagle1, or eagle3 (reads boundaries, has an LM head of its own).", HelpName = "NAME", DefaultValueFactory = _ => "eagle1" };
    private static readonly Option<int> DraftVocabularySize = CommonOptions.Whole("--draft-vocabulary", "EAGLE-3: tokens that the head can propose, the answers' most frequent ones; a multiple of 16.", 1024, 16, 1 << 24);
    private static readonly Option<string?> Boundaries = AnswerOptions.Boundaries("EAGLE-3: numbers of layers after which it reads the target's residual stream; by default 2, L/2 and L-3 of L.");
    private static readonly Option<FileInfo[]> CorpusFiles = CommonOptions.Corpus();
    private static readonly Option<FileInfo[]> ValidationFiles = AnswerOptions.Validation();
    private static readonly Option<int> ValidationAnswers = CommonOptions.Whole("--validation-answers", "Answers to validation prompts.", 160, 1, 100_000);
    private static readonly Option<DirectoryInfo?> AnswersFrom = new("--answers-from") { Description = "Take the answers of this folder (adaeagle-train answers --features).", HelpName = "DIR" };
    private static readonly Option<int> Count = AnswerOptions.Count(12_000);
    private static readonly Option<double?> AnswerMinutes = AnswerOptions.Minutes();
    private static readonly Option<int> MaxTokens = AnswerOptions.MaxTokens();
    private static readonly Option<double> Sampled = AnswerOptions.Sampled(0.4);
    private static readonly Option<double> Temperature = AnswerOptions.Temperature();
    private static readonly Option<long?> Steps = new("--steps") { Description = "Length of this run in steps.", HelpName = "N" };
    private static readonly Option<double?> Minutes = new("--minutes") { Description = "Length of this run in minutes of wall-clock time, without the answers.", HelpName = "N" };
    private static readonly Option<int> Unroll = CommonOptions.Whole("--unroll", "Draft steps that are trained: 1 as EAGLE-1 was, more as HASS and EAGLE-3.", 3, 1, 8);
    private static readonly Option<double> StepWeight = AnswerOptions.Share("--step-weight", "Weight of draft step k is this to the power of k.", 0.8);
    private static readonly Option<double> Noise = AnswerOptions.Share("--noise", "Uniform noise on the features, as a share of their size.", 0.1);
    private static readonly Option<double> Rate = AnswerOptions.Share("--rate", "Peak learning rate.", 2e-3);
    private static readonly Option<double> Decay = AnswerOptions.Share("--decay", "Share of the run, at its end, in which the rate falls to 2%.", 0.8);
    private static readonly Option<string> Optimizer = new("--optimizer") { Description = "adamw, or muon for the matrices.", HelpName = "NAME", DefaultValueFactory = _ => "adamw" };
    private static readonly Option<int> Batch = CommonOptions.Whole("--batch", "Tokens a step, prompts counted.", 2048, 256, 1 << 18);
    private static readonly Option<int> Heads = CommonOptions.Whole("--heads", "Attention heads.", 4, 1, 1024);
    private static readonly Option<int> KeyValueHeads = CommonOptions.Whole("--kv-heads", "Key/value heads.", 2, 1, 1024);
    private static readonly Option<int?> HeadDimension = new("--head-dim") { Description = "Width of an attention head; by default hidden size / heads.", HelpName = "N" };
    private static readonly Option<int> Feed = CommonOptions.Whole("--ffn", "Width inside the MLP.", 768, 16, 1 << 20);
    private static readonly Option<bool> Resume = new("--resume") { Description = "Go on from OUT/checkpoint.safetensors; --steps and --minutes count from there." };
    private static readonly Option<double> CheckpointMinutes = new("--checkpoint-minutes") { Description = "Minutes between checkpoints.", HelpName = "N", DefaultValueFactory = _ => 3 };
    private static readonly Option<double> ValidationMinutes = new("--validation-minutes") { Description = "Minutes between validations.", HelpName = "N", DefaultValueFactory = _ => 8 };
    private static readonly Option<string> Products = new("--products") { Description = "Type of matrix products: auto (the faster here), bf16 or f32.", HelpName = "TYPE", DefaultValueFactory = _ => "auto" };
    private static readonly Option<int> Threads = AnswerOptions.Threads();
    private static readonly Option<int> Seed = CommonOptions.Seed();
    private static readonly Option<DirectoryInfo> Out = CommonOptions.Out("Folder for answers, checkpoint, log.jsonl, loss.png and export/, the head in SafeAILab's layout.");

    public static Command Create()
    {
        Head.AcceptOnlyFromAmong("eagle1", "eagle3");
        Products.AcceptOnlyFromAmong("auto", "bf16", "f32");
        Optimizer.AcceptOnlyFromAmong("adamw", "muon");
        var command = new CommandWithExamples(
            "eagle",
            "Trains an EAGLE-1 or EAGLE-3 draft head on a target's own answers to the documents that are not held out. OUT/export is complete after every checkpoint.",
            "adaeagle-train eagle --target target/export --corpus train.jsonl.gz --validation dev.jsonl.gz --answers 12000 --minutes 16 --out eagle",
            "adaeagle-train eagle --target target/export --corpus train.jsonl.gz --head eagle3 --draft-vocabulary 1024 --minutes 16 --out eagle3",
            "adaeagle-train eagle … --out eagle --resume --minutes 10")
        {
            Target, Head, DraftVocabularySize, Boundaries, CorpusFiles, ValidationFiles, ValidationAnswers, AnswersFrom, Count, AnswerMinutes, MaxTokens, Sampled, Temperature, Steps, Minutes, Unroll, StepWeight, Noise,
            Rate, Decay, Optimizer, Batch, Heads, KeyValueHeads, HeadDimension, Feed, Resume, CheckpointMinutes, ValidationMinutes, Products, Threads, Seed, Out,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult arguments)
    {
        string folder = arguments.GetRequiredValue(Out).FullName;
        string? checkpoint = Checkpoint(folder, arguments.GetValue(Resume));
        EagleOptions options = Options(arguments, folder);
        using AnsweringTarget target = AnsweringTarget.Load(arguments.GetRequiredValue(Target).FullName);
        if (checkpoint is not null && EagleFiles.Describe(checkpoint).Target is var trained && trained != target.Fingerprint)
        {
            throw new CommandException($"{checkpoint} belongs to another target than {target.Folder}. Give that one, or begin anew with another --out.");
        }

        ModelConfig config = checkpoint is null ? Config(arguments, target) : EagleFiles.Describe(checkpoint).Config;
        int[] boundaries = config.Eagle3 is { } eagle ? eagle.Boundaries ?? Eagle3Config.DefaultBoundaries(target.Model.Config.LayerCount) : [];
        using StopSignal signal = AnswerOptions.Stopping();
        using AnswerStore answers = Answers(arguments, target, string.Join(',', boundaries), folder, signal.Token);
        IReadOnlyList<Answer> validation = Validation(arguments, target, folder, signal.Token);
        signal.Dispose(); // the trainer has its own

        var packed = new PackedAnswers(answers, arguments.GetValue(Batch), arguments.GetValue(Seed), boundaries.Length > 0);
        int threads = arguments.GetValue(Threads);
        TorchLibrary.Begin(threads, arguments.GetValue(Seed));
        torch.ScalarType products = TargetCommand.ProductType(arguments.GetValue(Products)!, arguments.InvocationConfiguration.Error);
        using HeadModel model = Model(arguments, config, target, answers, packed, products, checkpoint);
        using var trainer = new EagleTrainer(model, packed, options, (trained, count) => Measure(trained, count, target, validation, folder, threads), checkpoint);
        arguments.InvocationConfiguration.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{model.ParameterCount / 1e6:0.00} M parameters, products in {products}; {packed.Count} answers, {packed.AnswerTokens / 1e3:0} k tokens; begins at step {trainer.State.Step}"));
        trainer.Run();
        arguments.InvocationConfiguration.Output.WriteLine(Path.Combine(folder, "export"));
        return 0;
    }

    private static HeadModel Model(ParseResult arguments, ModelConfig config, AnsweringTarget target, AnswerStore answers, PackedAnswers packed, torch.ScalarType products, string? checkpoint)
    {
        (int batch, int seed) = (arguments.GetValue(Batch), arguments.GetValue(Seed));
        (float[] mean, double[] scales) = packed.Statistics();
        (double[]? known, int[]? tokens) = checkpoint is null ? (null, null) : (EagleFiles.Describe(checkpoint).StateScales, EagleFiles.Describe(checkpoint).DraftTokens);
        if (config.Eagle3?.DraftVocabularySize is not { } size)
        {
            return new EagleModel(config, target.Embedding(), target.LmHead(), target.Fingerprint, mean, (known ?? scales)[0], products, batch, seed);
        }

        tokens ??= DraftVocabulary.Choose(answers.Answers, config.VocabularySize, size);
        arguments.InvocationConfiguration.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{tokens.Length} of {config.VocabularySize} tokens can be proposed: {DraftVocabulary.Coverage(answers.Answers, tokens):P1} of the answers' tokens"));
        return new Eagle3Model(config, target.Embedding(), target.LmHead(), target.Fingerprint, tokens, scales[0], known ?? scales[1..], products, batch, seed);
    }

    private static string? Checkpoint(string folder, bool resume)
    {
        string own = Path.Combine(folder, "checkpoint.safetensors");
        return (resume, File.Exists(own)) switch
        {
            (false, true) => throw new CommandException($"{own} exists: {folder} holds a training run. Go on with it (--resume), or give another --out."),
            (true, false) => throw new CommandException($"{own} does not exist. Begin without --resume."),
            _ => resume ? own : null,
        };
    }

    private static EagleOptions Options(ParseResult arguments, string folder)
    {
        (long? steps, double? minutes) = (arguments.GetValue(Steps), arguments.GetValue(Minutes));
        if ((steps is null) == (minutes is null) || steps <= 0 || minutes is <= 0 or double.NaN)
        {
            throw new CommandException("How long is the run? Give either --steps or --minutes, a positive number.");
        }

        return new EagleOptions
        {
            Folder = folder,
            Steps = steps,
            Minutes = minutes,
            Unroll = arguments.GetValue(Unroll),
            StepWeight = arguments.GetValue(StepWeight),
            Noise = arguments.GetValue(Noise),
            Rate = arguments.GetValue(Rate),
            DecayShare = arguments.GetValue(Decay),
            UseMuon = arguments.GetValue(Optimizer) == "muon",
            Seed = arguments.GetValue(Seed),
            CheckpointMinutes = arguments.GetValue(CheckpointMinutes),
            ValidationMinutes = arguments.GetValue(ValidationMinutes),
        };
    }

    private static AnswerStore Answers(ParseResult arguments, AnsweringTarget target, string boundaries, string folder, CancellationToken stopping)
    {
        if (arguments.GetValue(AnswersFrom) is { } named)
        {
            AnswerStore there = AnswerStore.Open(named.FullName);
            string? problem = there.Settings.Target != target.Fingerprint ? "are another target's" : !there.Settings.KeepFeatures ? "were kept without features (--features)"
                : boundaries.Length > 0 && there.Settings.Boundaries != boundaries ? $"were kept without the boundaries {boundaries} (--for-eagle3)" : null;
            return problem is null ? there : throw new CommandException($"The answers in {named.FullName} {problem}. Make new ones with adaeagle-train answers --features, or --for-eagle3.");
        }

        AnswerSettings settings = AnswerOptions.Settings(target, PromptChoice.Training, arguments.GetValue(MaxTokens), arguments.GetValue(Seed)) with
        {
            SampledShare = arguments.GetValue(Sampled),
            Temperature = (float)arguments.GetValue(Temperature),
            KeepFeatures = true,
            Boundaries = boundaries,
        };
        return AnswerRun.Make(
            target, AnswerOptions.Paths(arguments.GetValue(CorpusFiles)), settings, Path.Combine(folder, "answers"), arguments.GetValue(Count), arguments.GetValue(Threads),
            arguments.GetValue(AnswerMinutes) is { } minutes ? TimeSpan.FromMinutes(minutes) : null, stopping);
    }

    private static IReadOnlyList<Answer> Validation(ParseResult arguments, AnsweringTarget target, string folder, CancellationToken stopping)
    {
        string[] files = AnswerOptions.Paths(arguments.GetValue(ValidationFiles));
        if (files.Length == 0)
        {
            return [];
        }

        using AnswerStore store = AnswerRun.Make(
            target, files, AnswerOptions.Settings(target, PromptChoice.All, arguments.GetValue(MaxTokens), seed: 1), Path.Combine(folder, "validation"),
            arguments.GetValue(ValidationAnswers), arguments.GetValue(Threads), stopping: stopping);
        return [.. store.Answers.OrderBy(answer => answer.Job).Take(arguments.GetValue(ValidationAnswers))];
    }

    private static ModelConfig Config(ParseResult arguments, AnsweringTarget target)
    {
        ModelConfig of = target.Model.Config;
        bool isEagle3 = arguments.GetValue(Head) == "eagle3";
        int[] boundaries = isEagle3 ? AnswerOptions.Boundaries(arguments.GetValue(Boundaries), target) : [];
        int heads = arguments.GetValue(Heads), dimension = arguments.GetValue(HeadDimension) ?? of.HiddenSize / heads;
        return dimension > 0 && dimension % 2 == 0
            ? new ModelConfig
            {
                ModelType = "llama",
                Architectures = ["LlamaForCausalLM"],
                HiddenSize = of.HiddenSize,
                IntermediateSize = arguments.GetValue(Feed),
                LayerCount = 1,
                HeadCount = heads,
                KeyValueHeadCount = arguments.GetValue(KeyValueHeads),
                HeadDimension = dimension,
                VocabularySize = of.VocabularySize,
                MaxPositions = of.MaxPositions,
                NormEpsilon = of.NormEpsilon,
                RopeTheta = of.RopeTheta,
                FcBias = isEagle3 ? null : true,
                Eagle3 = isEagle3 ? Eagle3(Math.Min(arguments.GetValue(DraftVocabularySize), of.VocabularySize), boundaries, of.LayerCount) : null,
                StoredType = TensorType.BF16,
                BosToken = of.BosToken,
                EosTokens = [.. target.EndTokens],
                VocabularyFingerprint = target.Tokenizer.Fingerprint,
            }
            : throw new CommandException($"--head-dim is {dimension}; it must be an even number.");
    }

    // The reference's boundaries go without saying: other engines know no key for others.
    private static Eagle3Config Eagle3(int vocabulary, int[] boundaries, int layers) => new()
    {
        DraftVocabularySize = vocabulary,
        Boundaries = boundaries.AsSpan().SequenceEqual(Eagle3Config.DefaultBoundaries(layers)) ? null : boundaries,
    };

    private static List<AcceptanceRow>? Measure(HeadModel model, int count, AnsweringTarget target, IReadOnlyList<Answer> answers, string folder, int threads)
    {
        if (answers.Count == 0)
        {
            return null;
        }

        string export = Path.Combine(folder, "export");
        EagleFiles.Export(export, model);
        using EagleHead head = EagleHead.Load(export, target.Model);
        return Acceptance.Measure(target.Model, head, [.. answers.Take(count)], MaxDraft, threads);
    }
}

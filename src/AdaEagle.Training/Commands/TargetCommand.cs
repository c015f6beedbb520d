using System.CommandLine;
using System.Globalization;
using AdaEagle.Formats;
using AdaEagle.Tokenization;
using AdaEagle.Training.Data;
using AdaEagle.Training.Torch;
using TorchSharp;

namespace AdaEagle.Training.Commands;

/// <summary><c>adaeagle-train target</c>: a Llama decoder from scratch, or further from a checkpoint.</summary>
internal static class TargetCommand
{
    private static readonly Option<FileInfo[]> CorpusFiles = CommonOptions.Corpus();
    private static readonly Option<bool> AllDocuments = CommonOptions.AllDocuments();
    private static readonly Option<DirectoryInfo> Tokenizer = new("--tokenizer") { Description = "Folder with tokenizer.json and tokenizer_config.json.", HelpName = "DIR", Required = true };
    private static readonly Option<FileInfo[]> ValidationFiles = new("--validation") { Description = "Documents for the validation losses.", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<DirectoryInfo> Out = CommonOptions.Out("Folder for checkpoints, log.jsonl, loss.png and export/, the model as a Hugging Face folder.");
    private static readonly Option<long?> Steps = new("--steps") { Description = "Length of this run in steps.", HelpName = "N" };
    private static readonly Option<double?> Minutes = new("--minutes") { Description = "Length of this run in minutes of wall-clock time.", HelpName = "N" };
    private static readonly Option<double> Decay = new("--decay") { Description = "Share of the run, at its end, in which the rate falls to 2%; 0: none, so that a later run can go on.", HelpName = "SHARE", DefaultValueFactory = _ => 0.4 };
    private static readonly Option<bool> Resume = new("--resume") { Description = "Go on from OUT/checkpoint.safetensors; --steps and --minutes count from there." };
    private static readonly Option<FileInfo?> From = new("--from") { Description = "Go on from this checkpoint, or from the model.safetensors of a model folder.", HelpName = "FILE" };
    private static readonly Option<FileInfo?> DecayFrom = new("--decay-from") { Description = "Go on from this checkpoint with a rate that falls over the whole run.", HelpName = "FILE" };
    private static readonly Option<int?> GrowLayers = new("--grow-layers") { Description = "Number of layers to grow the checkpoint to; new ones begin as the identity.", HelpName = "N" };
    private static readonly Option<double> Rate = new("--rate") { Description = "Peak learning rate.", HelpName = "X", DefaultValueFactory = _ => 3e-3 };
    private static readonly Option<int> WarmUp = CommonOptions.Whole("--warm-up", "Steps until the peak rate is reached.", usual: 60, 0, 1 << 20);
    private static readonly Option<int> Batch = CommonOptions.Whole("--batch", "Rows a step.", usual: 8, 1, 1 << 12);
    private static readonly Option<int> Length = CommonOptions.Whole("--length", "Tokens a row.", usual: 512, 16, 1 << 14);
    private static readonly Option<int> Hidden = CommonOptions.Whole("--hidden", "Width of the model.", usual: 256, 16, 1 << 14);
    private static readonly Option<int> Layers = CommonOptions.Whole("--layers", "Number of layers.", usual: 12, 1, 1 << 10);
    private static readonly Option<int> Heads = CommonOptions.Whole("--heads", "Attention heads.", usual: 4, 1, 1 << 10);
    private static readonly Option<int> KeyValueHeads = CommonOptions.Whole("--kv-heads", "Key/value heads.", usual: 2, 1, 1 << 10);
    private static readonly Option<int> Feed = CommonOptions.Whole("--ffn", "Width inside the MLP.", usual: 768, 16, 1 << 16);
    private static readonly Option<int> Context = CommonOptions.Whole("--context", "Longest context the model is declared for.", usual: 2048, 16, 1 << 17);
    private static readonly Option<int> Threads = CommonOptions.Whole("--threads", "Threads.", usual: Environment.ProcessorCount, 1, 1 << 10);
    private static readonly Option<int> Seed = CommonOptions.Seed();
    private static readonly Option<double> CheckpointMinutes = new("--checkpoint-minutes") { Description = "Minutes between checkpoints.", HelpName = "N", DefaultValueFactory = _ => 4 };
    private static readonly Option<double> ValidationMinutes = new("--validation-minutes") { Description = "Minutes between validations.", HelpName = "N", DefaultValueFactory = _ => 10 };
    private static readonly Option<string> Products = new("--products") { Description = "Type of matrix products: auto (the faster here), bf16 or f32.", HelpName = "TYPE", DefaultValueFactory = _ => "auto" };

    public static Command Create()
    {
        Products.AcceptOnlyFromAmong("auto", "bf16", "f32");
        var command = new CommandWithExamples(
            "target",
            "Trains a target model, a Llama decoder, on the documents that are not held out. OUT/export is a complete Hugging Face folder after every checkpoint.",
            "adaeagle-train target --corpus train.jsonl.gz --validation dev.jsonl.gz --tokenizer tok --minutes 90 --out target",
            "adaeagle-train target --corpus train.jsonl.gz --validation dev.jsonl.gz --tokenizer tok --out target --resume --minutes 60 --decay 0",
            "adaeagle-train target --corpus train.jsonl.gz --validation dev.jsonl.gz --tokenizer tok --out final --decay-from target/before-decay.safetensors --minutes 30")
        {
            CorpusFiles, AllDocuments, ValidationFiles, Tokenizer, Out, Steps, Minutes, Decay, Resume, From, DecayFrom, GrowLayers, Rate, WarmUp, Batch, Length,
            Hidden, Layers, Heads, KeyValueHeads, Feed, Context, Threads, Seed, CheckpointMinutes, ValidationMinutes, Products,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult arguments)
    {
        string folder = arguments.GetRequiredValue(Out).FullName;
        string? checkpoint = Checkpoint(arguments, folder);
        TargetOptions options = Options(arguments, folder);
        string tokenizerFolder = arguments.GetRequiredValue(Tokenizer).FullName;
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Load(tokenizerFolder);
        ChatTemplate template = ChatTemplate.Load(tokenizerFolder)
            ?? throw new CommandException($"{tokenizerFolder} has no chat template. Name one in tokenizer_config.json.");
        ModelConfig config = Config(arguments, tokenizer, tokenizerFolder, checkpoint);
        int seed = checkpoint is null ? arguments.GetValue(Seed) : TrainingCheckpoint.Describe(checkpoint, arguments.GetValue(Seed)).State.Seed;
        bool all = arguments.GetValue(AllDocuments);
        TokenDataset text = TokenDataset.Build(
            Corpus.Read(arguments.GetRequiredValue(CorpusFiles).Select(file => file.FullName)).Where(document => all || !Corpus.IsHeldOut(document)), tokenizer, template);
        TokenBatches batches = text.Batches(arguments.GetValue(Batch), arguments.GetValue(Length), seed);
        Validation? validation = arguments.GetValue(ValidationFiles) is { Length: > 0 } files
            ? new Validation(TokenDataset.Build(Corpus.Read(files.Select(file => file.FullName)), tokenizer, template), arguments.GetValue(Length))
            : null;

        TorchLibrary.Load();
        torch.set_num_threads(arguments.GetValue(Threads));
        torch.ScalarType productType = ProductType(arguments.GetValue(Products)!, arguments.InvocationConfiguration.Error);
        using LlamaModel model = Model(config, productType, seed);
        using var trainer = new TargetTrainer(model, batches, validation, options, seed, checkpoint);
        arguments.InvocationConfiguration.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{model.ParameterCount / 1e6:0.00} M parameters, products in {productType}; {text.Tokens.Length / 1e6:0.00} M tokens of text, {batches.BatchesPerEpoch} steps an epoch; begins at step {trainer.State.Step}"));
        trainer.Run();
        arguments.InvocationConfiguration.Output.WriteLine(Path.Combine(folder, "export"));
        return 0;
    }

    private static string? Checkpoint(ParseResult arguments, string folder)
    {
        string own = Path.Combine(folder, "checkpoint.safetensors");
        string[] named = [.. ((FileInfo?[])[arguments.GetValue(From), arguments.GetValue(DecayFrom)]).OfType<FileInfo>().Select(file => file.FullName)];
        if (named.Length + (arguments.GetValue(Resume) ? 1 : 0) > 1)
        {
            throw new CommandException("--resume, --from and --decay-from name different beginnings. Give one of them.");
        }

        if (!arguments.GetValue(Resume) && File.Exists(own))
        {
            throw new CommandException($"{own} exists: {folder} holds a training run. Go on with it (--resume), or give another --out.");
        }

        string? checkpoint = arguments.GetValue(Resume) ? own : named.FirstOrDefault();
        if (checkpoint is null && arguments.GetValue(GrowLayers) is not null)
        {
            throw new CommandException("--grow-layers grows a checkpoint. Name one with --from, or give --layers.");
        }

        return checkpoint is null || File.Exists(checkpoint) ? checkpoint : throw new CommandException($"{checkpoint} does not exist. Begin without --resume, or name a checkpoint with --from.");
    }

    private static TargetOptions Options(ParseResult arguments, string folder)
    {
        (long? steps, double? minutes) = (arguments.GetValue(Steps), arguments.GetValue(Minutes));
        if ((steps is null) == (minutes is null))
        {
            throw new CommandException("How long is the run? Give either --steps or --minutes.");
        }

        if (steps <= 0 || minutes is <= 0 or double.NaN || arguments.GetValue(Decay) is not (>= 0 and <= 1) || arguments.GetValue(Rate) is not (> 0 and < 1))
        {
            throw new CommandException("--steps and --minutes are positive, --decay lies between 0 and 1, --rate between 0 and 1.");
        }

        int length = arguments.GetValue(Length), context = arguments.GetValue(Context);
        if (length % Elements.Width != 0 || length > context)
        {
            throw new CommandException($"--length is {length}; it must be a multiple of {Elements.Width} and no longer than the context, {context}.");
        }

        return new TargetOptions
        {
            Folder = folder,
            TokenizerFolder = arguments.GetRequiredValue(Tokenizer).FullName,
            Steps = steps,
            Minutes = minutes,
            DecayShare = arguments.GetValue(DecayFrom) is null ? arguments.GetValue(Decay) : 1,
            Rate = arguments.GetValue(Rate),
            WarmUpSteps = arguments.GetValue(WarmUp),
            CheckpointMinutes = arguments.GetValue(CheckpointMinutes),
            ValidationMinutes = arguments.GetValue(ValidationMinutes),
        };
    }

    private static ModelConfig Config(ParseResult arguments, HuggingFaceTokenizer tokenizer, string tokenizerFolder, string? checkpoint)
    {
        int? layers = arguments.GetValue(GrowLayers);
        if (checkpoint is not null)
        {
            ModelConfig old = TrainingCheckpoint.Describe(checkpoint).Config;
            if (old.VocabularyFingerprint is { } fingerprint && fingerprint != tokenizer.Fingerprint)
            {
                throw new CommandException($"{checkpoint} was trained with another vocabulary than {tokenizerFolder}. Give its tokenizer.");
            }

            return old with { LayerCount = layers ?? old.LayerCount, VocabularyFingerprint = tokenizer.Fingerprint };
        }

        GenerationConfig? generation = GenerationConfig.Load(tokenizerFolder);
        int heads = arguments.GetValue(Heads), hidden = arguments.GetValue(Hidden);
        return new ModelConfig
        {
            ModelType = "llama",
            Architectures = ["LlamaForCausalLM"],
            HiddenSize = hidden,
            IntermediateSize = arguments.GetValue(Feed),
            LayerCount = arguments.GetValue(Layers),
            HeadCount = heads,
            KeyValueHeadCount = arguments.GetValue(KeyValueHeads),
            HeadDimension = heads > 0 ? hidden / heads : 0,
            VocabularySize = (tokenizer.VocabularySize + Elements.Width - 1) / Elements.Width * Elements.Width, // the rows beyond belong to no token
            MaxPositions = arguments.GetValue(Context),
            NormEpsilon = 1e-5f,
            TieWordEmbeddings = true,
            StoredType = TensorType.BF16,
            BosToken = generation?.BosToken,
            EosTokens = generation?.EosTokens ?? [],
            VocabularyFingerprint = tokenizer.Fingerprint,
        };
    }

    private static LlamaModel Model(ModelConfig config, torch.ScalarType productType, int seed)
    {
        try
        {
            return new LlamaModel(config, productType, seed);
        }
        catch (ArgumentException exception)
        {
            throw new CommandException(exception.Message);
        }
    }

    internal static torch.ScalarType ProductType(string name, TextWriter log)
    {
        if (name != "auto")
        {
            return name == "bf16" ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;
        }

        (double single, double half) = ProductTypes.Measure();
        log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"matrix products: F32 {single:0} GFLOPS, BF16 {half:0} GFLOPS"));
        return half > single ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;
    }
}

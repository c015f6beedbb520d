using AdaEagle.Formats;
using AdaEagle.Tokenization;
using AdaEagle.Training.Data;
using AdaEagle.Training.Tokenizers;
using AdaEagle.Training.Torch;
using TorchSharp;

namespace AdaEagle.Training.Tests.Torch;

/// <summary>A folder with a corpus of counting sentences, its tokenizer and what a training run needs; deleted at the end.</summary>
internal sealed class SmallRun : IDisposable
{
    public const int BatchSize = 4, Length = 32, Vocabulary = 268;

    public SmallRun()
    {
        Folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        CorpusDocument[] documents = [.. Enumerable.Range(0, 300).Select(Document)];
        TokenizerFolder.Write(Tokenizer, BpeTrainer.Train(documents.SelectMany(document => document.Texts), Vocabulary, TokenizerFolder.SpecialTokens));
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Load(Tokenizer);
        ChatTemplate template = ChatTemplate.Parse("", new Dictionary<string, string> { ["bos_token"] = TokenizerFolder.EndOfText });
        Text = TokenDataset.Build(documents, tokenizer, template);
        HeldOut = TokenDataset.Build(Enumerable.Range(1000, 60).Select(Document), tokenizer, template);
        Config = SmallModels.Config with { VocabularySize = 272, VocabularyFingerprint = tokenizer.Fingerprint };
    }

    public string Folder { get; }

    public string Tokenizer => Path.Combine(Folder, "tokenizer");

    public TokenDataset Text { get; }

    public TokenDataset HeldOut { get; }

    public ModelConfig Config { get; }

    public string Checkpoint(string run) => Path.Combine(Folder, run, "checkpoint.safetensors");

    public TargetOptions Options(string run, long steps, double decay) => new()
    {
        Folder = Path.Combine(Folder, run), TokenizerFolder = Tokenizer, Steps = steps, DecayShare = decay, Rate = 1e-2, WarmUpSteps = 4,
    };

    /// <summary>Trains for so many steps; gives the last losses of the log, step by step, and hands the model over before it is disposed.</summary>
    public double[] Train(string run, long steps, double decay, string? checkpoint = null, ModelConfig? config = null, Action<LlamaModel, TargetTrainer>? look = null)
    {
        using var model = new LlamaModel(config ?? Config, torch.ScalarType.Float32, 1);
        using var trainer = new TargetTrainer(model, Text.Batches(BatchSize, Length, 1), new Validation(HeldOut, Length), Options(run, steps, decay), 1, checkpoint);
        trainer.Run();
        look?.Invoke(model, trainer);
        return [.. new TrainingLog(Path.Combine(Folder, run, "log.jsonl"), long.MaxValue).Entries.Where(entry => entry.Validation is null).Select(entry => entry.Loss)];
    }

    private static CorpusDocument Document(int index)
    {
        int start = index * 7 % 90;
        return new CorpusDocument(index % 2 == 0 ? "even" : "odd", null, string.Join(", ", Enumerable.Range(start, 12).Select(number => $"after {number} comes {number + 1}")) + ".");
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

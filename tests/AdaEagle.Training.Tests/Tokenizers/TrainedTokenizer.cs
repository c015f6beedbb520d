using AdaEagle.Tokenization;
using AdaEagle.Training.Tokenizers;

namespace AdaEagle.Training.Tests.Tokenizers;

/// <summary>A small tokenizer, trained, written and read back as the engine reads it.</summary>
public sealed class TrainedTokenizer : IDisposable
{
    public const int VocabularySize = 350;
    private readonly string _folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;

    public TrainedTokenizer()
    {
        string[] nouns = ["string", "stream", "cancellation token", "index", "collection", "byte order mark", "Encoding", "archive", "number", "The end"];
        Texts = [.. Enumerable.Range(0, 500).Select(i => $"Returns the {nouns[i % 10]} of this {nouns[i / 7 % 10]};\nwrites `{nouns[i / 3 % 10]}` {i}, isn't it?\n\n")];
        Vocabulary = BpeTrainer.Train(Texts, VocabularySize, TokenizerFolder.SpecialTokens);
        TokenizerFolder.Write(_folder, Vocabulary);
        Tokenizer = HuggingFaceTokenizer.Load(_folder);
        Template = ChatTemplate.Load(_folder) ?? throw new InvalidDataException("The trained tokenizer has no chat template.");
        Generation = Formats.GenerationConfig.Load(_folder) ?? throw new InvalidDataException("The trained tokenizer has no generation_config.json.");
    }

    public IReadOnlyList<string> Texts { get; }

    public BpeVocabulary Vocabulary { get; }

    public HuggingFaceTokenizer Tokenizer { get; }

    public ChatTemplate Template { get; }

    public Formats.GenerationConfig Generation { get; }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

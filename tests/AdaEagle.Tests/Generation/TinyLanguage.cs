using System.Text;
using AdaEagle.Formats;
using AdaEagle.Generation;
using AdaEagle.Models;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;
using AdaEagle.Tests.Speculation;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Generation;

/// <summary>
/// A whole model folder with random weights: target, tokenizer, head, predictor. The tokens are letters, some pairs of them, and the bytes of
/// characters that take two, three and four tokens, so that stop strings and characters lie across token edges everywhere.
/// </summary>
internal sealed class TinyLanguage : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TinyLanguage(int seed, bool head = true, bool predictor = true, bool survival = false, int threads = 1, float scale = 0.15f, string? headVocabulary = null, string? predictorVocabulary = null)
    {
        string[] merged = ["ab", "cd", "ba", "abc", "Ġa"];
        byte[] bytes = [.. "abcde .\n"u8, .. Encoding.UTF8.GetBytes("é€🦅").Distinct()];
        string[] vocabulary = [.. bytes.Select(value => ByteAlphabet.ToText([value])), .. merged];
        (string, string)[] merges = [("a", "b"), ("c", "d"), ("b", "a"), ("ab", "c"), ("Ġ", "a")];
        TokenizerJson.Write(_folder.File("tokenizer.json"), vocabulary, merges, "[^ ]+| ", ["<|end|>", "<|stop|>", "<|mark|>"]);
        EndToken = vocabulary.Length;
        OtherEndToken = vocabulary.Length + 1;
        Mark = vocabulary.Length + 2;
        // A vocabulary of a multiple of 16, so that some ids of the model are no token.
        ModelConfig config = TinyModels.Config with
        {
            HiddenSize = 32, HeadDimension = 8, VocabularySize = (vocabulary.Length + 3 + 15) / 16 * 16, TieWordEmbeddings = false, EosTokens = [EndToken], MaxPositions = 200,
        };
        _folder.Write("generation_config.json", $$"""{"eos_token_id": [{{EndToken}}, {{OtherEndToken}}]}""");
        TinyModels.WriteInto(
            _folder.Path, config, seed, TensorType.BF16, head ? config with { LayerCount = 1, VocabularyFingerprint = headVocabulary } : null, scale, mimicry: 1);
        if (predictor)
        {
            TinyPredictors.Write(Path.Combine(_folder.Path, "ldlp"), config.HiddenSize, seed, vocabulary: predictorVocabulary);
        }

        if (survival)
        {
            TinySurvivals.Write(Path.Combine(_folder.Path, "survival"), config.HiddenSize, seed, vocabulary: predictorVocabulary);
            TinyStopHeads.Write(Path.Combine(_folder.Path, "stop"), config.HiddenSize, seed);
        }

        Model = LanguageModel.Load(_folder.Path, new LoadOptions { Threads = threads });
    }

    public LanguageModel Model { get; }

    /// <summary>Ends an output by config.json.</summary>
    public int EndToken { get; }

    /// <summary>Ends an output by generation_config.json.</summary>
    public int OtherEndToken { get; }

    /// <summary>A special token that ends nothing.</summary>
    public int Mark { get; }

    public string Folder => _folder.Path;

    /// <summary>Generates until the test itself is cancelled.</summary>
    public GenerationResult Generate(IReadOnlyList<int> prompt, GenerationOptions options) =>
        Model.Generate(prompt, options, cancellation: TestContext.Current.CancellationToken);

    public int[] Prompt(Random random, int count) => RandomModels.Tokens(random, EndToken, count);

    public void Dispose()
    {
        Model.Dispose();
        _folder.Dispose();
    }
}

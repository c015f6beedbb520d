using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using AdaEagle.Training.Data;
using AdaEagle.Training.Tokenizers;

namespace AdaEagle.Training.Commands;

/// <summary><c>adaeagle-train tokenizer</c>: a byte-level BPE vocabulary from a corpus.</summary>
internal static class TokenizerCommand
{
    private static readonly Option<FileInfo[]> CorpusFiles = CommonOptions.Corpus();
    private static readonly Option<DirectoryInfo> Out = CommonOptions.Out("Folder for tokenizer.json, tokenizer_config.json and generation_config.json.");
    private static readonly Option<bool> AllDocuments = CommonOptions.AllDocuments();
    private static readonly Option<bool> AsJson = CommonOptions.Json();
    private static readonly Option<int> Vocabulary = CommonOptions.Whole(
        "--vocabulary", "Number of tokens, special tokens and the 256 bytes included.", usual: 4096, TokenizerFolder.SpecialTokens.Count + 256, 1 << 20);

    public static Command Create()
    {
        var command = new CommandWithExamples(
            "tokenizer",
            "Trains a byte-level BPE tokenizer on a corpus. The result depends on the texts and the size alone; there is no seed.",
            "adaeagle-train tokenizer --corpus corpus/train.jsonl.gz --out model",
            "adaeagle-train tokenizer --corpus a.jsonl notes.txt --vocabulary 1024 --all-documents --out model")
        { CorpusFiles, Vocabulary, Out, AllDocuments, AsJson };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult arguments)
    {
        var watch = Stopwatch.StartNew();
        bool all = arguments.GetValue(AllDocuments);
        long documents = 0, characters = 0, heldOut = 0;
        IEnumerable<string> texts = Corpus.Read(arguments.GetRequiredValue(CorpusFiles).Select(file => file.FullName)).SelectMany(document =>
        {
            if (!all && Corpus.IsHeldOut(document))
            {
                heldOut++;
                return [];
            }

            documents++;
            characters += document.Texts.Sum(text => (long)text.Length);
            return document.Texts;
        });
        BpeVocabulary vocabulary = BpeTrainer.Train(texts, arguments.GetValue(Vocabulary), TokenizerFolder.SpecialTokens);
        if (documents == 0)
        {
            throw new CommandException("Every document of the corpus is held out from training. Give more of them, or --all-documents.");
        }

        string folder = arguments.GetRequiredValue(Out).FullName;
        TokenizerFolder.Write(folder, vocabulary);
        double seconds = watch.Elapsed.TotalSeconds;
        arguments.InvocationConfiguration.Output.WriteLine(arguments.GetValue(AsJson)
            ? JsonSerializer.Serialize(new { folder, vocabulary = vocabulary.Tokens.Count, merges = vocabulary.Merges.Count, documents, heldOut, characters, seconds })
            : $"{folder}: {vocabulary.Tokens.Count} tokens, {vocabulary.Merges.Count} merges from {documents} documents ({characters / 1e6:0.0} M characters, {heldOut} documents held out) in {seconds:0.0} s");
        return 0;
    }
}

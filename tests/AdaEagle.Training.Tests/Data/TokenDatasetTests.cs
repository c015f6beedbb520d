using AdaEagle.Tokenization;
using AdaEagle.Training.Data;
using AdaEagle.Training.Tests.Tokenizers;

namespace AdaEagle.Training.Tests.Data;

public class TokenDatasetTests(TrainedTokenizer trained) : IClassFixture<TrainedTokenizer>
{
    private HuggingFaceTokenizer Tokenizer => trained.Tokenizer;

    [Fact]
    public void A_dialogue_is_what_the_chat_template_renders()
    {
        TokenDataset dataset = Build(new CorpusDocument("shell", [new("user", "Explain tar."), new("assistant", "It archives.")], null));

        Assert.Equal(
            "<|endoftext|><|user|>\nExplain tar.<|end|>\n<|assistant|>\nIt archives.<|end|>\n", Tokenizer.Decode(dataset.Tokens));
        Assert.Equal([0, 3], dataset.Tokens[..2]);
        Assert.Equal(2, dataset.Tokens.Count(id => id == 1));
    }

    [Fact]
    public void A_text_begins_with_the_begin_token_and_holds_no_other_special_token()
    {
        TokenDataset dataset = Build(new CorpusDocument("book", null, "The tag <|end|> is text here."), new CorpusDocument("book", null, "More."));

        Assert.Equal(0, dataset.Tokens[0]);
        Assert.Equal(0, dataset.Tokens[dataset.Documents[1].Start]);
        Assert.Equal(2, dataset.Tokens.Count(Tokenizer.IsSpecial));
        Assert.Equal("<|endoftext|>The tag <|end|> is text here.<|endoftext|>More.", Tokenizer.Decode(dataset.Tokens));
    }

    [Fact]
    public void A_special_token_written_in_a_dialogue_is_refused()
    {
        var exception = Assert.Throws<InvalidDataException>(() =>
            Build(new CorpusDocument("mine", [new("user", "What is <|end|>?"), new("assistant", "A token.")], null)));

        Assert.Contains("<|end|>", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Documents_keep_their_order_and_cover_all_tokens()
    {
        TokenDataset dataset = Build(Documents(500));

        int start = 0;
        Assert.Equal(500, dataset.Documents.Count);
        for (int i = 0; i < 500; i++)
        {
            Assert.Equal(start, dataset.Documents[i].Start);
            Assert.Contains($"number {i}.", Tokenizer.Decode(dataset[dataset.Documents[i]]), StringComparison.Ordinal);
            start += dataset.Documents[i].Length;
        }

        Assert.Equal(dataset.Tokens.Length, start);
    }

    [Fact]
    public void A_category_is_a_dataset_of_its_own()
    {
        TokenDataset dataset = Build(Documents(100));

        TokenDataset odd = dataset.Category("odd");

        Assert.Equal(["even", "odd"], dataset.Categories);
        Assert.Equal(["odd"], odd.Categories);
        Assert.Equal(50, odd.Documents.Count);
        Assert.Equal(dataset.Documents.Where(document => document.Category == "odd").SelectMany(document => dataset[document].ToArray()), odd.Tokens);
    }

    [Fact]
    public void Validation_rows_run_through_the_tokens_and_share_one_with_the_next()
    {
        TokenDataset dataset = Build(Documents(20));
        int rows = dataset.RowCount(length: 16);

        Assert.Equal((dataset.Tokens.Length - 1) / 16, rows);
        for (int row = 0; row < rows; row++)
        {
            Assert.Equal(dataset.Tokens.AsSpan(row * 16, 17), dataset.Row(row, length: 16));
        }
    }

    [Fact]
    public void An_epoch_is_a_shuffle_of_whole_documents_read_once()
    {
        TokenDataset dataset = Build(Documents(300));
        TokenBatches batches = dataset.Batches(batchSize: 4, length: 32, seed: 7);
        string[] expected = [.. dataset.Documents.Select(document => Tokenizer.Decode(dataset[document]))];

        string first = Tokenizer.Decode(Stream(batches, epoch: 0));
        string second = Tokenizer.Decode(Stream(batches, epoch: 1));

        // All documents but those that the end of the last full batch cuts off, each once.
        int cut = (dataset.Tokens.Length / 32 % 4 + 2) * 32;
        foreach (string stream in (string[])[first, second])
        {
            string[] pieces = ["<|endoftext|>" + stream.Split("<|endoftext|>")[1], .. stream.Split("<|endoftext|>")[2..^1].Select(piece => "<|endoftext|>" + piece)];
            Assert.Equal(pieces.Length, pieces.Distinct().Count());
            Assert.Subset(expected.ToHashSet(), pieces.ToHashSet());
            Assert.True(pieces.Length > 300 - cut / 8, "only the end is left out");
        }

        Assert.NotEqual(first, second);
        Assert.NotEqual(string.Concat(expected)[..200], first[..200]);
    }

    [Fact]
    public void Targets_are_the_successors_of_the_inputs()
    {
        TokenBatches batches = Build(Documents(300)).Batches(batchSize: 3, length: 20, seed: 1);
        int[] rows = new int[3 * 21], inputs = new int[60], targets = new int[60];

        batches.Read(5, rows);
        batches.Read(5, inputs, targets);

        for (int row = 0; row < 3; row++)
        {
            Assert.Equal(rows[(row * 21)..(row * 21 + 20)], inputs[(row * 20)..(row * 20 + 20)]);
            Assert.Equal(rows[(row * 21 + 1)..(row * 21 + 21)], targets[(row * 20)..(row * 20 + 20)]);
        }
    }

    [Fact]
    public void A_batch_depends_on_seed_and_index_alone()
    {
        TokenDataset dataset = Build(Documents(300));
        TokenBatches batches = dataset.Batches(4, 32, seed: 3);
        int last = batches.BatchesPerEpoch * 3 - 1;
        int[][] inOrder = [.. Enumerable.Range(0, last + 1).Select(index => Read(batches, index))];

        TokenBatches again = dataset.Batches(4, 32, seed: 3);
        foreach (int index in (int[])[last, 0, batches.BatchesPerEpoch, 1, last])
        {
            Assert.Equal(inOrder[index], Read(again, index));
        }

        Assert.NotEqual(inOrder[0], Read(dataset.Batches(4, 32, seed: 4), 0));
    }

    [Fact]
    public void A_corpus_smaller_than_a_batch_is_refused_with_the_numbers()
    {
        var exception = Assert.Throws<InvalidDataException>(() => Build(Documents(3)).Batches(8, 512, seed: 1));

        Assert.Contains("8 x 512", exception.Message, StringComparison.Ordinal);
    }

    private TokenDataset Build(params CorpusDocument[] documents) => TokenDataset.Build(documents, Tokenizer, trained.Template);

    private static CorpusDocument[] Documents(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new CorpusDocument(i % 2 == 0 ? "even" : "odd", null, $"This is number {i}.{new string('\n', i % 3)} The end"))];

    /// <summary>The stream of an epoch, put together from the stretches that the rows of its batches follow.</summary>
    private static int[] Stream(TokenBatches batches, int epoch)
    {
        int[][] read = [.. Enumerable.Range(0, batches.BatchesPerEpoch).Select(batch => Read(batches, epoch * batches.BatchesPerEpoch + batch))];
        return [.. Enumerable.Range(0, batches.BatchSize).SelectMany(row => read.SelectMany(rows => rows.Skip(row * batches.RowStride).Take(batches.Length)))];
    }

    private static int[] Read(TokenBatches batches, long index)
    {
        int[] rows = new int[batches.BatchSize * batches.RowStride];
        batches.Read(index, rows);
        return rows;
    }
}

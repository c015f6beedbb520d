using AdaEagle.Training.Tokenizers;
using CsCheck;

namespace AdaEagle.Training.Tests.Tokenizers;

public class BpeTrainerTests
{
    private const int Base = 256 + 1;
    private static readonly string[] Special = ["<|s|>"];

    [Fact]
    public void The_commonest_pair_is_merged_first()
    {
        // "ab" three times, " a" twice and "xb" twice; then " " + "ab" twice, and x comes before the character of the space.
        Assert.Equal(["a+b", "x+b", "Ġ+ab"], Merges(["ab ab ab", "xb", "xb"], 3));
    }

    [Fact]
    public void Equal_counts_go_to_the_smaller_left_then_the_smaller_right_id()
    {
        Assert.Equal(["a+x", "a+y", "b+a"], Merges(["ba", "ba", "ay", "ay", "ax", "ax"], 3));
    }

    [Fact]
    public void Runs_of_one_byte_are_merged_from_the_left()
    {
        // aaaaa, twice: aa (4 overlapping each), then aa aa a: aa+aa and aa+a, twice each; the smaller right id is a's.
        Assert.Equal(["a+a", "aa+a", "aa+aaa"], Merges(["aaaaa", "aaaaa"], 3));
    }

    [Fact]
    public void Merges_never_cross_a_piece()
    {
        string[] merges = Merges([.. Enumerable.Repeat("year 2024, don't stop\n\n", 5)], 10, out _);

        Assert.DoesNotContain("2+0", merges);
        Assert.DoesNotContain("r+Ġ", merges);
        Assert.DoesNotContain("t+Ġ", merges);
        Assert.Contains("Ċ+Ċ", merges);
    }

    [Fact]
    public void Ids_are_special_tokens_then_bytes_by_their_characters_then_merges()
    {
        BpeVocabulary vocabulary = BpeTrainer.Train(["ab ab"], Base + 1, Special);

        Assert.Equal("<|s|>", vocabulary.Tokens[0]);
        Assert.Equal("!", vocabulary.Tokens[1]);
        Assert.Equal(Enumerable.Range(0, 256).Select(value => NaiveBpe.Character((byte)value)).Order(StringComparer.Ordinal), vocabulary.Tokens.Skip(1).Take(256));
        Assert.Equal("ab", vocabulary.Tokens[Base]);
        BpeMerge merge = Assert.Single(vocabulary.Merges);
        Assert.Equal(("a", "b", Base), (vocabulary.Tokens[merge.Left], vocabulary.Tokens[merge.Right], merge.Result));
    }

    [Fact]
    public void A_vocabulary_has_exactly_the_size_asked_for_and_no_token_twice()
    {
        string[] texts = [.. Enumerable.Range(0, 400).Select(i => $"Returns the {Noun(i)} of this {Noun(i / 7)}, or {Noun(i / 3)} {new string('-', i % 9)}")];
        BpeVocabulary vocabulary = BpeTrainer.Train(texts, Base + 60, Special);

        Assert.Equal(Base + 60, vocabulary.Tokens.Count);
        Assert.Equal(vocabulary.Tokens.Count, vocabulary.Tokens.Distinct().Count());
        Assert.Equal(vocabulary.Merges.Count, vocabulary.Merges.Select(merge => (merge.Left, merge.Right)).Distinct().Count());
        Assert.All(vocabulary.Merges, merge => Assert.Equal(vocabulary.Tokens[merge.Result], vocabulary.Tokens[merge.Left] + vocabulary.Tokens[merge.Right]));
    }

    [Fact]
    public void Too_little_text_is_an_error_that_says_so()
    {
        var exception = Assert.Throws<InvalidDataException>(() => BpeTrainer.Train(["abc"], Base + 1, Special));

        Assert.Contains($"{Base} tokens, not {Base + 1}", exception.Message, StringComparison.Ordinal);
        Assert.Contains("smaller vocabulary", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vocabulary_too_small_for_the_bytes_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(["ab ab"], Base - 1, Special));

    [Fact]
    public void The_trainer_agrees_with_the_naive_algorithm_on_random_texts()
    {
        // Few letters, so that runs, ties and pairs that spell the same token are frequent; some text of other kinds.
        Gen<string> texts = Gen.OneOf(
            Gen.String[Gen.Char["ab"], 1, 24],
            Gen.String[Gen.Char["abc "], 1, 30],
            Gen.String[Gen.Char["aé漢 1.\n"], 1, 20]);
        texts.Array[1, 20].Select(Gen.Int[1, 40]).Sample((corpus, merges) =>
        {
            (List<string> tokens, List<(string, string)> expected) = NaiveBpe.Train(corpus, Base + merges, Special);
            if (tokens.Count < Base + merges)
            {
                Assert.Throws<InvalidDataException>(() => BpeTrainer.Train(corpus, Base + merges, Special));
                return;
            }

            BpeVocabulary vocabulary = BpeTrainer.Train(corpus, Base + merges, Special);
            Assert.Equal(tokens, vocabulary.Tokens);
            Assert.Equal(expected, vocabulary.Merges.Select(merge => (vocabulary.Tokens[merge.Left], vocabulary.Tokens[merge.Right])));
        }, iter: 300);
    }

    [Fact]
    public void The_order_of_the_texts_does_not_matter()
    {
        string[] texts = [.. Enumerable.Range(0, 300).Select(i => $"Gets the {Noun(i)} of {Noun(i / 5)}.Value, or null; see <see cref=\"{Noun(i / 11)}\"/>.")];
        BpeVocabulary expected = BpeTrainer.Train(texts, Base + 80, Special);

        for (int seed = 0; seed < 5; seed++)
        {
            string[] shuffled = [.. texts];
            new Random(seed).Shuffle(shuffled);
            BpeVocabulary actual = BpeTrainer.Train(shuffled, Base + 80, Special);
            Assert.Equal(expected.Tokens, actual.Tokens);
            Assert.Equal(expected.Merges, actual.Merges);
        }
    }

    [Fact]
    public void One_long_piece_takes_no_quadratic_time()
    {
        var random = new Random(1);
        string piece = string.Concat(Enumerable.Range(0, 400_000).Select(_ => "abcd"[random.Next(4)]));

        BpeVocabulary vocabulary = BpeTrainer.Train([piece], Base + 50, Special);

        Assert.Equal(Base + 50, vocabulary.Tokens.Count);
    }

    private static string Noun(int i) => ((string[])["string", "stream", "cancellation token", "index", "collection", "byte order mark", "Encoding"])[i % 7];

    private static string[] Merges(string[] texts, int count) => Merges(texts, count, out _);

    private static string[] Merges(string[] texts, int count, out BpeVocabulary vocabulary)
    {
        BpeVocabulary trained = vocabulary = BpeTrainer.Train(texts, Base + count, Special);
        return [.. trained.Merges.Select(merge => $"{trained.Tokens[merge.Left]}+{trained.Tokens[merge.Right]}")];
    }
}

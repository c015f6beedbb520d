using System.Text;
using AdaEagle.Training.Tokenizers;
using CsCheck;

namespace AdaEagle.Training.Tests.Tokenizers;

public class TokenizerFolderTests(TrainedTokenizer trained) : IClassFixture<TrainedTokenizer>
{
    [Fact]
    public void The_engine_reads_back_the_vocabulary_that_was_trained()
    {
        Assert.Equal(TrainedTokenizer.VocabularySize, trained.Tokenizer.VocabularySize);
        for (int id = 0; id < trained.Vocabulary.Tokens.Count; id++)
        {
            Assert.True(trained.Tokenizer.TryGetId(trained.Vocabulary.Tokens[id], out int actual));
            Assert.Equal(id, actual);
            Assert.Equal(id < 5, trained.Tokenizer.IsSpecial(id));
        }
    }

    [Fact]
    public void Special_tokens_have_the_ids_0_to_4()
    {
        Assert.Equal([0, 1, 2, 3, 4], trained.Tokenizer.Encode("<|endoftext|><|end|><|system|><|user|><|assistant|>"));
    }

    [Fact]
    public void Generation_ends_at_the_end_of_a_turn_or_text()
    {
        Assert.Equal([1, 0], trained.Generation.EosTokens);
        Assert.Equal(0, trained.Generation.BosToken);
    }

    [Fact]
    public void The_chat_template_writes_the_begin_token_once_and_asks_for_the_assistant()
    {
        Assert.Equal(
            "<|endoftext|><|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\n",
            trained.Template.Render([new("system", "Be brief."), new("user", "Hi")], addGenerationPrompt: true));
    }

    [Fact]
    public void Ids_round_trip_any_text()
    {
        Gen.OneOf(Gen.String, Gen.String[Gen.Char["ab \n'sé漢.🙂"], 0, 40], Gen.Int[0, trained.Texts.Count - 1].Select(i => trained.Texts[i])).Sample(text =>
        {
            string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)); // a lone surrogate is no text
            Assert.Equal(expected, trained.Tokenizer.Decode(trained.Tokenizer.EncodeOrdinary(text)));
        }, iter: 1000);
    }

    [Fact]
    public void The_engine_encodes_the_training_texts_as_the_merges_say()
    {
        var ranks = trained.Vocabulary.Merges.Select((merge, rank) => (merge, rank)).ToDictionary(item => (item.merge.Left, item.merge.Right), item => (item.rank, item.merge.Result));
        foreach (string text in trained.Texts.Take(100))
        {
            List<int> expected = [];
            foreach (List<string> piece in NaiveBpe.Pieces(text))
            {
                List<int> ids = [.. piece.Select(character => { Assert.True(trained.Tokenizer.TryGetId(character, out int id)); return id; })];
                while (ids.Zip(ids.Skip(1)).Where(ranks.ContainsKey).Select(pair => ranks[pair]).Order().Select(item => (int?)item.rank).FirstOrDefault() is { } rank)
                {
                    BpeMerge merge = trained.Vocabulary.Merges[rank];
                    int at = Enumerable.Range(0, ids.Count - 1).First(i => ids[i] == merge.Left && ids[i + 1] == merge.Right);
                    ids[at] = merge.Result;
                    ids.RemoveAt(at + 1);
                }

                expected.AddRange(ids);
            }

            Assert.Equal(expected, trained.Tokenizer.EncodeOrdinary(text));
        }
    }
}

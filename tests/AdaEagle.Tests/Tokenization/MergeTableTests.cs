using AdaEagle.Tokenization;
using AdaEagle.Tokenization.Merging;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

public class MergeTableTests
{
    /// <summary>Random merges over a few letters, each of two tokens that exist, as training makes them.</summary>
    private static readonly Gen<(string[] Tokens, (int Left, int Right, int Result)[] Merges)> _merges = Gen.Select(Gen.Int[0, 1000], Gen.Int[0, 1000])
        .Array[0, 30].Select(choices =>
        {
            List<string> tokens = ["a", "b", "c"];
            List<(int, int, int)> merges = [];
            foreach ((int first, int second) in choices)
            {
                (int left, int right) = (first % tokens.Count, second % tokens.Count);
                string joined = tokens[left] + tokens[right];
                if (joined.Length <= 12)
                {
                    int result = tokens.IndexOf(joined);
                    if (result < 0)
                    {
                        result = tokens.Count;
                        tokens.Add(joined);
                    }

                    merges.Add((left, right, result));
                }
            }

            return (tokens.ToArray(), merges.ToArray());
        });

    [Fact]
    public void Both_ways_of_merging_give_what_the_definition_gives() => Gen.Select(_merges, Gen.Int[0, 2].Array[0, 90]).Sample(
        (table, letters) =>
        {
            var merges = new MergeTable(table.Merges);
            int[] expected = ByDefinition(table.Merges, letters);
            int[] quick = [.. letters];
            int[] heap = [.. letters];
            int[] chosen = [.. letters];
            Assert.Equal(expected, quick[..merges.MergeShort(quick)]);
            Assert.Equal(expected, heap[..merges.MergeLong(heap)]);
            Assert.Equal(expected, chosen[..merges.Merge(chosen)]);
            Assert.Equal(string.Concat(letters.Select(id => table.Tokens[id])), string.Concat(expected.Select(id => table.Tokens[id])));
        },
        iter: 5000);

    [Fact]
    public void A_piece_of_a_million_bytes_takes_no_square_of_time()
    {
        // Doubling: token i is a run of 2^i.
        List<(int, int, int)> merges = [];
        for (int i = 0; i < 16; i++)
        {
            merges.Add((i, i, i + 1));
        }

        int[] ids = new int[1_000_000];
        int count = 0;
        Patience.Run(() => count = new MergeTable(merges).Merge(ids));
        Assert.Equal(1_000_000, ids[..count].Sum(id => 1 << id));
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("ab1")]
    [InlineData("\u0301")]
    [InlineData("中")]
    [InlineData("\ud835\udcb3")]
    [InlineData("the eagle")]
    public void A_run_of_a_hundred_thousand_is_encoded_in_time(string unit)
    {
        HuggingFaceTokenizer tokenizer = TokenizerFixture.Tiny.Load();
        string text = string.Concat(Enumerable.Repeat(unit, 100_000 / unit.Length));
        int[] ids = [];
        Patience.Run(() => ids = tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(ids));
    }

    private static int[] ByDefinition((int Left, int Right, int Result)[] merges, int[] letters)
    {
        List<int> ids = [.. letters];
        while (true)
        {
            // A pair named twice counts by its later rank.
            int best = int.MaxValue;
            int place = -1;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                int rank = Array.FindLastIndex(merges, merge => merge.Left == ids[i] && merge.Right == ids[i + 1]);
                if (rank >= 0 && rank < best)
                {
                    (best, place) = (rank, i);
                }
            }

            if (place < 0)
            {
                return [.. ids];
            }

            ids[place] = merges[best].Result;
            ids.RemoveAt(place + 1);
        }
    }
}

using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Verification;
using AdaEagle.Tests.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>Verification of draft trees: random trees, with the right tokens in them or not, give plain decoding's output.</summary>
public class TreeVerificationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Random_trees_give_the_tokens_of_plain_decoding(int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random, vocabulary: 5);
        using TinyPair pair = TinyModels.Load(config, seed, RandomModels.Type(random));
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool, maxRows: 32);
        var sampling = new SamplingOptions { Temperature = 1.2f, Seed = (ulong)seed };
        int accepted = 0;
        for (int i = 0; i < 12; i++)
        {
            var task = new DecodingTask(RandomModels.Tokens(random, 5, random.Next(1, 70)), i % 3 == 0 ? SamplingOptions.Greedy : sampling with { Sequence = i }, 30, []);
            int[] expected = Decoding.Plain(target, task);
            Assert.Equal(expected, WithTrees(target, task, expected, random, ref accepted));
        }

        Assert.True(accepted > 50, $"{accepted} accepted");
    }

    [Fact]
    public void A_tree_knows_depths_sums_and_children()
    {
        var tree = new DraftTree(4);
        Assert.Equal(0, tree.Add(7, -1, -0.5f));
        Assert.Equal(1, tree.Add(8, -1, -1f));
        Assert.Equal(2, tree.Add(7, 0, -0.25f));
        Assert.Equal(3, tree.Add(9, 2, -2f));
        Assert.Equal([1, 1, 2, 3], Enumerable.Range(0, 4).Select(tree.Depth));
        Assert.Equal([-0.5f, -1, -0.75f, -2.75f], Enumerable.Range(0, 4).Select(tree.CumulativeLogProbability));
        Assert.Equal(0, tree.CumulativeLogProbability(-1));
        Assert.Equal((0, 1, 2, 3, -1, -1), (tree.FindChild(-1, 7), tree.FindChild(-1, 8), tree.FindChild(0, 7), tree.FindChild(2, 9), tree.FindChild(0, 8), tree.FindChild(3, 7)));
        Assert.Throws<InvalidOperationException>(() => tree.Add(1, 0, 0));
        tree.Clear();
        Assert.Throws<ArgumentOutOfRangeException>(() => tree.Add(1, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => tree.Add(1, -2, 0));
        Assert.Equal(-1, tree.FindChild(-1, 7));
    }

    private static List<int> WithTrees(LlamaTarget target, DecodingTask task, int[] recorded, Random random, ref int accepted)
    {
        using KvCache cache = target.CreateCache(task.Prompt.Length + task.MaxTokens + 16);
        var sampler = new Sampler(task.Sampling);
        var rows = new PassRows(target.MaxRows);
        var tree = new DraftTree(14);
        foreach (int[] chunk in task.Prompt.Chunk(target.MaxRows))
        {
            rows.Clear();
            for (int i = 0; i < chunk.Length; i++)
            {
                rows.Add(cache, chunk[i], i - 1);
            }

            target.Forward(rows, PassRequest.AllLogits);
            cache.CommitFirst(rows.Count);
        }

        List<int> output = [sampler.IsGreedy ? target.ArgMax(rows.Count - 1) : sampler.Sample(target.Logits(rows.Count - 1), 0)];
        int[] path = new int[15];
        while (output.Count < task.MaxTokens)
        {
            Grow(tree, random, recorded.AsSpan(output.Count));
            Verifier.AddRows(rows, cache, output[^1], tree);
            target.Forward(rows, PassRequest.AllLogits);
            int length = Verifier.Accept(target, sampler, tree, output.Count, task.Ends, path, out int next);
            cache.Commit(path.AsSpan(0, length + 1));
            cache.CheckIntegrity();
            output.AddRange(path.AsSpan(1, length).ToArray().Select(row => tree.Token(row - 1)));
            output.Add(next);
            accepted += length;
        }

        return output[..task.MaxTokens];
    }

    // Nodes under random parents; half of them continue what is right, so that accepted paths run through the tree in any order.
    private static void Grow(DraftTree tree, Random random, ReadOnlySpan<int> right)
    {
        tree.Clear();
        int[] depthsOfRight = new int[tree.Capacity];
        int size = random.Next(tree.Capacity + 1);
        for (int attempt = 0; attempt < 200 && tree.Count < size; attempt++)
        {
            int parent = random.Next(-1, tree.Count);
            int depth = parent < 0 ? 0 : depthsOfRight[parent];
            bool onRightPath = depth >= 0 && depth < right.Length && random.Next(2) == 0;
            int token = onRightPath ? right[depth] : random.Next(5);
            if (tree.FindChild(parent, token) < 0)
            {
                depthsOfRight[tree.Count] = depth >= 0 && depth < right.Length && token == right[depth] ? depth + 1 : -1;
                tree.Add(token, parent, -1);
            }
        }
    }
}

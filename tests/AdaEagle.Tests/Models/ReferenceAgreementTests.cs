using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Tests.BenchModels;

namespace AdaEagle.Tests.Models;

/// <summary>Random targets and heads of every shape against a reference in scalar code that shares nothing with the engine.</summary>
public class ReferenceAgreementTests
{
    private const float Tolerance = 1e-3f;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 16)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Target_and_head_agree_with_the_reference(int seed)
    {
        var random = new Random(seed);
        ModelConfig config = RandomModels.Target(random);
        // The frequencies of llama3 and yarn are checked where the table is.
        config = config.RopeScaling?.Kind is "llama3" or "yarn" ? config with { RopeScaling = null } : config;
        ModelConfig headConfig = RandomModels.Head(random, config);
        bool ownEmbedding = seed % 2 == 0;
        using var folder = new Formats.TemporaryFolder();
        TinyModels.WriteInto(folder.Path, config, seed, RandomModels.Type(random), headConfig, headEmbedding: ownEmbedding);
        using var reference = new ReferenceModel(folder.Path);
        using LlamaModel model = LlamaModel.Load(folder.Path);
        using EagleHead head = EagleHead.Load(Path.Combine(folder.Path, "eagle"), model);
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(model, pool);
        using var runner = new EagleHeadRunner(head, pool, 16);

        int[] tokens = RandomModels.Tokens(random, config.VocabularySize, 13);
        float[][] features = reference.Features(tokens);
        float[][] predicted = reference.Draft(features[..12], tokens[1..]);
        using KvCache cache = target.CreateCache(13);
        using KvCache headCache = runner.CreateCache(12);
        var rows = new PassRows(13);
        var headRows = new PassRows(12);
        for (int i = 0; i < 13; i++)
        {
            rows.Add(cache, tokens[i], i - 1);
        }

        target.Forward(rows, PassRequest.AllLogits);
        for (int i = 0; i < 13; i++)
        {
            Close(features[i], target.Feature(i), $"feature {i}");
            Close(reference.Logits(features[i]), target.Logits(i), $"logits {i}");
            if (i < 12)
            {
                headRows.Add(headCache, tokens[i + 1], i - 1);
                features[i].CopyTo(runner.FeatureInput(i));
            }
        }

        runner.Forward(headRows, logitRows: 12);
        for (int i = 0; i < 12; i++)
        {
            Close(predicted[i], runner.Output(i), $"head output {i}");
            Close(reference.Logits(predicted[i]), runner.Logits(i), $"head logits {i}");
        }
    }

    private static void Close(float[] expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(MathF.Abs(expected[i] - actual[i]) <= Tolerance * (1 + MathF.Abs(expected[i])), $"{what}[{i}] is {actual[i]} instead of {expected[i]}");
        }
    }
}

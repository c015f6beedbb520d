using AdaEagle.Bench.Models;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Tests.Models;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.BenchModels;

/// <summary>What inflation must not change of an EAGLE-3 head: outputs and logits of committed rows and of a chain of drafts, to the bit.</summary>
public class InflatedEagle3Tests
{
    private static readonly int[] s_text = [3, 17, 60, 1, 1, 42, 8, 23, 5];

    public static TheoryData<int, bool, bool, TensorType> Cases
    {
        get
        {
            var cases = new TheoryData<int, bool, bool, TensorType>();
            foreach (int exponent in (int[])[0, 1, 2])
            {
                foreach (TensorType type in (TensorType[])[TensorType.F32, TensorType.BF16])
                {
                    cases.Add(exponent, false, false, type);
                    cases.Add(exponent, true, true, type);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_inflated_head_computes_the_same_bits(int widthExponent, bool ownEmbedding, bool normBeforeResidual, TensorType type)
    {
        using var folder = new TemporaryFolder();
        ModelConfig target = Tests.Models.TinyModels.Config with { HiddenSize = 32, HeadDimension = 8, LayerCount = 5, NormEpsilon = MathF.ScaleB(1, -17) };
        ModelConfig head = target with { LayerCount = 1, HeadCount = 3, KeyValueHeadCount = 1, Eagle3 = new Eagle3Config { DraftVocabularySize = 24, NormBeforeResidual = normBeforeResidual } };
        Directory.CreateDirectory(folder["small"]);
        Tests.Models.TinyModels.WriteInto(folder["small"], target, 3, type, head, headEmbedding: ownEmbedding);
        TinyModels.Inflate(folder["small"], folder["large"], source => TinyModels.Grow(source.Target.Shape, source.Head!.Shape, widthExponent));

        Assert.Equal([2, 2, 2], ModelConfig.Load(Path.Combine(folder["large"], "eagle")).Eagle3!.Boundaries!);
        foreach (KernelPath path in KernelPaths.Available)
        {
            Assert.Equal(Outputs(folder["small"], path, 32), Outputs(folder["large"], path, 32));
        }
    }

    [Fact]
    public void The_plan_counts_what_a_drafted_row_streams()
    {
        using var folder = new TemporaryFolder();
        ModelConfig target = Tests.Models.TinyModels.Config with { HiddenSize = 32, HeadDimension = 8, LayerCount = 5 };
        Directory.CreateDirectory(folder.Path);
        Tests.Models.TinyModels.WriteInto(folder.Path, target, 3, TensorType.BF16, target with { LayerCount = 1, Eagle3 = new Eagle3Config { DraftVocabularySize = 24 } });
        using var source = SourceModel.Open(folder.Path);
        using var model = LlamaModel.Load(folder.Path);
        using var head = EagleHead.Load(folder["eagle"], model);
        Inflation plan = InflationPlanner.Plan(source.Target.Shape, source.Head!.Shape, 2_000_000, 0.1);
        Assert.InRange(plan.DraftCost!.Value, 0.098, 0.102);

        // Matrices, norms apart: q, k, v over twice the width, o, gate, up, down, and the LM head of 24 tokens.
        long matrices = (64 * 32 * 2) + (32 * 32) + (3 * 32 * 80) + (24 * 32);
        Assert.Equal(matrices + (4 * 32), source.Head.Shape.Streamed);
        Assert.True(head.StepBytes >= 2 * matrices);
    }

    [Theory]
    [InlineData("fc_norm")]
    [InlineData("norm_before_fc")]
    [InlineData("speculators_model_type")]
    public void Variants_that_cannot_be_widened_are_refused_by_name(string key)
    {
        using var folder = new TemporaryFolder();
        ModelConfig target = Tests.Models.TinyModels.Config with { LayerCount = 5 };
        var eagle = new Eagle3Config { DraftVocabularySize = 24, FcNorm = key == "fc_norm", NormBeforeFc = key == "norm_before_fc", Speculators = key == "speculators_model_type" };
        Tests.Models.TinyModels.WriteInto(folder.Path, target, 3, head: target with { LayerCount = 1, Eagle3 = eagle });
        ModelFormatException refused = Assert.Throws<ModelFormatException>(() => SourceModel.Open(folder.Path));
        Assert.Equal(key, refused.Item);
    }

    // Logits of the committed rows and of three drafts, and outputs in the original's width, whose padding must be zero.
    private static float[] Outputs(string folder, KernelPath path, int width)
    {
        using var model = LlamaModel.Load(folder, path: path);
        using var head = EagleHead.Load(Path.Combine(folder, "eagle"), model);
        (float[][] features, float[][] states) = TargetStates.Of(head, s_text);
        using var runner = new EagleHeadRunner(head, WorkerPool.Shared, s_text.Length);
        using KvCache cache = runner.CreateCache(s_text.Length + 3);
        var rows = new PassRows(s_text.Length + 3);
        for (int i = 0; i < s_text.Length; i++)
        {
            rows.Add(cache, s_text[(i + 1) % s_text.Length], i - 1);
            states[i].CopyTo(runner.TargetInput(i));
        }

        var all = new List<float>(features.SelectMany(feature => feature[..width]));
        void Take(int row)
        {
            all.AddRange(runner.Logits(row));
            float[] output = runner.Output(row).ToArray();
            all.AddRange(output[..width]);
            Assert.All(output[width..], value => Assert.Equal(0, value));
        }

        runner.ForwardCommitted(rows, s_text.Length);
        cache.CommitFirst(s_text.Length);
        for (int row = 0; row < s_text.Length; row++)
        {
            Take(row);
        }

        int last = s_text.Length - 1;
        rows.Clear();
        for (int step = 0, parent = -1; step < 3; step++, last = 0)
        {
            int token = head.TargetToken(runner.ArgMax(last));
            float[] state = runner.Output(last).ToArray();
            rows.Continue();
            parent = rows.Add(cache, token, parent);
            state.CopyTo(runner.FeatureInput(0));
            runner.Forward(rows, 1);
            Take(0);
        }

        Assert.All(all, value => Assert.True(float.IsFinite(value)));
        return [.. all];
    }
}

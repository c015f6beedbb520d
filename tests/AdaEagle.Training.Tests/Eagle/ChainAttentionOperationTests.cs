using AdaEagle.Training.Eagle;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Eagle;

public class ChainAttentionOperationTests
{
    private const int Heads = 2, Group = 2, Dimension = 32;

    /// <summary>Two answers of 20 and 37 pairs; later steps have rows from positions 5 and 9 on.</summary>
    private static readonly PackedSpan[] Whole = [new(0, 20, 0, 0), new(20, 37, 0, 20)];
    private static readonly PackedSpan[] Chain = [new(0, 15, 5, 0), new(15, 28, 9, 20)];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_is_attention_over_the_true_prefix_and_the_own_chain_forward_and_backward(int steps)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        PackedSpan[] spans = steps == 0 ? Whole : Chain;
        int rows = spans[^1].FirstRow + spans[^1].Rows;
        Tensor[] inputs = [Random(rows * Group), Random(57), Random(57), .. Enumerable.Range(0, 2 * steps).Select(_ => Random(rows))];
        Tensor weight = randn(Heads, rows * Group, Dimension);

        Tensor expected = Reference(inputs, spans, steps);
        (expected * weight).sum().backward();
        Tensor[] gradients = [.. inputs.Select(input => input.grad!.clone())];
        foreach (Tensor input in inputs)
        {
            input.grad!.zero_();
        }

        (Tensor Keys, Tensor Values)[] chain = [.. Enumerable.Range(0, steps).Select(step => (inputs[3 + 2 * step], inputs[4 + 2 * step]))];
        Tensor actual = ChainAttentionOperation.Apply(inputs[0], inputs[1], inputs[2], chain, spans);
        (actual * weight).sum().backward();

        AssertNear(expected, actual, 1e-5);
        for (int i = 0; i < inputs.Length; i++)
        {
            AssertNear(gradients[i], inputs[i].grad!, 1e-4);
        }
    }

    [Fact]
    public void In_half_precision_it_is_the_same_to_its_accuracy()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        Tensor[] inputs = [Random(43 * Group), Random(57), Random(57), Random(43), Random(43), Random(43), Random(43)];
        Tensor[] half = [.. inputs.Select(input => input.detach().to(ScalarType.BFloat16).requires_grad_(true))];
        Tensor expected = Reference(inputs, Chain, 2);
        expected.sum().backward();
        Tensor actual = ChainAttentionOperation.Apply(half[0], half[1], half[2], [(half[3], half[4]), (half[5], half[6])], Chain);
        actual.sum().backward();

        AssertNear(expected, actual.to(ScalarType.Float32), 0.05);
        for (int i = 0; i < inputs.Length; i++)
        {
            AssertNear(inputs[i].grad!, half[i].grad!.to(ScalarType.Float32), 0.1);
        }
    }

    /// <summary>Row by row, with torch's own operations.</summary>
    private static Tensor Reference(Tensor[] inputs, PackedSpan[] spans, int steps)
    {
        var heads = new List<Tensor>();
        for (int head = 0; head < Heads; head++)
        {
            var rows = new List<Tensor>();
            foreach (PackedSpan span in spans)
            {
                for (int row = 0; row < span.Rows; row++)
                {
                    int prefix = Math.Max(0, span.FirstPosition + row - steps + 1);
                    var keys = new List<Tensor> { inputs[1][head].narrow(0, span.FirstPair, prefix) };
                    var values = new List<Tensor> { inputs[2][head].narrow(0, span.FirstPair, prefix) };
                    for (int step = 1; step <= steps; step++)
                    {
                        int key = row - steps + step;
                        if (key >= 0)
                        {
                            keys.Add(inputs[1 + 2 * step][head].narrow(0, span.FirstRow + key, 1));
                            values.Add(inputs[2 + 2 * step][head].narrow(0, span.FirstRow + key, 1));
                        }
                    }

                    Tensor queries = inputs[0][head].narrow(0, (span.FirstRow + row) * Group, Group);
                    rows.Add((queries.mm(cat(keys).t()) / Math.Sqrt(Dimension)).softmax(-1).mm(cat(values)));
                }
            }

            heads.Add(cat(rows));
        }

        return stack(heads);
    }

    private static Tensor Random(int rows) => randn(Heads, rows, Dimension).requires_grad_(true);

    internal static void AssertNear(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        double error = ((expected - actual).abs() / (expected.abs() + 1)).max().item<float>();
        Assert.True(error <= tolerance, $"The largest error is {error}, more than {tolerance}.");
    }
}

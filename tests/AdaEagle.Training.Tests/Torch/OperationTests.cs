using System.Runtime.Intrinsics;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Torch;

/// <summary>Our operations against libtorch's own, forward and backward.</summary>
public class OperationTests
{
    [Theory]
    [InlineData(64, 1, 160)]
    [InlineData(128, 2, 320)]
    [InlineData(48, 3, 96)]
    public void Attention_agrees_with_libtorchs(int block, int group, int positions)
    {
        using var scope = NewDisposeScope();
        Tensor queries = Leaf(2, positions * group, 32), keys = Leaf(2, positions, 32), values = Leaf(2, positions, 32), weight = randn(2, positions * group, 32);
        (AttentionOperation.Apply(queries, keys, values, block) * weight).sum().backward();

        Tensor[] ours = [queries.grad!.clone(), keys.grad!.clone(), values.grad!.clone()];
        foreach (Tensor leaf in (Tensor[])[queries, keys, values])
        {
            leaf.grad!.zero_();
        }

        // The heads of a group are neighbouring rows of one position with us, a dimension of their own with libtorch.
        Tensor heads = queries.reshape(2, positions, group, 32).transpose(1, 2);
        Tensor reference = nn.functional.scaled_dot_product_attention(
            heads, keys.unsqueeze(1).expand(2, group, positions, 32), values.unsqueeze(1).expand(2, group, positions, 32), is_casual: true);
        (reference.transpose(1, 2).reshape(2, positions * group, 32) * weight).sum().backward();

        Close(queries.grad!, ours[0]);
        Close(keys.grad!, ours[1]);
        Close(values.grad!, ours[2]);
    }

    [Fact]
    public void Head_loss_agrees_with_libtorchs_cross_entropy()
    {
        using var scope = NewDisposeScope();
        Tensor hidden = Leaf(70, 32), head = Leaf(96, 32), targets = randint(0, 96, 70, dtype: ScalarType.Int64);
        Tensor loss = HeadLossOperation.apply(hidden, head, targets);
        (loss * 2).backward();
        (Tensor ourHidden, Tensor ourHead) = (hidden.grad!.clone(), head.grad!.clone());
        hidden.grad!.zero_();
        head.grad!.zero_();
        Tensor reference = nn.functional.cross_entropy(hidden.mm(head.t()), targets);
        (reference * 2).backward();

        Assert.Equal(reference.item<float>(), loss.item<float>(), 1e-5f);
        Close(hidden.grad!, ourHidden);
        Close(head.grad!, ourHead);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Norm_adds_and_normalises(bool hasDelta)
    {
        using var scope = NewDisposeScope();
        Tensor x = Leaf(9, 48), delta = Leaf(9, 48), first = randn(9, 48), second = randn(9, 48);
        (Tensor sum, Tensor normed) = NormOperation.Apply(x, hasDelta ? delta : null, ScalarType.Float32, 1e-5);
        (sum * first + normed * second).sum().backward();
        (Tensor ours, Tensor? ourDelta) = (x.grad!.clone(), hasDelta ? delta.grad!.clone() : null);
        x.grad!.zero_();
        Tensor added = hasDelta ? x + delta.detach() : x * 1;
        Tensor reference = added * (added.square().mean([1], keepdim: true) + 1e-5).rsqrt();
        (added * first + reference * second).sum().backward();

        Close(added, sum);
        Close(reference, normed);
        Close(x.grad!, ours);
        if (ourDelta is not null)
        {
            Close(x.grad!, ourDelta);
        }
    }

    [Fact]
    public void Gate_is_silu_times_up()
    {
        using var scope = NewDisposeScope();
        Tensor both = (randn(5, 64) * 4).requires_grad_(true), weight = randn(5, 32);
        Tensor result = GateOperation.apply(both);
        (result * weight).sum().backward();
        Tensor ours = both.grad!.clone();
        both.grad!.zero_();
        Tensor reference = nn.functional.silu(both.narrow(1, 0, 32)) * both.narrow(1, 32, 32);
        (reference * weight).sum().backward();

        Close(reference, result);
        Close(both.grad!, ours);
    }

    [Fact]
    public void Exponential_is_accurate_from_nothing_to_almost_infinite()
    {
        for (float x = -86.9f; x < 88; x += 0.0137f)
        {
            float actual = Exponential.Of(Vector512.Create(x))[3];
            Assert.InRange(actual / Math.Exp(x), 1 - 4e-7, 1 + 4e-7);
        }

        Assert.InRange(Exponential.Of(Vector512.Create(float.NegativeInfinity))[0], 0, 1e-37f);
    }

    [Fact]
    public void BF16_is_stored_to_the_nearest_with_ties_to_even()
    {
        using var scope = NewDisposeScope();
        Tensor values = cat([randn(500), tensor((float[])[1 + 1 / 256f, 1 + 3 / 256f, 0, -0f, 3.4e38f, 1e-40f, -1 - 1 / 256f, 1e-30f, 5, 6, 7, 8])]);
        Tensor expected = values.to(ScalarType.BFloat16), actual = empty(512, ScalarType.BFloat16);
        nint source = Elements.Address(values, ScalarType.Float32, 512), target = Elements.Address(actual, ScalarType.BFloat16, 512);
        for (int i = 0; i < 512; i += Elements.Width)
        {
            BF16.Store(target, i, F32.Load(source, i));
        }

        Assert.Equal(expected.bytes.ToArray(), actual.bytes.ToArray());
        Assert.Equal(expected.to(ScalarType.Float32).data<float>()[5], BF16.Load(target, 0)[5]);
    }

    private static Tensor Leaf(params long[] shape) => randn(shape).requires_grad_(true);

    private static void Close(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        double difference = (expected - actual).abs().max().item<float>();
        Assert.True(difference < 2e-5 * (1 + expected.abs().max().item<float>()), $"differs by {difference}");
    }
}

using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Torch;

public class OptimizerTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Muon_brings_singular_values_near_one_and_keeps_the_singular_vectors(ScalarType type)
    {
        using var scope = NewDisposeScope();
        Tensor matrices = randn(3, 24, 64) * tensor((float[])[1e-3f, 1, 50]).reshape(3, 1, 1);

        Tensor result = Muon.Orthogonalise(matrices, type);

        for (int index = 0; index < 3; index++)
        {
            (Tensor u, Tensor s, Tensor vh) = linalg.svd(result[index], fullMatrices: false);
            Assert.All(s.data<float>().ToArray(), value => Assert.InRange(value, 0.6f, 1.3f));
            (Tensor u0, _, Tensor vh0) = linalg.svd(matrices[index], fullMatrices: false);
            double alike = (result[index] * u0.mm(vh0)).sum().item<float>() / 24; // mean of the values along the original vectors
            Assert.InRange(alike, 0.75, 1.2);
        }
    }

    [Fact]
    public void Muon_does_the_same_to_a_matrix_and_its_transpose()
    {
        using var scope = NewDisposeScope();
        Tensor lying = randn(16, 48).requires_grad_(true), standing = lying.detach().t().contiguous().requires_grad_(true), weight = randn(16, 48);
        using var muon = new Muon([new("lying", lying), new("standing", standing)], ScalarType.Float32, 0.1);
        (lying * weight).sum().backward();
        (standing * weight.t()).sum().backward();
        muon.Step(0.01);

        Assert.True((lying - standing.t()).abs().max().item<float>() < 1e-6);
    }

    [Fact]
    public void AdamW_agrees_with_libtorchs()
    {
        using var scope = NewDisposeScope();
        Tensor ours = randn(7, 5).requires_grad_(true), theirs = ours.detach().clone().requires_grad_(true), goal = randn(7, 5);
        using var adam = new AdamW([new("w", ours)], 0.9, 0.98, 0.1);
        using var reference = optim.AdamW([nn.Parameter(theirs)], lr: 0.02, beta1: 0.9, beta2: 0.98, weight_decay: 0.1);
        Tensor parameter = reference.parameters().Single();
        for (int step = 0; step < 10; step++)
        {
            if (step > 0)
            {
                ours.grad!.zero_();
                parameter.grad!.zero_();
            }

            (ours - goal).square().sum().backward();
            (parameter - goal).square().sum().backward();
            adam.Step(0.02);
            reference.step();
        }

        Assert.True((ours - parameter).abs().max().item<float>() < 1e-5);
    }

    [Fact]
    public void The_rate_warms_up_stays_and_falls_to_two_percent()
    {
        var schedule = new RateSchedule(10, 0.4);

        Assert.Equal(0.1, schedule.At(0, 0), 9);
        Assert.Equal(1, schedule.At(9, 0.01), 9);
        Assert.Equal(1, schedule.At(500, 0.59), 9);
        Assert.Equal(0.51, schedule.At(800, 0.8), 9);
        Assert.Equal(0.02, schedule.At(1000, 1), 9);
        Assert.False(schedule.IsDecaying(0.59));
        Assert.True(schedule.IsDecaying(0.61));
    }

    [Fact]
    public void A_schedule_without_decay_stays_and_an_interrupted_decay_goes_on_from_where_it_was()
    {
        Assert.Equal(1, new RateSchedule(10, 0).At(1000, 1), 9);
        Assert.Equal(0.3, new RateSchedule(10, 1, StartShare: 0.3).At(1000, 0), 9);
        Assert.Equal(0.16, new RateSchedule(10, 1, StartShare: 0.3).At(1000, 0.5), 9);
    }
}

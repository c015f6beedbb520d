using AdaEagle.Training.Eagle;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Eagle;

public class DraftLossOperationTests
{
    [Theory]
    [InlineData(64, false)]
    [InlineData(4096, false)]
    [InlineData(64, true)]
    [InlineData(4096, true)]
    public void It_is_soft_cross_entropy_of_every_step_with_its_gradient(int vocabulary, bool ownHead)
    {
        const int Teachers = 700, Hidden = 32; // more rows than a piece has
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor teacherHead = randn(vocabulary, Hidden), teachers = randn(Teachers, Hidden);
        Tensor head = ownHead ? randn(vocabulary, Hidden).requires_grad_(true) : teacherHead;
        DraftStepRows[] steps = [new([.. Enumerable.Range(0, Teachers)], 0.002f), new([.. Enumerable.Range(0, Teachers).Where(row => row % 3 != 0)], 0.001f)];
        Tensor rows = randn(steps.Sum(step => step.Teachers.Length), Hidden).requires_grad_(true);

        Tensor expected = zeros(1);
        var losses = new double[2];
        var agreed = new long[2];
        for (int step = 0, offset = 0; step < 2; offset += steps[step++].Teachers.Length)
        {
            Tensor index = tensor(steps[step].Teachers, ScalarType.Int64);
            Tensor wanted = teachers.mm(teacherHead.t()).index_select(0, index), given = rows.narrow(0, offset, index.shape[0]).mm(head.t());
            Tensor loss = -(wanted.softmax(-1) * given.log_softmax(-1)).sum();
            expected = expected + loss * steps[step].Weight;
            losses[step] = loss.item<float>();
            agreed[step] = wanted.argmax(-1).eq(given.argmax(-1)).sum().item<long>();
        }

        expected.backward();
        Tensor gradient = rows.grad!.clone();
        rows.grad!.zero_();
        Tensor? headGradient = head.grad?.clone();
        head.grad?.zero_();
        var parts = new DraftLossParts(2);
        Tensor actual = DraftLossOperation.apply(rows, teachers, teacherHead, head, steps, parts);
        (actual * 2).backward();

        Assert.Equal(expected.item<float>(), actual.item<float>(), 1e-4 * Math.Abs(expected.item<float>()));
        ChainAttentionOperationTests.AssertNear(gradient * 2, rows.grad!, 1e-5);
        if (ownHead)
        {
            ChainAttentionOperationTests.AssertNear(headGradient! * 2, head.grad!, 1e-5);
        }

        Assert.Equal(agreed, parts.Agreed);
        Assert.Equal(steps.Select(step => (long)step.Teachers.Length), parts.Rows);
        Assert.All(losses.Zip(parts.Losses), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * Math.Abs(pair.First)));
    }
}

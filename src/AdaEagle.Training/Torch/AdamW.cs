using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>AdamW (Loshchilov and Hutter 2019), for embeddings, norms and whatever else is no matrix of a layer.</summary>
internal sealed class AdamW : IOptimizer
{
    private readonly double _firstBeta;
    private readonly double _secondBeta;
    private readonly double _weightDecay;
    private readonly List<Moments> _moments;

    public AdamW(IEnumerable<KeyValuePair<string, Tensor>> parameters, double firstBeta, double secondBeta, double weightDecay)
    {
        (_firstBeta, _secondBeta, _weightDecay) = (firstBeta, secondBeta, weightDecay);
        _moments = [.. parameters.Select(item => new Moments(
            item.Key,
            item.Value,
            zeros(item.Value.shape, ScalarType.Float32).DetachFromDisposeScope(),
            zeros(item.Value.shape, ScalarType.Float32).DetachFromDisposeScope(),
            zeros(1, ScalarType.Float32).DetachFromDisposeScope()))];
    }

    public IEnumerable<KeyValuePair<string, Tensor>> State => _moments.SelectMany(item => (KeyValuePair<string, Tensor>[])
    [
        new($"adam.first.{item.Name}", item.First), new($"adam.second.{item.Name}", item.Second), new($"adam.steps.{item.Name}", item.Steps),
    ]);

    public void Step(double rate)
    {
        const double Epsilon = 1e-8;
        using var none = no_grad();
        using var scope = NewDisposeScope();
        foreach (Moments item in _moments)
        {
            Tensor gradient = item.Parameter.grad!;
            item.First.mul_(_firstBeta).add_(gradient, alpha: 1 - _firstBeta);
            item.Second.mul_(_secondBeta).addcmul_(gradient, gradient, 1 - _secondBeta);
            double steps = item.Steps.add_(1).item<float>();
            double firstBias = 1 - Math.Pow(_firstBeta, steps), secondBias = 1 - Math.Pow(_secondBeta, steps);
            Tensor root = item.Second.sqrt().mul_(1 / Math.Sqrt(secondBias)).add_(Epsilon);
            item.Parameter.mul_(1 - rate * _weightDecay).addcdiv_(item.First, root, -rate / firstBias);
        }
    }

    public void Dispose()
    {
        foreach (Moments item in _moments)
        {
            item.First.Dispose();
            item.Second.Dispose();
            item.Steps.Dispose();
        }
    }

    /// <summary>Means of the gradient and its square; the steps they were taken over are their own, since layers may join later.</summary>
    private sealed record Moments(string Name, Tensor Parameter, Tensor First, Tensor Second, Tensor Steps);
}

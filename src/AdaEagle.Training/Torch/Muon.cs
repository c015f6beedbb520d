using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Muon (Jordan et al. 2024): momentum whose matrix is replaced by (nearly) the nearest orthogonal one, found by a Newton-Schulz iteration. Matrices of one shape,
/// transposes included, are iterated as one batch. The step is rate * 0.2 sqrt(larger side), which makes its root mean square that of AdamW's (Liu et al. 2025).
/// </summary>
internal sealed class Muon : IOptimizer
{
    private const double Momentum = 0.95;
    private const int Iterations = 5;

    private readonly List<Group> _groups;
    private readonly ScalarType _productType;
    private readonly double _weightDecay;

    public Muon(IEnumerable<KeyValuePair<string, Tensor>> matrices, ScalarType productType, double weightDecay)
    {
        (_productType, _weightDecay) = (productType, weightDecay);
        _groups = [.. matrices.GroupBy(matrix => (Short: matrix.Value.shape.Min(), Long: matrix.Value.shape.Max()))
            .Select(group => new Group([.. group.Select(item => item.Key)], [.. group.Select(item => item.Value)],
                zeros(group.Count(), group.Key.Short, group.Key.Long, ScalarType.Float32).DetachFromDisposeScope()))];
    }

    public IEnumerable<KeyValuePair<string, Tensor>> State =>
        _groups.SelectMany(group => group.Names.Select((name, index) => KeyValuePair.Create($"muon.{name}", group.Average[index])));

    public void Step(double rate)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        foreach (Group group in _groups)
        {
            Tensor gradients = stack([.. group.Matrices.Select(matrix => Lying(matrix.grad!))]);
            group.Average.mul_(Momentum).add_(gradients);
            Tensor steps = Orthogonalise(gradients.add_(group.Average, alpha: Momentum), _productType); // Nesterov's look ahead
            double size = rate * 0.2 * Math.Sqrt(group.Average.shape[2]);
            for (int index = 0; index < group.Matrices.Length; index++)
            {
                Lying(group.Matrices[index]).mul_(1 - rate * _weightDecay).add_(steps[index], alpha: -size);
            }
        }
    }

    /// <summary>
    /// A batch F32 [matrices, rows, columns], rows &lt;= columns, with every singular value brought near 1 (0.7 to 1.2): five steps of
    /// X := a X + (b A + c A A) X with A = X X^T.
    /// </summary>
    internal static Tensor Orthogonalise(Tensor matrices, ScalarType productType)
    {
        const float A = 3.4445f, B = -4.7750f, C = 2.0315f;
        Tensor norms = matrices.square().sum([1, 2], keepdim: true).sqrt_().add_(1e-7);
        Tensor x = (matrices / norms).to(productType);
        for (int iteration = 0; iteration < Iterations; iteration++)
        {
            using var scope = NewDisposeScope();
            Tensor squared = x.bmm(x.transpose(1, 2));

            // TorchSharp's order: first factor, second factor, what is added.
            Tensor polynomial = squared.baddbmm(squared, squared, beta: B, alpha: C);
            x = polynomial.baddbmm(x, x, beta: A, alpha: 1).MoveToOuterDisposeScope();
        }

        return x.to(ScalarType.Float32);
    }

    public void Dispose()
    {
        foreach (Group group in _groups)
        {
            group.Average.Dispose();
        }
    }

    /// <summary>The matrix with its longer side lying: [shorter, longer].</summary>
    private static Tensor Lying(Tensor matrix) => matrix.shape[0] <= matrix.shape[1] ? matrix : matrix.t();

    private sealed record Group(string[] Names, Tensor[] Matrices, Tensor Average);
}

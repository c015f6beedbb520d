using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>What every trainer does with gradients between a backward pass and the next step.</summary>
internal static class Gradients
{
    /// <summary>Scales the gradients of all parameters together so that their norm is at most <paramref name="most"/>.</summary>
    public static void Clip(IEnumerable<Tensor> parameters, double most)
    {
        using var none = no_grad();
        Tensor[] gradients = [.. parameters.Select(parameter => parameter.grad!)];
        double norm = stack([.. gradients.Select(gradient => gradient.norm())]).norm().item<float>();
        if (norm > most)
        {
            foreach (Tensor gradient in gradients)
            {
                gradient.mul_(most / norm);
            }
        }
    }

    /// <summary>Sets the gradients to zero: backward passes add to them.</summary>
    public static void Clear(IEnumerable<Tensor> parameters)
    {
        using var none = no_grad();
        foreach (Tensor parameter in parameters)
        {
            parameter.grad!.zero_();
        }
    }
}

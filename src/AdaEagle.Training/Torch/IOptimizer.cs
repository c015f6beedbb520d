using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>Changes weights by their gradients.</summary>
internal interface IOptimizer : IDisposable
{
    /// <summary>What a later run needs to go on: tensors F32 under names of their own, filled in place when loaded.</summary>
    IEnumerable<KeyValuePair<string, Tensor>> State { get; }

    /// <summary>One step at this learning rate, by the gradients that lie at the parameters.</summary>
    void Step(double rate);
}

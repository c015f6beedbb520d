using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Speculation;

/// <summary>What a target gives at every position of a text: its features, and what a head reads of it.</summary>
internal static class TargetStates
{
    public static (float[][] Features, float[][] States) Of(EagleHead head, int[] tokens)
    {
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(head.Target, pool);
        using KvCache cache = target.CreateCache(tokens.Length);
        var rows = new PassRows(target.MaxRows);
        var features = new List<float[]>();
        var states = new List<float[]>();
        float[] scratch = new float[head.InputWidth];
        foreach (int[] chunk in tokens.Chunk(target.MaxRows))
        {
            rows.Clear();
            for (int i = 0; i < chunk.Length; i++)
            {
                rows.Add(cache, chunk[i], i - 1);
            }

            target.Forward(rows, head.Inputs.In(PassRequest.FeaturesOnly));
            cache.CommitFirst(chunk.Length);
            features.AddRange(Enumerable.Range(0, chunk.Length).Select(row => target.Feature(row).ToArray()));
            states.AddRange(Enumerable.Range(0, chunk.Length).Select(row => head.Inputs.At(target, row, scratch).ToArray()));
        }

        return ([.. features], [.. states]);
    }
}

namespace AdaEagle.Bench.Models;

/// <summary>
/// Finds the shapes of an inflated model: the smallest width of the residual stream that reaches the number of parameters and the cost of
/// a draft step, and at that width the most ordinary division into layers, heads and neurons.
/// </summary>
internal static class InflationPlanner
{
    /// <summary>Parameters and draft cost may be this share off.</summary>
    public const double Tolerance = 0.02;

    // Attention's share of a decoder layer in models of this size: 17% in Llama 3.2 1B, 21% in TinyLlama, 25% in SmolLM 135M.
    private const double OrdinaryAttentionShare = 1.0 / 6;

    // Most layers, and most heads and neurons in multiples of the width, that pass for a model one could meet; then whatever reaches the figures.
    private static readonly (int Layers, int Ffn, int Queries)[] Limits = [(64, 24, 8), (128, 96, 32)];

    /// <summary>Plans an inflation.</summary>
    /// <param name="target">The target's shape.</param>
    /// <param name="head">The head's, or null.</param>
    /// <param name="parameters">Parameters that the target shall have.</param>
    /// <param name="draftCost">Weights that a draft step shall stream, as a share of those of a target pass.</param>
    /// <returns>The shapes. A head that cannot be as small as asked keeps its own size: compare <see cref="Inflation.DraftCost"/>.</returns>
    /// <exception cref="ArgumentException">No such model can be made of this one.</exception>
    public static Inflation Plan(DecoderShape target, HeadShape? head, long parameters, double draftCost)
    {
        if (parameters < target.Parameters)
        {
            throw new ArgumentException($"The model has {Size.Text(target.Parameters)} parameters already; ask for more than that, not for {Size.Text(parameters)}.");
        }

        foreach (var limits in Limits)
        {
            foreach (int exponent in Widths(target, parameters))
            {
                if (Best(target, head, exponent, limits, parameters, draftCost) is { } found)
                {
                    return found;
                }
            }
        }

        // The cost cannot be reached: then the size alone, with the head as small as it is.
        if (head is not null && Widths(target, parameters).Select(exponent => Best(target, null, exponent, Limits[0], parameters, draftCost)).FirstOrDefault(found => found is not null) is { } large)
        {
            return large with { Head = head with { Hidden = large.Target.Hidden } };
        }

        throw new ArgumentException(
            $"No number of layers, heads and neurons gives {Size.Text(parameters)} parameters within {Tolerance:P0} in steps of 64 (256 where the model has those); ask for a larger model.");
    }

    // Exponents m whose width 4^m H leaves room for the number of parameters.
    private static IEnumerable<int> Widths(DecoderShape target, long parameters)
    {
        for (int exponent = 0; exponent < 8 && ((long)target.Hidden << (2 * exponent)) <= int.MaxValue / 4; exponent++)
        {
            if ((target with { Hidden = target.Hidden << (2 * exponent) }).Parameters > parameters * (1 + Tolerance))
            {
                yield break;
            }

            yield return exponent;
        }
    }

    private static Inflation? Best(DecoderShape target, HeadShape? head, int exponent, (int Layers, int Ffn, int Queries) limits, long parameters, double draftCost)
    {
        int hidden = target.Hidden << (2 * exponent);
        (Inflation? Plan, double Penalty) best = (null, double.PositiveInfinity);
        double ordinaryLayers = OrdinaryLayers(target with { Hidden = hidden }, parameters);

        // Numbers of neurons that every quantised format takes are worth a coarser fit; 64 is the finest that any takes.
        foreach (int finest in new[] { 256, 64 })
        {
            foreach (DecoderShape candidate in Targets(target with { Hidden = hidden }, limits, parameters, finest))
            {
                double penalty = Penalty(candidate, ordinaryLayers, parameters);
                if (head is null)
                {
                    Keep(new(exponent, candidate, null), penalty);
                    continue;
                }

                double streamed = candidate.Streamed * draftCost;
                foreach (HeadShape grown in Heads(head with { Hidden = hidden }, streamed, finest))
                {
                    Keep(new(exponent, candidate, grown), penalty + ErrorPenalty((grown.Streamed / streamed) - 1) + (0.5 * AttentionPenalty(grown.Layer, hidden)));
                }
            }

            if (best.Plan is not null)
            {
                return best.Plan;
            }
        }

        return null;

        void Keep(Inflation plan, double penalty)
        {
            if (penalty < best.Penalty)
            {
                best = (plan, penalty);
            }
        }
    }

    private static IEnumerable<DecoderShape> Targets(DecoderShape original, (int Layers, int Ffn, int Queries) limits, long parameters, int finest)
    {
        foreach (LayerShape wider in WithMoreHeads(original.Layer, (int)Math.Min(int.MaxValue, (long)limits.Queries * original.Hidden)))
        {
            for (int layers = original.Layers; layers <= Math.Max(limits.Layers, original.Layers); layers++)
            {
                DecoderShape shape = original with { Layers = layers, Layer = wider };
                foreach (int ffn in Neurons(wider, original.Hidden, (double)(parameters - shape.Parameters) / layers, finest))
                {
                    DecoderShape candidate = shape with { Layer = wider with { Ffn = ffn } };
                    bool ordinary = ffn <= Math.Max((long)limits.Ffn * original.Hidden, original.Layer.Ffn);
                    if (ordinary && Math.Abs(((double)candidate.Parameters / parameters) - 1) <= Tolerance)
                    {
                        yield return candidate;
                    }
                }
            }
        }
    }

    private static IEnumerable<HeadShape> Heads(HeadShape original, double streamed, int finest)
    {
        foreach (LayerShape wider in WithMoreHeads(original.Layer, int.MaxValue))
        {
            HeadShape shape = original with { Layer = wider };
            if (shape.Streamed > streamed * (1 + Tolerance))
            {
                yield break;
            }

            foreach (int ffn in Neurons(wider, original.Hidden, streamed - shape.Streamed, finest))
            {
                HeadShape candidate = shape with { Layer = wider with { Ffn = ffn } };
                if (Math.Abs((candidate.Streamed / streamed) - 1) <= Tolerance)
                {
                    yield return candidate;
                }
            }
        }
    }

    // More heads come in whole groups, behind the others: so every query head keeps its number, its columns in o_proj and its key/value head.
    private static IEnumerable<LayerShape> WithMoreHeads(LayerShape original, int mostQueries)
    {
        int step = Step(original.Heads * original.HeadDimension, 256);
        for (int groups = original.KeyValueHeads; groups == original.KeyValueHeads || (long)groups * original.GroupSize * original.HeadDimension <= mostQueries; groups++)
        {
            if (groups == original.KeyValueHeads || groups * original.GroupSize * original.HeadDimension % step == 0)
            {
                yield return original with { Heads = groups * original.GroupSize, KeyValueHeads = groups };
            }
        }
    }

    // The two numbers of neurons that come closest to adding so many parameters to a layer.
    private static IEnumerable<int> Neurons(LayerShape layer, int hidden, double added, int finest)
    {
        if (added < 0)
        {
            // The layer is at its smallest, perhaps a little above what was asked.
            return [layer.Ffn];
        }

        long perNeuron = (layer with { Ffn = layer.Ffn + 1 }).Parameters(hidden) - layer.Parameters(hidden);
        double exact = layer.Ffn + (added / perNeuron);
        int step = Step(layer.Ffn, finest);
        long below = (long)(exact / step) * step;
        return new[] { below, below + step }.Where(ffn => ffn <= int.MaxValue).Select(ffn => Math.Max((int)ffn, layer.Ffn)).Distinct();
    }

    // A dimension that is a multiple of 256 stays one where possible; any other becomes a multiple of 64.
    private static int Step(int dimension, int finest) => dimension % 256 == 0 ? finest : 64;

    // Depth and width of a layer grow together: a third of the growth (as a power) goes into depth.
    private static double OrdinaryLayers(DecoderShape original, long parameters)
    {
        long outside = original.Parameters - (original.Layers * original.Layer.Parameters(original.Hidden));
        double growth = Math.Max(1, (double)(parameters - outside) / (original.Parameters - outside));
        return original.Layers * Math.Cbrt(growth);
    }

    private static double Penalty(DecoderShape candidate, double ordinaryLayers, long parameters) =>
        Math.Abs(Math.Log(candidate.Layers / ordinaryLayers))
        + AttentionPenalty(candidate.Layer, candidate.Hidden)
        + ErrorPenalty(((double)candidate.Parameters / parameters) - 1);

    private static double ErrorPenalty(double error) => 20 * Math.Abs(error);

    private static double AttentionPenalty(LayerShape layer, int hidden) =>
        Math.Abs(Math.Log(layer.AttentionWeights(hidden) / (OrdinaryAttentionShare * layer.Parameters(hidden))));
}

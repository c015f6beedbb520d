using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>A tensor of an existing checkpoint, which a wider one takes its numbers from.</summary>
internal sealed record SourceTensor(ITensorSource Checkpoint, TensorInfo Info)
{
    /// <summary>Reads elements of one row.</summary>
    public void Read(long row, long column, Span<byte> destination) =>
        Checkpoint.Read(Info.Name, checked(((row * Info.Shape[^1]) + column) * Info.Type.ByteSize()), destination);
}

/// <summary>
/// How one tensor grows so that the model keeps computing the same function, bit for bit. The rules, with the residual stream widened from H to
/// H' = 4^m H whose dimensions from H on are always zero:
/// <list type="bullet">
/// <item>what writes the residual stream (embedding, o, down, fc, and their biases) is zero there, and so are the columns of o and down that new heads and neurons feed;</item>
/// <item>what reads it (q, k, v, gate, up, LM head) meets zeros there: those weights, and the rows of new heads and neurons, may be anything and are random;</item>
/// <item>a mean of squares is 4^m times smaller, and so is the epsilon: the reciprocal root is 2^m times larger, and norm weights are divided by 2^m.</item>
/// </list>
/// All of it is exact in binary floating point, and a product that reduces over k in an order which depends on k alone does not see added zeros.
/// </summary>
/// <param name="widthExponent">m.</param>
/// <param name="seed">Of the random weights.</param>
internal sealed class Widening(int widthExponent, ulong seed)
{
    private readonly float _normDivisor = MathF.ScaleB(1, widthExponent);

    /// <summary>The wider tensor.</summary>
    /// <param name="slot">Name, kind and new shape.</param>
    /// <param name="type">Number format, that of the source.</param>
    /// <param name="source">The original; null for a tensor of an added layer, all of which is new.</param>
    /// <exception cref="ModelFormatException">A norm weight cannot be divided exactly.</exception>
    public StreamedTensor Widen(TensorSlot slot, TensorType type, SourceTensor? source) => slot.Kind switch
    {
        TensorKind.Inner or TensorKind.Table => new(slot.Name, type, slot.Shape, (row, destination) => source!.Read(row, 0, destination)),
        TensorKind.Norm => new(slot.Name, type, slot.Shape, NormRow(slot, type, source)),
        _ => new(slot.Name, type, slot.Shape, MatrixRow(slot, type, source)),
    };

    /// <summary>Divides epsilon by 4^m.</summary>
    /// <exception cref="ModelFormatException">The result is not exact.</exception>
    public float Epsilon(float epsilon, string file)
    {
        float scaled = MathF.ScaleB(epsilon, -2 * widthExponent);
        if (MathF.ScaleB(scaled, 2 * widthExponent) != epsilon || (epsilon != 0 && !float.IsNormal(scaled)))
        {
            throw new ModelFormatException(file, "rms_norm_eps", $"{epsilon} cannot be divided by {MathF.ScaleB(1, 2 * widthExponent)} without a loss");
        }

        return scaled;
    }

    private RowWriter MatrixRow(TensorSlot slot, TensorType type, SourceTensor? source)
    {
        // A vector (a bias) is a matrix of one row.
        bool isVector = slot.Shape.Length == 1;
        long sourceColumns = source?.Info.Shape[^1] ?? 0;
        long sourceRows = source is null ? 0 : isVector ? 1 : source.Info.Shape[0];
        int stretches = slot.Stretches;
        int others = slot.Others;
        long stretch = (slot.Shape[^1] - others) / stretches;
        long kept = (sourceColumns - others) / stretches;
        bool randomColumns = slot.Kind is TensorKind.Inward or TensorKind.InwardBias or TensorKind.Fusion;
        bool randomRows = slot.Kind is TensorKind.Inward or TensorKind.InwardBias;
        RandomElements random = new(seed, slot.Name, RandomElements.BoundFor(isVector ? slot.Shape[0] : slot.Shape[^1]));
        int size = type.ByteSize();

        void Fresh(bool randomly, long row, long column, Span<byte> destination)
        {
            if (randomly)
            {
                random.Fill(row, column, destination, type);
            }
            else
            {
                destination.Clear();
            }
        }

        return (row, destination) =>
        {
            if (row >= sourceRows)
            {
                Fresh(randomRows, row, 0, destination);
                return;
            }

            for (int i = 0; i < stretches; i++)
            {
                Span<byte> part = destination.Slice(checked((int)(i * stretch * size)), checked((int)(stretch * size)));
                Span<byte> old = part[..checked((int)(kept * size))];
                source!.Read(row, i * kept, old);
                Fresh(randomColumns, row, (i * stretch) + kept, part[old.Length..]);
            }

            if (others > 0)
            {
                source!.Read(row, stretches * kept, destination[checked((int)(stretches * stretch * size))..]);
            }
        };
    }

    private RowWriter NormRow(TensorSlot slot, TensorType type, SourceTensor? source)
    {
        int kept = checked((int)(source?.Info.Shape[0] ?? 0));
        // What the padded dimensions, or the norms of an added layer, are multiplied by: of the size of ordinary norm weights.
        RandomElements random = new(seed, slot.Name, 0.5f / _normDivisor, 1 / _normDivisor);
        return (row, destination) =>
        {
            Span<byte> old = destination[..(kept * type.ByteSize())];
            if (kept > 0)
            {
                source!.Read(0, 0, old);
                Divide(old, type, source.Checkpoint.Path, slot.Name);
            }

            random.Fill(row, kept, destination[old.Length..], type);
        };
    }

    private void Divide(Span<byte> weights, TensorType type, string file, string name)
    {
        for (int i = 0; i < weights.Length / type.ByteSize(); i++)
        {
            float weight = Numbers.Load(weights, i, type);
            Numbers.Store(weights, i, type, weight / _normDivisor);
            if (Numbers.Load(weights, i, type) * _normDivisor != weight)
            {
                throw new ModelFormatException(
                    file, name, $"element {i}, {weight}, cannot be divided by {_normDivisor} exactly as {type}", "Only a model without such weights can be widened");
            }
        }
    }
}

using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Splits rows of [query heads | key heads | value heads] into heads and rotates queries and keys by position (RoPE, halves paired as in
/// Hugging Face: element i with i + half). Query heads that share a key head become neighbouring rows, so that grouped-query attention
/// is one matrix product a key head without copies: queries [sequences * key heads, positions * group, head dimension], keys and values
/// [sequences * key heads, positions, head dimension].
/// </summary>
internal sealed class RotaryOperation : autograd.MultiTensorFunction<RotaryOperation>
{
    public override string Name => nameof(RotaryOperation);

    /// <summary>The operation on <paramref name="rows"/> [sequences * positions, (heads + 2 key heads) * dimension].</summary>
    public static (Tensor Queries, Tensor Keys, Tensor Values) Apply(Tensor rows, RotaryTable table, HeadLayout layout)
    {
        List<Tensor> outputs = apply(rows, table, layout);
        return (outputs[0], outputs[1], outputs[2]);
    }

    public override List<Tensor> forward(autograd.AutogradContext context, params object[] arguments)
    {
        var rows = (Tensor)arguments[0];
        var table = (RotaryTable)arguments[1];
        var layout = (HeadLayout)arguments[2];
        long groups = layout.Sequences * layout.KeyHeads;
        Tensor queries = empty(groups, layout.Positions * layout.Group, layout.Dimension, rows.dtype);
        Tensor keys = empty(groups, layout.Positions, layout.Dimension, rows.dtype);
        Tensor values = empty(groups, layout.Positions, layout.Dimension, rows.dtype);
        context.save_data("table", table);
        context.save_data("layout", layout);
        Move(rows, queries, keys, values, table, layout, forward: true);
        return [queries, keys, values];
    }

    public override List<Tensor> backward(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var table = (RotaryTable)context.get_data("table");
        var layout = (HeadLayout)context.get_data("layout");
        Tensor rows = empty((long)layout.Sequences * layout.Positions, layout.RowLength, gradients[0].dtype);
        Move(rows, gradients[0].contiguous(), gradients[1].contiguous(), gradients[2].contiguous(), table, layout, forward: false);
        return [rows, null!, null!];
    }

    private static void Move(Tensor rows, Tensor queries, Tensor keys, Tensor values, RotaryTable table, HeadLayout layout, bool forward)
    {
        if (rows.dtype == ScalarType.BFloat16)
        {
            Move<BF16>(rows, queries, keys, values, table, layout, forward);
        }
        else
        {
            Move<F32>(rows, queries, keys, values, table, layout, forward);
        }
    }

    /// <summary>Forward: rows to heads, turned by the angle. Backward: heads (gradients) to rows, turned back.</summary>
    private static void Move<T>(Tensor rows, Tensor queries, Tensor keys, Tensor values, RotaryTable table, HeadLayout layout, bool forward)
        where T : struct, IStorage
    {
        if ((layout.Angles?.Max() ?? layout.Positions - 1) >= table.Positions || layout.Dimension != table.Dimension)
        {
            throw new ArgumentException($"The table of angles covers {table.Positions} positions of {table.Dimension} dimensions.", nameof(table));
        }

        ScalarType type = rows.dtype;
        long count = (long)layout.Sequences * layout.Positions;
        long keyCount = count * layout.KeyHeads * layout.Dimension;
        nint flat = Elements.Address(rows, type, count * layout.RowLength);
        nint q = Elements.Address(queries, type, keyCount * layout.Group);
        nint k = Elements.Address(keys, type, keyCount);
        nint v = Elements.Address(values, type, keyCount);
        float[] cosines = table.Cosines, sines = table.Sines;
        int half = layout.Dimension / 2;
        Elements.ForRows(count, layout.RowLength, (from, to) =>
        {
            for (long row = from; row < to; row++)
            {
                (long sequence, long position) = Math.DivRem(row, layout.Positions);
                int angle = layout.Angles is { } angles ? angles[position] : (int)position;
                ReadOnlySpan<float> cosine = cosines.AsSpan(angle * half, half), sine = sines.AsSpan(angle * half, half);
                long at = row * layout.RowLength;
                for (int head = 0; head < layout.KeyHeads * layout.Group; head++, at += layout.Dimension)
                {
                    (int keyHead, int member) = Math.DivRem(head, layout.Group);
                    long place = (((sequence * layout.KeyHeads + keyHead) * layout.Positions + position) * layout.Group + member) * layout.Dimension;
                    Turn<T>(flat, at, q, place, cosine, sine, forward);
                }

                for (int head = 0; head < layout.KeyHeads; head++, at += layout.Dimension)
                {
                    long place = ((sequence * layout.KeyHeads + head) * layout.Positions + position) * layout.Dimension;
                    Turn<T>(flat, at, k, place, cosine, sine, forward);
                    Copy<T>(flat, at + layout.KeyHeads * layout.Dimension, v, place, layout.Dimension, forward);
                }
            }
        });
    }

    private static void Turn<T>(nint flat, long at, nint heads, long place, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, bool forward)
        where T : struct, IStorage
    {
        int half = cosines.Length;
        (nint source, long from, nint target, long to) = forward ? (flat, at, heads, place) : (heads, place, flat, at);
        for (int i = 0; i < half; i += Elements.Width)
        {
            Vector512<float> cosine = Vector512.Create(cosines[i..]);
            Vector512<float> sine = forward ? Vector512.Create(sines[i..]) : -Vector512.Create(sines[i..]);
            Vector512<float> first = T.Load(source, from + i), second = T.Load(source, from + half + i);
            T.Store(target, to + i, first * cosine - second * sine);
            T.Store(target, to + half + i, second * cosine + first * sine);
        }
    }

    private static void Copy<T>(nint flat, long at, nint heads, long place, int length, bool forward)
        where T : struct, IStorage
    {
        (nint source, long from, nint target, long to) = forward ? (flat, at, heads, place) : (heads, place, flat, at);
        for (int i = 0; i < length; i += Elements.Width)
        {
            T.Store(target, to + i, T.Load(source, from + i));
        }
    }
}

/// <summary>How a row of queries, keys and values divides into heads; <see cref="Group"/> query heads share a key head.</summary>
internal sealed record HeadLayout(int Sequences, int Positions, int KeyHeads, int Group, int Dimension)
{
    /// <summary>The position that row i of a sequence is rotated to; null where that is i.</summary>
    public int[]? Angles { get; init; }

    public int RowLength => KeyHeads * (Group + 2) * Dimension;
}

/// <summary>Cosines and sines of RoPE's angles: position / theta^(2 i / dimension), [positions, dimension / 2].</summary>
internal sealed class RotaryTable
{
    public RotaryTable(int positions, int dimension, double theta)
    {
        (Positions, Dimension) = (positions, dimension);
        int half = dimension / 2;
        Cosines = new float[positions * half];
        Sines = new float[positions * half];
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                // The frequency in single precision, as the reference implementation has it.
                double angle = position * (double)(float)(1 / Math.Pow(theta, 2.0 * i / dimension));
                Cosines[position * half + i] = (float)Math.Cos(angle);
                Sines[position * half + i] = (float)Math.Sin(angle);
            }
        }
    }

    public int Positions { get; }

    public int Dimension { get; }

    public float[] Cosines { get; }

    public float[] Sines { get; }
}

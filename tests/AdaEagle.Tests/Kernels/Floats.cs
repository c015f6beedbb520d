using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>Memory for kernels: aligned floats with a watched margin behind them.</summary>
internal sealed unsafe class Floats : IDisposable
{
    private const int Margin = 32;
    private const float Watched = 12345.678f;
    private readonly NativeBuffer _buffer;

    public Floats(int length)
    {
        Length = length;
        _buffer = NativeBuffer.OfFloats(length + Margin);
        new Span<float>(_buffer.Floats + length, Margin).Fill(Watched);
    }

    /// <summary>The values, and zeros up to <paramref name="padded"/>.</summary>
    public Floats(ReadOnlySpan<float> values, int padded = 0)
        : this(Math.Max(values.Length, padded)) => values.CopyTo(Span);

    public int Length { get; }

    public float* Pointer => _buffer.Floats;

    public Span<float> Span => new(_buffer.Floats, Length);

    /// <summary>Fails if something was written behind the values.</summary>
    public void CheckMargin() => Assert.All(new Span<float>(_buffer.Floats + Length, Margin).ToArray(), value => Assert.Equal(Watched, value));

    /// <summary>What the matrix makes of these rows of inputs before it multiplies them.</summary>
    public NativeBuffer Prepare(WeightMatrix matrix, int stride, int rows)
    {
        var prepared = new NativeBuffer((long)rows * matrix.PreparedRowBytes);
        for (int row = 0; row < rows; row++)
        {
            matrix.PrepareRow(Pointer + (row * stride), row, rows, prepared.Bytes);
        }

        return prepared;
    }

    public void Dispose() => _buffer.Dispose();

    /// <summary>Random values of a magnitude.</summary>
    public static float[] Random(Random random, int count, float magnitude = 1) =>
        [.. Enumerable.Range(0, count).Select(_ => magnitude * ((2 * random.NextSingle()) - 1))];

    /// <summary>The length in whole vectors of sixteen.</summary>
    public static int Pad(int length) => (length + 15) & ~15;

    /// <summary>The bits of the values: equality that tells -0 from 0 and knows NaN.</summary>
    public static uint[] Bits(ReadOnlySpan<float> values) => System.Runtime.InteropServices.MemoryMarshal.Cast<float, uint>(values).ToArray();
}

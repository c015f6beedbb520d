using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Cosines and sines of rotary position embeddings in the "rotate half" layout of Hugging Face: element i turns with element i + dimension / 2.
/// Frequencies theta^(-2i / dimension), scaled as <c>linear</c> or <c>llama3</c> say. Grows with the positions in use.
/// </summary>
internal sealed unsafe class RopeTable : IDisposable
{
    private readonly float[] _frequencies;
    private readonly Lock _lock = new();
    private readonly List<NativeBuffer> _retired = [];
    private NativeBuffer _table;
    private int _positions;

    public RopeTable(int headDimension, double theta, RopeScaling? scaling)
    {
        HalfDimension = headDimension / 2;
        _frequencies = new float[HalfDimension];
        for (int i = 0; i < HalfDimension; i++)
        {
            double frequency = 1.0 / Math.Pow(theta, 2.0 * i / headDimension);
            _frequencies[i] = (float)Scale(frequency, scaling);
        }

        _table = NativeBuffer.OfFloats(0);
        Reserve(KvLayout.BlockPositions);
    }

    public int HalfDimension { get; }

    /// <summary>Makes positions 0 … <paramref name="positions"/> - 1 available. Not to be called inside a pass.</summary>
    public void Reserve(int positions)
    {
        if (positions <= _positions)
        {
            return;
        }

        lock (_lock)
        {
            if (positions <= _positions)
            {
                return;
            }

            int grown = Math.Max(Math.Max(positions, 2 * _positions), 512);
            var table = NativeBuffer.OfFloats((long)grown * 2 * HalfDimension);
            for (int position = 0; position < grown; position++)
            {
                float* row = table.Floats + ((long)position * 2 * HalfDimension);
                for (int i = 0; i < HalfDimension; i++)
                {
                    // The product is rounded to float first, as the reference implementations do.
                    float angle = position * _frequencies[i];
                    row[i] = (float)Math.Cos(angle);
                    row[HalfDimension + i] = (float)Math.Sin(angle);
                }
            }

            // Another session's pass may be reading the old table: it goes with the model.
            _retired.Add(_table);
            _table = table;
            Volatile.Write(ref _positions, grown);
        }
    }

    /// <summary>Turns one head's vector of 2 * <see cref="HalfDimension"/> values to its position.</summary>
    public void Rotate(float* vector, int position, float* output, int outputStride = 1)
    {
        float* cosines = _table.Floats + ((long)position * 2 * HalfDimension);
        float* sines = cosines + HalfDimension;
        int half = HalfDimension;
        for (int i = 0; i < half; i++)
        {
            float low = vector[i], high = vector[half + i], cosine = cosines[i], sine = sines[i];
            output[i * outputStride] = (low * cosine) - (high * sine);
            output[(half + i) * outputStride] = (high * cosine) + (low * sine);
        }
    }

    public void Dispose()
    {
        _table.Dispose();
        foreach (NativeBuffer table in _retired)
        {
            table.Dispose();
        }
    }

    private static double Scale(double frequency, RopeScaling? scaling)
    {
        switch (scaling?.Kind)
        {
            case null or "default":
                return frequency;
            case "linear":
                return frequency / scaling.Factor;
            case "llama3":
                // Meta's Llama 3.1: long waves are stretched by the factor, short ones kept, those between interpolated.
                double wavelength = 2 * Math.PI / frequency;
                double longest = scaling.OriginalMaxPositions / scaling.LowFrequencyFactor;
                double shortest = scaling.OriginalMaxPositions / scaling.HighFrequencyFactor;
                if (wavelength > longest)
                {
                    return frequency / scaling.Factor;
                }

                if (wavelength < shortest)
                {
                    return frequency;
                }

                double smooth = ((scaling.OriginalMaxPositions / wavelength) - scaling.LowFrequencyFactor)
                    / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
                return ((1 - smooth) * frequency / scaling.Factor) + (smooth * frequency);
            default:
                throw new NotSupportedException($"RoPE scaling '{scaling.Kind}' is not supported; supported: default, linear, llama3.");
        }
    }
}

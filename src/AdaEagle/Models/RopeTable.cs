using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Models;

/// <summary>
/// Cosines and sines of rotary position embeddings in the "rotate half" layout of Hugging Face: element i turns with element i + dimension / 2.
/// Frequencies theta^(-2i / dimension), scaled as <see cref="RopeFrequencies"/> says. Grows with the positions in use.
/// </summary>
internal sealed unsafe class RopeTable : IDisposable
{
    private readonly float[] _frequencies;
    private readonly float _attentionFactor;
    private readonly Lock _lock = new();
    private readonly List<NativeBuffer> _retired = [];
    private NativeBuffer _table;
    private int _positions;

    public RopeTable(int headDimension, double theta, RopeScaling? scaling)
    {
        HalfDimension = headDimension / 2;
        _frequencies = RopeFrequencies.Of(headDimension, theta, scaling);
        _attentionFactor = RopeFrequencies.AttentionFactor(scaling);
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
                    row[i] = (float)Math.Cos(angle) * _attentionFactor;
                    row[HalfDimension + i] = (float)Math.Sin(angle) * _attentionFactor;
                }
            }

            // Another session's pass may be reading the old table: it goes with the model.
            _retired.Add(_table);
            _table = table;
            Volatile.Write(ref _positions, grown);
        }
    }

    /// <summary>Cosines of a position [half dimension].</summary>
    public float* Cosines(int position) => _table.Floats + ((long)position * 2 * HalfDimension);

    /// <summary>Sines of a position [half dimension].</summary>
    public float* Sines(int position) => Cosines(position) + HalfDimension;

    public void Dispose()
    {
        _table.Dispose();
        foreach (NativeBuffer table in _retired)
        {
            table.Dispose();
        }
    }
}

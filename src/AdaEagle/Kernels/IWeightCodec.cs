namespace AdaEagle.Kernels;

/// <summary>How a floating-point format lies in memory: sixteen rows by two columns ("a pair block") at a time.</summary>
internal unsafe interface IWeightCodec
{
    /// <summary>Bytes of a pair block.</summary>
    static abstract int PairBytes { get; }

    /// <summary>A power of two that <see cref="Decode{TLanes}"/> divides by, so that inputs are to be multiplied by it; 1 for most.</summary>
    static abstract float InputScale { get; }

    /// <summary>Widens a pair block: column 2p of the sixteen rows, and column 2p + 1.</summary>
    static abstract void Decode<TLanes>(byte* block, out TLanes even, out TLanes odd)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Stores one value, rounding to nearest even where the format is narrower.</summary>
    static abstract void Encode(float value, byte* block, int lane, int parity);

    /// <summary>Reads one value: the scalar twin of <see cref="Decode{TLanes}"/>.</summary>
    static abstract float DecodeScalar(byte* block, int lane, int parity);
}

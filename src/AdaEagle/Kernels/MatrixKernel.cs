namespace AdaEagle.Kernels;

/// <summary>
/// The products of one number format on one instruction set. Sixteen output rows are interleaved, one per lane, so that a
/// product needs no sum across lanes and every output is a single chain over k.
/// </summary>
/// <remarks>
/// Law 1: the order of a row's sum depends on k alone. For floating-point formats it is two accumulators, even and odd k, each a chain of fused
/// multiply-adds in ascending k, added at the end: the same for one row and for many, for every format and every path. For quantised formats see
/// <see cref="BlockMatrixKernel{TFormat}"/>.
/// </remarks>
internal abstract unsafe class MatrixKernel
{
    /// <summary>Output rows that are interleaved in one group.</summary>
    public const int GroupRows = 16;

    /// <summary>Groups that are interleaved with each other, a panel: a matrix holds whole panels, and a product begins with one.</summary>
    public virtual int PanelGroups => 1;

    /// <summary>Bytes of a group of sixteen rows.</summary>
    public abstract long GroupBytes(int columns);

    /// <summary>Bytes of a row as <see cref="Pack"/> reads it: floats, or the format's own blocks.</summary>
    public abstract int StoredRowBytes(int columns);

    /// <summary>Packs the rows of a panel (16 * <see cref="PanelGroups"/>), which follow each other in <paramref name="rows"/>, into zeroed memory.</summary>
    public abstract void Pack(ReadOnlySpan<byte> rows, int columns, byte* panel);

    /// <summary>Widens one row (lane 0 … 16 * <see cref="PanelGroups"/> - 1) of a panel.</summary>
    public abstract void UnpackRow(byte* panel, int lane, int columns, float* row);

    /// <summary>What the inputs must go through first; null: the floats are read as they are.</summary>
    public virtual InputPreparation? Preparation => null;

    /// <summary>outputs[r, o] = sum over k of weights[o, k] * inputs[r, k] for <paramref name="groupCount"/> groups of 16 outputs, beginning with a panel.</summary>
    public abstract void Multiply(byte* groups, int groupCount, int columns, ProductInput input, float* outputs, nint outputStride);
}

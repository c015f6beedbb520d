namespace AdaEagle.Kernels;

/// <summary>
/// Rows of inputs of a product: floats, and for kernels with an <see cref="InputPreparation"/> what it made of them.
/// </summary>
/// <param name="floats">[rows, columns], with a zero behind an odd last column.</param>
/// <param name="stride">Floats from one row to the next.</param>
/// <param name="rows">How many rows.</param>
/// <param name="prepared">Null where the matrix reads floats.</param>
internal readonly unsafe struct ProductInput(float* floats, nint stride, int rows, byte* prepared = null)
{
    public float* Floats { get; } = floats;

    public nint Stride { get; } = stride;

    public int Rows { get; } = rows;

    public byte* Prepared { get; } = prepared;
}

/// <summary>
/// What is done to inputs once a pass, before the products that read them: rounding to integers, scaling. A row's bits depend on the row alone;
/// where they lie depends on how many rows there are.
/// </summary>
internal abstract unsafe class InputPreparation
{
    /// <summary>Bytes of a prepared row.</summary>
    public abstract int RowBytes(int columns);

    /// <summary>
    /// Prepares <paramref name="count"/> of the <paramref name="columns"/> of row <paramref name="row"/> of <paramref name="rows"/>, whole blocks, from <paramref name="firstColumn"/> on;
    /// <paramref name="input"/> points to the first of them, <paramref name="prepared"/> is the memory of all rows.
    /// </summary>
    public abstract void Prepare(float* input, int firstColumn, int count, int columns, int row, int rows, byte* prepared);
}

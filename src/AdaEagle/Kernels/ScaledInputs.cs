namespace AdaEagle.Kernels;

/// <summary>Inputs multiplied by a power of two, for products with weights that are divided by it: exact both ways, and once a pass instead of once a weight.</summary>
internal sealed unsafe class ScaledInputs<TLanes>(float scale) : InputPreparation
    where TLanes : struct, ILanes<TLanes>
{
    private const int LaneCount = MatrixKernel.GroupRows;

    /// <summary>Floats from one prepared row to the next.</summary>
    public static int Stride(int columns) => (columns + LaneCount - 1) / LaneCount * LaneCount;

    public override int RowBytes(int columns) => Stride(columns) * sizeof(float);

    public override void Prepare(float* input, int firstColumn, int count, int columns, int row, int rows, byte* prepared)
    {
        float* scaled = (float*)prepared + ((nint)row * Stride(columns)) + firstColumn;
        TLanes factor = TLanes.Broadcast(scale);
        int i = 0;
        for (; i + LaneCount <= count; i += LaneCount)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(input + i), factor), scaled + i);
        }

        for (; i < count; i++)
        {
            scaled[i] = input[i] * scale;
        }

        // Products read columns by twos.
        if ((columns & 1) != 0 && firstColumn + count == columns)
        {
            scaled[i] = 0;
        }
    }
}

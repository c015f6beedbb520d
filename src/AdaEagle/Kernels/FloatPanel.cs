namespace AdaEagle.Kernels;

/// <summary>
/// How the floating-point formats lie in memory: panels of two groups, whose pair blocks alternate (columns 2p and 2p + 1 of rows 0 … 15, then of
/// rows 16 … 31).
/// </summary>
internal static unsafe class FloatPanel<TCodec>
    where TCodec : struct, IWeightCodec
{
    /// <summary>Groups of sixteen rows in a panel.</summary>
    public const int Groups = 2;

    public static long GroupBytes(int columns) => (long)TCodec.PairBytes * ((columns + 1) / 2);

    /// <summary>The pair block that holds column <paramref name="k"/> of row <paramref name="lane"/> (0 … 31).</summary>
    public static byte* Block(byte* panel, int lane, int k) =>
        panel + ((((long)(k / 2) * Groups) + (lane / MatrixKernel.GroupRows)) * TCodec.PairBytes);

    public static void Pack(ReadOnlySpan<float> rows, int columns, byte* panel)
    {
        for (int lane = 0; lane < Groups * MatrixKernel.GroupRows; lane++)
        {
            for (int k = 0; k < columns; k++)
            {
                TCodec.Encode(rows[(lane * columns) + k], Block(panel, lane, k), lane % MatrixKernel.GroupRows, k & 1);
            }
        }
    }

    public static float Decode(byte* panel, int lane, int k) => TCodec.DecodeScalar(Block(panel, lane, k), lane % MatrixKernel.GroupRows, k & 1);

    public static void UnpackRow(byte* panel, int lane, int columns, float* row)
    {
        for (int k = 0; k < columns; k++)
        {
            row[k] = Decode(panel, lane, k);
        }
    }
}

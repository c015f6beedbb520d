using System.Runtime.CompilerServices;

namespace AdaEagle.Kernels;

/// <summary>Packed rows of a quantised format: what its kernels have in common. A group is 16 / lanes registers' rows, one after the other.</summary>
/// <remarks>
/// Law 1: inputs are rounded block by block (<see cref="ActivationBlocks"/>), the products of a block's codes are summed exactly, as integers, and a row's sum is one
/// chain of fused multiply-adds over its blocks in ascending order: sum += blockSum * (weightScale * inputScale), then, where the format has minima,
/// sum -= minimum * (inputScale * sum of input codes). Nothing in it depends on tiles, rows or registers.
/// </remarks>
internal abstract unsafe class BlockMatrixKernel<TFormat>(int lanes) : MatrixKernel
    where TFormat : struct, IBlockFormat
{
    protected int Lanes => lanes;

    public override long GroupBytes(int columns) => GroupRows * BlockLayout<TFormat>.RowBytes(columns);

    public override int StoredRowBytes(int columns) => columns / TFormat.StoredLength * TFormat.StoredBytes;

    public override void Pack(ReadOnlySpan<byte> rows, int columns, byte* panel)
    {
        int rowBytes = StoredRowBytes(columns);
        fixed (byte* stored = rows)
        {
            for (int row = 0; row < GroupRows; row++)
            {
                BlockLayout<TFormat>.PackRow(stored + ((long)row * rowBytes), columns, RegisterRows(panel, columns, row), lanes, row % lanes);
            }
        }
    }

    public override void UnpackRow(byte* panel, int lane, int columns, float* row) =>
        BlockLayout<TFormat>.UnpackRow(RegisterRows(panel, columns, lane), columns, lanes, lane % lanes, row);

    /// <summary>The packed rows of the register that a row of a group lies in.</summary>
    protected byte* RegisterRows(byte* group, int columns, int row) => group + (row / lanes * lanes * BlockLayout<TFormat>.RowBytes(columns));
}

/// <summary>The scalar twin: the same sums in the plainest form.</summary>
internal sealed unsafe class ScalarBlockKernel<TFormat>() : BlockMatrixKernel<TFormat>(1)
    where TFormat : struct, IBlockFormat
{
    private static readonly ActivationBlocks s_preparation = new(1, wideCodes: false, TFormat.Offset);

    public override InputPreparation Preparation => s_preparation;

    public override void Multiply(byte* groups, int groupCount, int columns, ProductInput input, float* outputs, nint outputStride)
    {
        int* codes = stackalloc int[ActivationBlocks.Length];
        long rowBytes = BlockLayout<TFormat>.RowBytes(columns);
        int preparedBytes = s_preparation.RowBytes(columns);
        for (int output = 0; output < groupCount * GroupRows; output++)
        {
            for (int row = 0; row < input.Rows; row++)
            {
                float sum = 0;
                byte* activations = input.Prepared + ((nint)row * preparedBytes);
                for (int block = 0; block < columns / ActivationBlocks.Length; block++, activations += ActivationBlocks.Bytes)
                {
                    BlockScales scales = BlockLayout<TFormat>.ReadBlock(groups + (output * rowBytes), columns, block, 1, 0, codes);
                    int products = 0;
                    for (int k = 0; k < ActivationBlocks.Length; k++)
                    {
                        products += (k < ActivationBlocks.Length / 2 ? scales.FirstFactor : scales.SecondFactor) * (codes[k] - TFormat.Offset) * (sbyte)activations[k];
                    }

                    float* tail = (float*)(activations + ActivationBlocks.Length);
                    sum = MathF.FusedMultiplyAdd(products, scales.Scale * tail[0], sum);
                    if (TFormat.HasMinimum)
                    {
                        sum = MathF.FusedMultiplyAdd(-scales.Minimum, tail[1], sum);
                    }
                }

                outputs[(row * outputStride) + output] = sum;
            }
        }
    }
}

/// <summary>
/// Products of the dequantised weights with inputs that are not rounded, summed as <see cref="FloatMatrixKernel{TLanes,TCodec}"/> sums: what a model is
/// compared with, and what the rounding of inputs is measured against.
/// </summary>
internal sealed unsafe class ReferenceBlockKernel<TFormat>() : BlockMatrixKernel<TFormat>(1)
    where TFormat : struct, IBlockFormat
{
    public override void Multiply(byte* groups, int groupCount, int columns, ProductInput input, float* outputs, nint outputStride)
    {
        using NativeBuffer row = NativeBuffer.OfFloats(columns);
        long rowBytes = BlockLayout<TFormat>.RowBytes(columns);
        for (int output = 0; output < groupCount * GroupRows; output++)
        {
            BlockLayout<TFormat>.UnpackRow(groups + (output * rowBytes), columns, 1, 0, row.Floats);
            for (int i = 0; i < input.Rows; i++)
            {
                float even = 0, odd = 0;
                float* x = input.Floats + (i * input.Stride);
                for (int k = 0; k < columns; k += 2)
                {
                    even = MathF.FusedMultiplyAdd(row.Floats[k], x[k], even);
                    odd = MathF.FusedMultiplyAdd(row.Floats[k + 1], x[k + 1], odd);
                }

                outputs[(i * outputStride) + output] = even + odd;
            }
        }
    }
}

/// <summary>Walks over registers of output rows and tiles of input rows; what a tile does is the subclass'.</summary>
/// <param name="tileRows">The most rows of a tile.</param>
internal abstract unsafe class TiledBlockKernel<TRegister, TFormat>(int tileRows = TiledBlockKernel<TRegister, TFormat>.UsualTileRows) : BlockMatrixKernel<TFormat>(TRegister.Lanes)
    where TRegister : struct, IRegister<TRegister>
    where TFormat : struct, IBlockFormat
{
    /// <summary>Sums of eight rows within a block stay in registers everywhere; those over blocks are spilled where registers are sixteen, once a block.</summary>
    public const int UsualTileRows = 8;

    // As many weights as stay in the second-level cache while every tile of inputs passes over them.
    private const long CachedBytes = 192 << 10;

    private readonly ActivationBlocks _preparation = new(
        tileRows, wideCodes: TFormat.CodeBits == 8 && TRegister.SignedCodesAreWide, TFormat.CodeBits == 8 && TRegister.SignedCodesAreBiased ? 128 : TFormat.Offset);

    public override InputPreparation Preparation => _preparation;

    public override void Multiply(byte* groups, int groupCount, int columns, ProductInput input, float* outputs, nint outputStride)
    {
        long registerBytes = TRegister.Lanes * BlockLayout<TFormat>.RowBytes(columns);
        int registers = groupCount * GroupRows / TRegister.Lanes;
        int preparedBytes = _preparation.RowBytes(columns);
        var tiles = new RowTiles(input.Rows, tileRows);
        int cached = tiles.Count == 1 ? registers : (int)Math.Clamp(CachedBytes / registerBytes, 1, registers);
        for (int first = 0; first < registers; first += cached)
        {
            int end = Math.Min(first + cached, registers);
            for (int tile = 0; tile < tiles.Count; tile++)
            {
                int row = tiles.Start(tile), count = tiles.Start(tile + 1) - row;
                byte* activations = input.Prepared + ((nint)row * preparedBytes);
                for (int register = first; register < end; register++)
                {
                    Tile(count, groups + (register * registerBytes), columns, activations, outputs + (row * outputStride) + (register * TRegister.Lanes), outputStride);
                }
            }
        }
    }

    /// <summary>The products of a register's rows with <paramref name="rows"/> rows of inputs, a tile at most.</summary>
    protected abstract void Tile(int rows, byte* weights, int columns, byte* activations, float* outputs, nint outputStride);

    /// <summary>Fetches the lines of <paramref name="bytes"/> (at most 512) that will be read some time after <paramref name="address"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected static void Prefetch(byte* address, int bytes)
    {
        if (System.Runtime.Intrinsics.X86.Sse.IsSupported)
        {
            byte* ahead = address + 4096;
            System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead);
            if (bytes > 64)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 64);
            }

            if (bytes > 128)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 128);
            }

            if (bytes > 192)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 192);
            }

            if (bytes > 256)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 256);
            }

            if (bytes > 320)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 320);
            }

            if (bytes > 384)
            {
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 384);
                System.Runtime.Intrinsics.X86.Sse.Prefetch0(ahead + 448);
            }
        }
    }
}

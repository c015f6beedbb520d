using System.Runtime.InteropServices;

namespace AdaEagle.Kernels;

/// <summary>The scalar twin of <see cref="FloatMatrixKernel{TLanes,TCodec}"/>: the same sums in the plainest form, for tests and for processors without vectors.</summary>
internal sealed unsafe class ScalarMatrixKernel<TCodec> : MatrixKernel
    where TCodec : struct, IWeightCodec
{
    public override int PanelGroups => FloatPanel<TCodec>.Groups;

    public override long GroupBytes(int columns) => FloatPanel<TCodec>.GroupBytes(columns);

    public override int StoredRowBytes(int columns) => columns * sizeof(float);

    public override void Pack(ReadOnlySpan<byte> rows, int columns, byte* panel) => FloatPanel<TCodec>.Pack(MemoryMarshal.Cast<byte, float>(rows), columns, panel);

    public override void UnpackRow(byte* panel, int lane, int columns, float* row) => FloatPanel<TCodec>.UnpackRow(panel, lane, columns, row);

    public override void Multiply(byte* groups, int groupCount, int columns, ProductInput input, float* outputs, nint outputStride)
    {
        float* inputs = input.Floats;
        nint inputStride = input.Stride;
        int rows = input.Rows;
        const int PanelRows = FloatPanel<TCodec>.Groups * GroupRows;
        long panelBytes = FloatPanel<TCodec>.Groups * GroupBytes(columns);
        for (int row = 0; row < rows; row++)
        {
            float* values = inputs + (row * inputStride);
            for (int output = 0; output < groupCount * GroupRows; output++)
            {
                byte* panel = groups + (output / PanelRows * panelBytes);
                float even = 0, odd = 0;
                for (int k = 0; k < columns; k++)
                {
                    float weight = FloatPanel<TCodec>.Decode(panel, output % PanelRows, k);
                    if (k % 2 == 0)
                    {
                        even = MathF.FusedMultiplyAdd(weight, values[k], even);
                    }
                    else
                    {
                        odd = MathF.FusedMultiplyAdd(weight, values[k], odd);
                    }
                }

                outputs[(row * outputStride) + output] = even + odd;
            }
        }
    }
}

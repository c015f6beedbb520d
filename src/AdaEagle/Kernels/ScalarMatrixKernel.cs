namespace AdaEagle.Kernels;

/// <summary>The scalar twin of <see cref="FloatMatrixKernel{TLanes,TCodec}"/>: the same sums in the plainest form, for tests and for processors without vectors.</summary>
internal sealed unsafe class ScalarMatrixKernel<TCodec> : MatrixKernel
    where TCodec : struct, IWeightCodec
{
    private readonly FloatMatrixKernel<Lanes128, TCodec> _layout = new();

    public override long GroupBytes(int columns) => _layout.GroupBytes(columns);

    public override void Pack(ReadOnlySpan<float> rows, int columns, byte* group) => _layout.Pack(rows, columns, group);

    public override void UnpackRow(byte* group, int lane, int columns, float* row) => _layout.UnpackRow(group, lane, columns, row);

    public override void Multiply(
        byte* groups, int groupCount, int columns, float* inputs, nint inputStride, int rows, float* outputs, nint outputStride)
    {
        long groupBytes = GroupBytes(columns);
        for (int row = 0; row < rows; row++)
        {
            float* input = inputs + (row * inputStride);
            for (int output = 0; output < groupCount * GroupRows; output++)
            {
                byte* group = groups + (output / GroupRows * groupBytes);
                float even = 0, odd = 0;
                for (int k = 0; k < columns; k++)
                {
                    float weight = TCodec.DecodeScalar(group + ((long)(k / 2) * TCodec.PairBytes), output % GroupRows, k & 1);
                    if (k % 2 == 0)
                    {
                        even = MathF.FusedMultiplyAdd(weight, input[k], even);
                    }
                    else
                    {
                        odd = MathF.FusedMultiplyAdd(weight, input[k], odd);
                    }
                }

                outputs[(row * outputStride) + output] = even + odd;
            }
        }
    }
}

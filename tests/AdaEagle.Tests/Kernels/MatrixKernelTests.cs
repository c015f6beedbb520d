using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>Law 1 for products: the same bits on every instruction set, in any company of rows, from any tile, with any padding.</summary>
public unsafe class MatrixKernelTests
{
    public static TheoryData<WeightFormat, KernelPath> Kernels
    {
        get
        {
            var all = new TheoryData<WeightFormat, KernelPath>();
            foreach (WeightFormat format in Enum.GetValues<WeightFormat>().Except(StoredBlocks.Formats))
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    all.Add(format, path);
                }
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Products_have_the_bits_of_two_chains_over_even_and_odd_columns(WeightFormat format, KernelPath path)
    {
        var random = new Random(1);
        foreach (int columns in (int[])[1, 2, 3, 5, 16, 33, 64, 127])
        {
            float[] weights = Floats.Random(random, 40 * columns);
            float[] input = Floats.Random(random, columns, 3);
            using WeightMatrix matrix = Matrix(format, path, weights, columns);
            float[] actual = Multiply(matrix, input, 1);
            for (int output = 0; output < 40; output++)
            {
                float[] chains = [0, 0];
                double exact = 0;
                for (int k = 0; k < columns; k++)
                {
                    float weight = Rounded(format, weights[(output * columns) + k]);
                    chains[k % 2] = MathF.FusedMultiplyAdd(weight, input[k], chains[k % 2]);
                    exact += (double)weight * input[k];
                }

                Assert.Equal(chains[0] + chains[1], actual[output]);
                Assert.Equal(exact, actual[output], 1e-5 * columns);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void All_row_and_group_counts_give_the_bits_of_the_scalar_twin(WeightFormat format, KernelPath path)
    {
        var random = new Random(2);
        for (int groups = 1; groups <= 9; groups++)
        {
            int columns = random.Next(1, 40);
            int outputs = (16 * groups) - random.Next(16);
            float[] weights = Floats.Random(random, outputs * columns);
            float[] inputs = Floats.Random(random, 20 * columns);
            using WeightMatrix matrix = Matrix(format, path, weights, columns);
            using WeightMatrix twin = Matrix(format, KernelPath.Scalar, weights, columns);
            for (int rows = 1; rows <= 20; rows++)
            {
                Assert.Equal(Floats.Bits(Multiply(twin, inputs, rows)), Floats.Bits(Multiply(matrix, inputs, rows)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_row_among_many_is_the_row_alone(WeightFormat format, KernelPath path)
    {
        var random = new Random(3);
        for (int i = 0; i < 12; i++)
        {
            int columns = random.Next(1, 70), outputs = random.Next(1, 160), rows = random.Next(1, 21);
            float[] weights = Floats.Random(random, outputs * columns);
            float[] inputs = Floats.Random(random, rows * columns);
            using WeightMatrix matrix = Matrix(format, path, weights, columns);
            float[] together = Multiply(matrix, inputs, rows);
            int width = together.Length / rows;
            for (int row = 0; row < rows; row++)
            {
                float[] alone = Multiply(matrix, inputs.AsSpan(row * columns, columns).ToArray(), 1);
                Assert.Equal(Floats.Bits(alone), Floats.Bits(together.AsSpan(row * width, width)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Any_share_of_the_panels_gives_the_same_bits_and_writes_nothing_else(WeightFormat format, KernelPath path)
    {
        var random = new Random(4);
        const int Columns = 19, Outputs = 140, Rows = 5;
        float[] weights = Floats.Random(random, Outputs * Columns);
        using WeightMatrix matrix = Matrix(format, path, weights, Columns);
        using Floats inputs = Inputs(Floats.Random(random, Rows * Columns), Rows, Columns, out int stride);
        int width = 16 * matrix.GroupCount;
        using NativeBuffer prepared = inputs.Prepare(matrix, stride, Rows);
        var input = new ProductInput(inputs.Pointer, stride, Rows, prepared.Bytes);
        using var whole = new Floats(Rows * width);
        matrix.Multiply(0, matrix.GroupCount, input, whole.Pointer, width);
        for (int first = 0; first < matrix.GroupCount; first += MatrixKernels.For(format, path).PanelGroups)
        {
            for (int count = 1; first + count <= matrix.GroupCount; count++)
            {
                using var part = new Floats(Rows * width);
                part.Span.Fill(77);
                matrix.Multiply(first, count, input, part.Pointer, width);
                part.CheckMargin();
                for (int at = 0; at < Rows * width; at++)
                {
                    bool inside = at % width / 16 is int group && group >= first && group < first + count;
                    Assert.Equal(inside ? whole.Span[at] : 77, part.Span[at]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Padding_with_zero_columns_and_rows_leaves_the_bits(WeightFormat format, KernelPath path)
    {
        var random = new Random(5);
        for (int i = 0; i < 12; i++)
        {
            int columns = random.Next(1, 40), outputs = random.Next(1, 50), rows = random.Next(1, 10);
            int wide = columns + random.Next(1, 70), tall = outputs + random.Next(1, 70);
            float[] weights = Floats.Random(random, outputs * columns);
            float[] inputs = Floats.Random(random, rows * columns);
            float[] padded = new float[tall * wide];
            // Behind the input's own columns lie zeros; what the weights hold there may be anything.
            float[] noise = Floats.Random(random, tall * wide);
            for (int row = 0; row < tall; row++)
            {
                for (int k = 0; k < wide; k++)
                {
                    padded[(row * wide) + k] = row < outputs && k < columns ? weights[(row * columns) + k] : row < outputs ? noise[(row * wide) + k] : 0;
                }
            }

            float[] wideInputs = new float[rows * wide];
            for (int row = 0; row < rows; row++)
            {
                inputs.AsSpan(row * columns, columns).CopyTo(wideInputs.AsSpan(row * wide));
            }

            using WeightMatrix small = Matrix(format, path, weights, columns);
            using WeightMatrix large = Matrix(format, path, padded, wide);
            float[] expected = Multiply(small, inputs, rows);
            float[] actual = Multiply(large, wideInputs, rows);
            for (int row = 0; row < rows; row++)
            {
                Assert.Equal(
                    Floats.Bits(expected.AsSpan(row * expected.Length / rows, outputs)), Floats.Bits(actual.AsSpan(row * actual.Length / rows, outputs)));
                Assert.All(actual.AsSpan((row * actual.Length / rows) + outputs, tall - outputs).ToArray(), value => Assert.Equal(0, value));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Rows_come_back_as_they_were_packed(WeightFormat format, KernelPath path)
    {
        var random = new Random(6);
        foreach (int columns in (int[])[1, 2, 7, 32, 45])
        {
            float[] weights = Floats.Random(random, 35 * columns, 100);
            using WeightMatrix matrix = Matrix(format, path, weights, columns);
            for (int row = 0; row < 35; row++)
            {
                using var unpacked = new Floats(columns);
                matrix.UnpackRow(row, unpacked.Pointer);
                unpacked.CheckMargin();
                Assert.Equal(weights.AsSpan(row * columns, columns).ToArray().Select(value => Rounded(format, value)), unpacked.Span.ToArray());
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => matrix.UnpackRow(35, null));
            Assert.Throws<ArgumentOutOfRangeException>(() => matrix.UnpackRow(-1, null));
        }
    }

    [Fact]
    public void BF16_and_F16_weights_give_the_bits_of_the_same_numbers_in_F32()
    {
        var random = new Random(7);
        foreach (WeightFormat format in (WeightFormat[])[WeightFormat.BF16, WeightFormat.F16])
        {
            float[] weights = [.. Floats.Random(random, 50 * 33).Select(value => Rounded(format, value))];
            float[] inputs = Floats.Random(random, 7 * 33);
            using WeightMatrix narrow = Matrix(format, KernelPaths.Best, weights, 33);
            using WeightMatrix wide = Matrix(WeightFormat.F32, KernelPaths.Best, weights, 33);
            Assert.Equal(Floats.Bits(Multiply(wide, inputs, 7)), Floats.Bits(Multiply(narrow, inputs, 7)));
            Assert.Equal(wide.ByteLength, 2 * narrow.ByteLength);
        }
    }

    private static WeightMatrix Matrix(WeightFormat format, KernelPath path, float[] weights, int columns) => WeightMatrix.Create(
        format, weights.Length / columns, columns, path, (row, values) => weights.AsSpan(row * columns, columns).CopyTo(values));

    private static Floats Inputs(float[] inputs, int rows, int columns, out int stride)
    {
        // A zero behind an odd last column is all that kernels ask for; the stride is odd on purpose where it can be.
        stride = columns + 1 + (columns % 2 == 0 ? 0 : 2);
        var padded = new Floats(rows * stride);
        for (int row = 0; row < rows; row++)
        {
            inputs.AsSpan(row * columns, columns).CopyTo(padded.Span[(row * stride)..]);
        }

        return padded;
    }

    private static float[] Multiply(WeightMatrix matrix, float[] inputs, int rows)
    {
        using Floats padded = Inputs(inputs, rows, matrix.Columns, out int stride);
        int width = 16 * matrix.GroupCount;
        using NativeBuffer prepared = padded.Prepare(matrix, stride, rows);
        using var outputs = new Floats(rows * width);
        matrix.Multiply(0, matrix.GroupCount, new ProductInput(padded.Pointer, stride, rows, prepared.Bytes), outputs.Pointer, width);
        outputs.CheckMargin();
        return outputs.Span.ToArray();
    }

    private static float Rounded(WeightFormat format, float value) => format switch
    {
        WeightFormat.F16 => (float)(Half)value,
        WeightFormat.BF16 => BitConverter.Int32BitsToSingle(RoundedBits(value)),
        _ => value,
    };

    // To the nearest of the two neighbours that have sixteen zero bits, ties to the even one.
    private static int RoundedBits(float value)
    {
        int below = BitConverter.SingleToInt32Bits(value) & unchecked((int)0xFFFF0000);
        int above = below + 0x10000;
        double toBelow = Math.Abs((double)value - BitConverter.Int32BitsToSingle(below)), toAbove = Math.Abs((double)BitConverter.Int32BitsToSingle(above) - value);
        return toBelow < toAbove || (toBelow == toAbove && (below & 0x10000) == 0) ? below : above;
    }
}

using System.Runtime.InteropServices;
using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Kernels;

namespace AdaEagle.Tests.Kernels;

/// <summary>Quantised products: the file's own numbers, law 1, and the same bits on every path that rounds its inputs.</summary>
public unsafe class BlockKernelTests
{
    public static TheoryData<WeightFormat> Formats => [.. StoredBlocks.Formats];

    public static TheoryData<WeightFormat, KernelPath> Kernels
    {
        get
        {
            var all = new TheoryData<WeightFormat, KernelPath>();
            foreach (WeightFormat format in StoredBlocks.Formats)
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
    public void Packed_rows_are_the_files_numbers_bit_for_bit(WeightFormat format, KernelPath path)
    {
        var random = new Random(1);
        foreach (int columns in Columns(format, [32, 64, 256, 288, 512, 768]))
        {
            int rows = random.Next(1, 70);
            StoredBlocks stored = StoredBlocks.Random(random, format, rows, columns, () => StoredBlocks.Extremes[random.Next(StoredBlocks.Extremes.Count)]);
            using WeightMatrix matrix = stored.Matrix(path);
            for (int row = 0; row < rows; row++)
            {
                using var unpacked = new Floats(columns);
                matrix.UnpackRow(row, unpacked.Pointer);
                unpacked.CheckMargin();
                Assert.Equal(Floats.Bits(stored.Values(row)), Floats.Bits(unpacked.Span));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Fixture_blocks_are_packed_bit_for_bit_and_their_products_right(WeightFormat format)
    {
        string file = Path.Combine(Fixtures.Folder("gguf"), "quant-blocks", $"{format}.json");
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        byte[] blocks = document.RootElement.GetProperty("bytes").GetBytesFromBase64();
        float[] values = FloatsOf(document.RootElement.GetProperty("values"));
        int blockLength = Enum.Parse<TensorType>(format.ToString()).BlockLength();
        foreach (KernelPath path in KernelPaths.Available)
        {
            // A block a row.
            using WeightMatrix matrix = new StoredBlocks(format, blocks, blockLength).Matrix(path);
            using var unpacked = new Floats(blockLength);
            for (int row = 0; row < matrix.Rows; row++)
            {
                matrix.UnpackRow(row, unpacked.Pointer);
                Assert.Equal(Floats.Bits(values.AsSpan(row * blockLength, blockLength)), Floats.Bits(unpacked.Span));
            }
        }

        JsonElement quantize = document.RootElement.GetProperty("quantize");
        byte[] bytes = quantize.GetProperty(quantize.TryGetProperty("ggml_bytes", out _) ? "ggml_bytes" : "gguf_py_bytes").GetBytesFromBase64();
        float[] vector = FloatsOf(quantize.GetProperty("vector"));
        double[] expected = [.. quantize.GetProperty("dot_float64").EnumerateArray().Select(value => value.GetDouble())];
        var stored = new StoredBlocks(format, bytes, vector.Length);
        Assert.Equal(expected.Length, stored.Rows);
        foreach (KernelPath path in KernelPaths.Available)
        {
            using WeightMatrix matrix = stored.Matrix(path);
            float[] actual = StoredBlocks.Multiply(matrix, vector, 1);
            for (int row = 0; row < expected.Length; row++)
            {
                // Inputs rounded to 127 steps of a block's largest are off by half a step at most, and hardly ever all the same way.
                float[] weights = stored.Values(row);
                double sum = weights.Zip(vector, (w, x) => Math.Abs((double)w * x)).Sum();
                double allowed = path == KernelPath.Reference ? 1e-5 * sum : RoundingBound(weights, vector);
                Assert.Equal(expected[row], actual[row], allowed);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void All_row_and_group_counts_give_the_bits_of_the_scalar_twin(WeightFormat format, KernelPath path)
    {
        if (path == KernelPath.Reference)
        {
            return;
        }

        var random = new Random(2);
        int[] widths = Columns(format, [32, 96, 256, 320, 512, 1024]);
        for (int groups = 1; groups <= 7; groups++)
        {
            int columns = widths[groups % widths.Length], outputs = (16 * groups) - random.Next(16);
            StoredBlocks stored = StoredBlocks.Random(random, format, outputs, columns);
            float[] inputs = Floats.Random(random, 17 * columns, 3);
            using WeightMatrix matrix = stored.Matrix(path), twin = stored.Matrix(KernelPath.Scalar);
            for (int rows = 1; rows <= 17; rows++)
            {
                float[] some = inputs[..(rows * columns)];
                Assert.Equal(Floats.Bits(StoredBlocks.Multiply(twin, some, rows)), Floats.Bits(StoredBlocks.Multiply(matrix, some, rows)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Nothing_overflows_and_extreme_scales_give_the_twins_bits(WeightFormat format, KernelPath path)
    {
        var random = new Random(3);
        const int Rows = 5;
        int columns = Columns(format, [64, 512])[^1];
        StoredBlocks[] all =
        [
            StoredBlocks.Filled(format, 16, columns, 0xFF), StoredBlocks.Filled(format, 16, columns, 0x00),
            StoredBlocks.Filled(format, 16, columns, 0x7F), StoredBlocks.Filled(format, 16, columns, 0x80),
            StoredBlocks.Random(random, format, 20, columns, () => StoredBlocks.Extremes[random.Next(StoredBlocks.Extremes.Count)]),
        ];
        float[][] inputs =
        [
            [.. Enumerable.Repeat(1f, Rows * columns)], [.. Enumerable.Repeat(-1f, Rows * columns)],
            [.. Enumerable.Range(0, Rows * columns).Select(i => i % 2 == 0 ? 1f : -1f)], new float[Rows * columns],
            Floats.Random(random, Rows * columns, 1e-32f), Floats.Random(random, Rows * columns, float.Epsilon * 100), Floats.Random(random, Rows * columns, 1e20f),
        ];
        foreach (StoredBlocks stored in all)
        {
            using WeightMatrix matrix = stored.Matrix(path), twin = stored.Matrix(KernelPath.Scalar);
            foreach (float[] input in inputs)
            {
                float[] actual = StoredBlocks.Multiply(matrix, input, Rows);
                if (path != KernelPath.Reference)
                {
                    Assert.Equal(Floats.Bits(StoredBlocks.Multiply(twin, input, Rows)), Floats.Bits(actual));
                }

                Assert.All(actual, value => Assert.True(float.IsFinite(value)));
                for (int output = 0; output < stored.Rows; output++)
                {
                    float[] weights = stored.Values(output);
                    double exact = weights.Zip(input, (w, x) => (double)w * x).Sum(), sum = weights.Zip(input, (w, x) => Math.Abs((double)w * x)).Sum();
                    // Inputs of one magnitude are not rounded.
                    double allowed = input.All(x => Math.Abs(x) == 1) || path == KernelPath.Reference ? 1e-5 * sum : RoundingBound(weights, input[..columns]);
                    Assert.Equal(exact, actual[output], allowed + 1e-30);
                }
            }
        }

        Assert.All(Enumerable.Range(0, all.Length), i => Assert.Equal(columns, all[i].Columns));
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_row_among_many_is_the_row_alone(WeightFormat format, KernelPath path)
    {
        var random = new Random(4);
        foreach (int columns in Columns(format, [32, 160, 256, 512]))
        {
            int rows = random.Next(2, 30);
            StoredBlocks stored = StoredBlocks.Random(random, format, random.Next(1, 120), columns);
            float[] inputs = Floats.Random(random, rows * columns);
            using WeightMatrix matrix = stored.Matrix(path);
            float[] together = StoredBlocks.Multiply(matrix, inputs, rows);
            int width = together.Length / rows;
            for (int row = 0; row < rows; row++)
            {
                float[] alone = StoredBlocks.Multiply(matrix, inputs.AsSpan(row * columns, columns).ToArray(), 1);
                Assert.Equal(Floats.Bits(alone), Floats.Bits(together.AsSpan(row * width, width)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Products_are_those_of_the_dequantised_weights_and_the_rounded_inputs(WeightFormat format, KernelPath path)
    {
        var random = new Random(5);
        foreach (int columns in Columns(format, [32, 256, 2048]))
        {
            StoredBlocks stored = StoredBlocks.Random(random, format, 37, columns);
            float[] input = [.. Floats.Random(random, columns).Select((x, i) => i % 32 == 0 ? 5 * x : x)];
            double[] rounded = path == KernelPath.Reference ? [.. input.Select(x => (double)x)] : Rounded(input);
            using WeightMatrix matrix = stored.Matrix(path);
            float[] actual = StoredBlocks.Multiply(matrix, input, 1);
            for (int output = 0; output < stored.Rows; output++)
            {
                float[] weights = stored.Values(output);
                double exact = 0, sum = 0;
                for (int k = 0; k < columns; k++)
                {
                    exact += weights[k] * rounded[k];
                    sum += Math.Abs(weights[k] * rounded[k]);
                }

                // The minima of K formats are summed apart from the codes, so what cancels may be larger than the weights themselves.
                Assert.Equal(exact, actual[output], format is WeightFormat.Q4_K or WeightFormat.Q5_K ? 1e-5 * sum : 3e-6 * sum);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Parts_of_several_formats_give_the_bits_of_each_alone_in_any_share(WeightFormat format, KernelPath path)
    {
        var random = new Random(6);
        const int Columns = 512, Rows = 3;
        StoredBlocks[] parts = [.. StoredBlocks.Formats.Append(format).Select(other => StoredBlocks.Random(random, other, 32 * random.Next(1, 4), Columns))];
        float[] floats = Floats.Random(random, 40 * Columns), inputs = Floats.Random(random, Rows * Columns);
        int total = parts.Sum(part => part.Rows) + 40;
        using WeightMatrix together = WeightMatrix.Create(
            [.. parts.Select(part => new MatrixPart(part.Format, part.Rows)), new MatrixPart(WeightFormat.F32, 40)], Columns, path, (row, stored) =>
            {
                foreach (StoredBlocks part in parts)
                {
                    if (row < part.Rows)
                    {
                        part.Row(row).CopyTo(stored);
                        return;
                    }

                    row -= part.Rows;
                }

                MemoryMarshal.AsBytes(floats.AsSpan(row * Columns, Columns)).CopyTo(stored);
            });
        Assert.Equal(total, together.Rows);
        float[] actual = StoredBlocks.Multiply(together, inputs, Rows);
        int width = 16 * together.GroupCount, at = 0;
        foreach (StoredBlocks part in parts)
        {
            using WeightMatrix alone = part.Matrix(path);
            float[] expected = StoredBlocks.Multiply(alone, inputs, Rows);
            for (int row = 0; row < Rows; row++)
            {
                Assert.Equal(Floats.Bits(expected.AsSpan(row * part.Rows, part.Rows)), Floats.Bits(actual.AsSpan((row * width) + at, part.Rows)));
            }

            using var unpacked = new Floats(Columns);
            together.UnpackRow(at + part.Rows - 1, unpacked.Pointer);
            Assert.Equal(Floats.Bits(part.Values(part.Rows - 1)), Floats.Bits(unpacked.Span));
            at += part.Rows;
        }

        // By shares of four groups, as workers take them, of inputs that were prepared piece by piece.
        using var values = new Floats(inputs);
        using var prepared = new NativeBuffer((long)Rows * together.PreparedRowBytes);
        using var outputs = new Floats(Rows * width);
        for (int row = Rows - 1; row >= 0; row--)
        {
            together.PrepareColumns(values.Pointer + (row * Columns) + 64, 64, Columns - 64, row, Rows, prepared.Bytes);
            together.PrepareColumns(values.Pointer + (row * Columns), 0, 64, row, Rows, prepared.Bytes);
        }

        for (int first = 0; first < together.GroupCount; first += 4)
        {
            together.Multiply(first, Math.Min(4, together.GroupCount - first), new ProductInput(values.Pointer, Columns, Rows, prepared.Bytes), outputs.Pointer, width);
        }

        Assert.Equal(Floats.Bits(actual), Floats.Bits(outputs.Span));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_packed_matrix_has_about_the_size_of_the_file(WeightFormat format)
    {
        StoredBlocks stored = StoredBlocks.Random(new Random(7), format, 64, 2048);
        foreach (KernelPath path in KernelPaths.Available)
        {
            using WeightMatrix matrix = stored.Matrix(path);
            double ratio = (double)matrix.ByteLength / (64 * stored.Row(0).Length);
            Assert.InRange(ratio, 1, 1.03);
            Assert.Equal(format, matrix.Format);
        }
    }

    [Fact]
    public void A_part_that_begins_inside_a_panel_is_refused_and_a_readers_error_comes_through()
    {
        Assert.Throws<ArgumentException>(() => WeightMatrix.Create(
            [new MatrixPart(WeightFormat.Q8_0, 10), new MatrixPart(WeightFormat.Q8_0, 16)], 32, KernelPaths.Best, (_, _) => { }));
        Assert.Throws<FormatException>(() => WeightMatrix.Create(WeightFormat.F32, 40, 32, KernelPaths.Best, (_, _) => throw new FormatException()));
    }

    private static int[] Columns(WeightFormat format, int[] wanted) =>
        [.. wanted.Where(columns => columns % Enum.Parse<TensorType>(format.ToString()).BlockLength() == 0)];

    private static double[] Rounded(float[] input)
    {
        double[] rounded = new double[input.Length];
        for (int block = 0; block < input.Length; block += 32)
        {
            float largest = input[block..(block + 32)].Max(Math.Abs), scale = largest / 127, inverse = 127 / largest;
            for (int k = block; k < block + 32; k++)
            {
                rounded[k] = scale * Math.Round((double)(input[k] * inverse), MidpointRounding.ToEven);
            }
        }

        return rounded;
    }

    // Half a step of every block, times its weights; what is below 1e-30 counts as zero.
    private static double RoundingBound(float[] weights, float[] input)
    {
        double bound = 0;
        for (int block = 0; block < input.Length; block += 32)
        {
            double step = input[block..(block + 32)].Max(x => Math.Abs((double)x)) / 127;
            bound += Math.Max(0.51 * step, 1e-30) * weights[block..(block + 32)].Sum(w => Math.Abs((double)w));
        }

        return bound;
    }

    private static float[] FloatsOf(JsonElement base64) => MemoryMarshal.Cast<byte, float>(base64.GetBytesFromBase64()).ToArray();
}

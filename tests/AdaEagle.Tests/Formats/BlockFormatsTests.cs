using System.Runtime.InteropServices;
using System.Text.Json;
using AdaEagle.Formats;
using CsCheck;

namespace AdaEagle.Tests.Formats;

public class BlockFormatsTests
{
    private static readonly TensorType[] Blocks = [.. Enum.GetValues<TensorType>().Where(type => type.IsBlock())];

    private static bool IsSimple(TensorType type) => type
        is TensorType.Q4_0 or TensorType.Q4_1 or TensorType.Q5_0 or TensorType.Q5_1 or TensorType.Q8_0 or TensorType.MXFP4 or TensorType.F16 or TensorType.BF16;

    [Fact]
    public void Every_fixture_decodes_to_the_very_bits()
    {
        int cases = 0;
        foreach ((TensorType type, JsonElement fixture) in QuantFixtures())
        {
            Assert.Equal(fixture.GetProperty("values_per_block").GetInt32(), type.BlockLength());
            Assert.Equal(fixture.GetProperty("bytes_per_block").GetInt32(), type.BlockBytes());
            float[] expected = Floats(fixture.GetProperty("values"));
            float[] values = new float[expected.Length];
            FloatConversion.Widen(type, fixture.GetProperty("bytes").GetBytesFromBase64(), values);
            for (int i = 0; i < values.Length; i++)
            {
                Assert.True(
                    BitConverter.SingleToInt32Bits(values[i]) == BitConverter.SingleToInt32Bits(expected[i]) || (float.IsNaN(values[i]) && float.IsNaN(expected[i])),
                    $"{type}, block {i / type.BlockLength()}, element {i % type.BlockLength()}: {values[i]:R} instead of {expected[i]:R}");
            }

            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void Simple_formats_encode_to_the_very_bytes_and_the_others_with_no_larger_error()
    {
        int cases = 0;
        foreach ((TensorType type, JsonElement fixture) in QuantFixtures())
        {
            JsonElement quantize = fixture.GetProperty("quantize");
            float[] input = Floats(quantize.GetProperty("input"));
            byte[] bytes = new byte[type.RowBytes(input.Length)];
            FloatConversion.Narrow(type, input, bytes);
            if (IsSimple(type))
            {
                byte[] expected = quantize.GetProperty("gguf_py_bytes").GetBytesFromBase64();
                Assert.True(bytes.AsSpan().SequenceEqual(expected), $"{type}: byte {bytes.AsSpan().CommonPrefixLength(expected)} differs");
            }
            else
            {
                float[] back = new float[input.Length];
                FloatConversion.Widen(type, bytes, back);
                double error = Math.Sqrt(input.Zip(back, (a, b) => ((double)a - b) * ((double)a - b)).Average());
                double reference = quantize.GetProperty("ggml_round_trip_rmse").GetDouble();
                Assert.True(error <= 1.02 * reference, $"{type}: root mean squared error {error} against ggml's {reference}");
            }

            cases++;
        }

        Fixtures.RequireCases("gguf", cases);
    }

    [Fact]
    public void Encoding_leaves_no_error_beyond_half_a_step_of_the_format()
    {
        // The step of a block is its spread divided by the codes; sub-scales of few bits and uneven tables cost more.
        Gen.Select(Gen.Int[0, Blocks.Length - 1].Select(i => Blocks[i]), Gen.Float[-1, 1].Array[512], Gen.Float[-8, 8]).Sample((type, values, exponent) =>
        {
            float[] scaled = [.. values.Select(v => v * MathF.Pow(2, exponent))];
            float[] back = RoundTrip(type, scaled);
            double bits = 8.0 * type.BlockBytes() / type.BlockLength();
            float largest = scaled.Max(MathF.Abs);
            double error = Math.Sqrt(scaled.Zip(back, (a, b) => ((double)a - b) * ((double)a - b)).Average());
            Assert.True(error <= largest * 2.4 / Math.Pow(2, bits), $"{type}: {error} of {largest}");
        }, iter: 300, seed: "0000KOIZs1T3");
    }

    [Fact]
    public void Zeros_and_constants_and_tiny_numbers_come_back()
    {
        foreach (TensorType type in Blocks)
        {
            Assert.All(RoundTrip(type, new float[256]), value => Assert.Equal(0, value));
            foreach (float constant in (float[])[1, -1, 0.037f, -250])
            {
                float[] back = RoundTrip(type, [.. Enumerable.Repeat(constant, 256)]);
                Assert.All(back, value => Assert.True(MathF.Abs(value - constant) <= 0.3f * MathF.Abs(constant), $"{type}: {value} instead of {constant}"));
            }

            Assert.All(RoundTrip(type, [.. Enumerable.Repeat(float.Epsilon, 256)]), value => Assert.True(MathF.Abs(value) < 1e-7f));
        }
    }

    [Fact]
    public void Lengths_that_do_not_agree_are_refused()
    {
        foreach (TensorType type in Blocks)
        {
            int length = type.BlockLength();
            Assert.Throws<ArgumentException>(() => BlockFormats.Decode(type, new byte[type.BlockBytes()], new float[length - 1]));
            Assert.Throws<ArgumentException>(() => BlockFormats.Decode(type, new byte[type.BlockBytes() - 1], new float[length]));
            Assert.Throws<ArgumentException>(() => BlockFormats.Encode(type, new float[2 * length], new byte[type.BlockBytes()]));
            Assert.Throws<ArgumentException>(() => new TensorInfo("x", type, [2, length + 1]).ByteLength);
            Assert.Equal(6 * type.BlockBytes(), new TensorInfo("x", type, [3, 2 * length]).ByteLength);
            Assert.Throws<OverflowException>(() => new TensorInfo("x", type, [long.MaxValue / 2, 8 * length]).ByteLength);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => BlockFormats.Decode(TensorType.I32, new byte[4], new float[1]));
    }

    [Fact]
    public void Whole_tensors_of_blocks_are_read_as_floats()
    {
        float[] values = [.. Enumerable.Range(0, 512).Select(i => MathF.Sin(i))];
        TensorData tensor = TensorData.FromF32("x", [2, 256], values, TensorType.Q8_0);
        Assert.Equal(2 * 8 * 34, tensor.Bytes.Length);
        float[] back = new float[512];
        FloatConversion.Widen(TensorType.Q8_0, tensor.Bytes.Span, back);
        Assert.Equal(RoundTrip(TensorType.Q8_0, values), back);
        using TemporaryFolder folder = new();
        Assert.Throws<ArgumentException>(() => SafeTensors.Write(folder.File("x.safetensors"), [tensor]));
    }

    private static float[] RoundTrip(TensorType type, float[] values)
    {
        byte[] bytes = new byte[type.RowBytes(values.Length)];
        BlockFormats.Encode(type, values, bytes);
        float[] back = new float[values.Length];
        BlockFormats.Decode(type, bytes, back);
        return back;
    }

    private static IEnumerable<(TensorType Type, JsonElement Fixture)> QuantFixtures()
    {
        foreach (string path in Directory.GetFiles(Path.Combine(Fixtures.Folder("gguf"), "quant-blocks"), "*.json").Order(StringComparer.Ordinal))
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement.Clone();
            Assert.True(Enum.TryParse(root.GetProperty("type").GetString(), out TensorType type), $"{path}: a type that is not supported");
            yield return (type, root);
        }
    }

    private static float[] Floats(JsonElement base64) => MemoryMarshal.Cast<byte, float>(base64.GetBytesFromBase64()).ToArray();
}

using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.Models;

/// <summary>Models quantised at load: what becomes of their tensors, and that speculation changes nothing.</summary>
public class QuantizedModelTests
{
    private static readonly ModelConfig s_config = TinyModels.Config with
    {
        HiddenSize = 256, IntermediateSize = 512, LayerCount = 2, HeadCount = 4, KeyValueHeadCount = 2, HeadDimension = 64, VocabularySize = 71, TieWordEmbeddings = false,
    };

    private static readonly ModelConfig s_head = s_config with { LayerCount = 1, FcBias = true };

    public static TheoryData<WeightFormat, int> FormatsAndThreads
    {
        get
        {
            var all = new TheoryData<WeightFormat, int>();
            foreach (WeightFormat format in Enum.GetValues<WeightFormat>())
            {
                foreach (int threads in (int[])[1, 2, 3])
                {
                    all.Add(format, threads);
                }
            }

            return all;
        }
    }

    public static TheoryData<WeightFormat> Quantized => [.. WeightFormats.Quantized];

    [Theory]
    [MemberData(nameof(FormatsAndThreads))]
    public void Speculation_is_plain_decoding_in_every_format_on_one_to_three_threads(WeightFormat format, int threads)
    {
        using TinyPair pair = Load(format, seed: 11);
        using var pool = new WorkerPool(threads);
        using var single = new WorkerPool(1);
        using var target = new LlamaTarget(pair.Target, pool);
        using var alone = new LlamaTarget(pair.Target, single);
        using var drafter = new EagleDrafter(pair.Head, pool, 8);
        using var decoder = new SpeculativeDecoder(target, 8);
        var random = new Random(threads);
        int accepted = 0;
        foreach (int promptLength in (int[])[1, 9, 40])
        {
            var task = new DecodingTask(RandomModels.Tokens(random, s_config.VocabularySize, promptLength), new SamplingOptions { Temperature = promptLength == 9 ? 0.8f : 0 }, 40, []);
            int[] expected = Decoding.Plain(alone, task);
            foreach (IDraftPolicy policy in (IDraftPolicy[])[new FixedLengthPolicy(3), new FixedLengthPolicy(7), new RandomPolicy(threads, 8, false)])
            {
                Assert.Equal(expected, Decoding.Speculative(decoder, task, drafter, policy));
                accepted += decoder.Accepted;
            }
        }

        Assert.True(accepted > 0);
    }

    [Theory]
    [MemberData(nameof(Quantized))]
    public void Quantising_at_load_is_the_files_own_quantisation(WeightFormat format)
    {
        string folder = TinyModels.Write(s_config, 5);
        try
        {
            using LlamaModel plain = LlamaModel.Load(folder, path: KernelPath.Reference);
            using LlamaModel quantized = LlamaModel.Load(folder, path: KernelPath.Reference, quantize: format);
            Assert.Equal(WeightFormat.F32, quantized.Embedding.Format);
            Assert.Empty(quantized.Warnings);
            TensorType type = Enum.Parse<TensorType>(format.ToString());
            foreach ((WeightMatrix original, WeightMatrix kept) in Matrices(plain).Zip(Matrices(quantized)))
            {
                Assert.Equal(format, kept.Format);
                float[] row = Row(original, original.Rows - 1);
                byte[] blocks = new byte[type.RowBytes(row.Length)];
                FloatConversion.Narrow(type, row, blocks);
                float[] expected = new float[row.Length];
                FloatConversion.Widen(type, blocks, expected);
                Assert.Equal(expected, Row(kept, kept.Rows - 1));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_tied_embedding_is_quantised_with_the_head_that_it_is()
    {
        string folder = TinyModels.Write(s_config with { TieWordEmbeddings = true }, 6);
        try
        {
            using LlamaModel model = LlamaModel.Load(folder, quantize: WeightFormat.Q6_K);
            Assert.Same(model.Embedding, model.LmHead);
            Assert.Equal(WeightFormat.Q6_K, model.LmHead.Format);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(96, TensorType.F32, WeightFormat.Q8_0)]
    [InlineData(48, TensorType.F32, WeightFormat.F16)]
    [InlineData(48, TensorType.BF16, WeightFormat.BF16)]
    public void Rows_that_blocks_do_not_fill_fall_back_and_say_so_once(int hidden, TensorType stored, WeightFormat expected)
    {
        string folder = TinyModels.Write(TinyModels.Config with { HiddenSize = hidden, IntermediateSize = 512, HeadCount = 4, HeadDimension = hidden / 4 }, 7, stored);
        try
        {
            using LlamaModel model = LlamaModel.Load(folder, quantize: WeightFormat.Q4_K);
            Assert.Equal(WeightFormat.Q4_K, model.Stack.Layers[0].Down.Format);
            Assert.Equal(expected, model.Stack.Layers[0].GateUp.Format);
            string warning = Assert.Single(model.Warnings);
            Assert.Contains($"rows of {hidden} are kept as {expected}", warning, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(TensorType.Q5_0, true)]
    [InlineData(TensorType.IQ4_NL, true)]
    [InlineData(TensorType.Q4_1, false)]
    [InlineData(TensorType.Q2_K, false)]
    [InlineData(TensorType.MXFP4, false)]
    public void Formats_without_a_kernel_are_kept_as_Q8_0_and_say_so(TensorType type, bool exact)
    {
        float[] values = [.. Enumerable.Range(0, 64 * 256).Select(i => MathF.Sin(i * 0.7f) * (1 + (i % 13)))];
        byte[] blocks = new byte[64 * type.RowBytes(256)];
        FloatConversion.Narrow(type, values, blocks);
        float[] decoded = new float[values.Length];
        FloatConversion.Widen(type, blocks, decoded);
        using var source = new OneTensor(new TensorInfo("w", type, [64, 256]), blocks);
        var loader = new WeightLoader(source, WeightChoice.Auto, KernelPaths.Best);
        using WeightMatrix matrix = loader.Matrix(256, ("w", 64));
        Assert.Equal(WeightFormat.Q8_0, matrix.Format);
        Assert.Equal($"1 tensor stored as {type} are {(exact ? "kept, exactly, as" : "rounded to")} Q8_0", Assert.Single(loader.Notes));
        for (int row = 0; row < 64; row++)
        {
            float[] expected = decoded[(row * 256)..((row + 1) * 256)], actual = Row(matrix, row);
            double largest = expected.Max(Math.Abs);
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, exact ? 0 : largest / 200));
        }

        var reference = new WeightLoader(source, WeightChoice.Auto, KernelPath.Reference);
        using WeightMatrix kept = reference.Matrix(256, ("w", 64));
        Assert.Equal(decoded[^256..], Row(kept, 63));
    }

    [Theory]
    [InlineData(TensorType.Q4_K, TensorType.Q6_K)]
    [InlineData(TensorType.Q8_0, TensorType.F32)]
    [InlineData(TensorType.F16, TensorType.BF16)]
    public void Gate_and_up_of_two_formats_alternate_exactly(TensorType first, TensorType second)
    {
        var random = new Random(8);
        float[][] decoded = new float[2][];
        byte[][] stored = new byte[2][];
        foreach ((int which, TensorType type) in (ReadOnlySpan<(int, TensorType)>)[(0, first), (1, second)])
        {
            float[] values = [.. Enumerable.Range(0, 40 * 256).Select(_ => random.NextSingle() - 0.5f)];
            stored[which] = new byte[40 * type.RowBytes(256)];
            FloatConversion.Narrow(type, values, stored[which]);
            decoded[which] = new float[values.Length];
            FloatConversion.Widen(type, stored[which], decoded[which]);
        }

        using var source = new OneTensor(new TensorInfo("gate", first, [40, 256]), stored[0], new TensorInfo("up", second, [40, 256]), stored[1]);
        using WeightMatrix matrix = new WeightLoader(source, WeightChoice.Auto, KernelPaths.Best).AlternatingMatrix(256, "gate", "up", 40);
        Assert.Equal(96, matrix.Rows);
        for (int row = 0; row < 40; row++)
        {
            for (int which = 0; which < 2; which++)
            {
                Assert.Equal(decoded[which][(row * 256)..((row + 1) * 256)], Row(matrix, (row / 16 * 32) + (which * 16) + (row % 16)));
            }
        }
    }

    [Theory]
    [InlineData(TensorType.Q8_0, 0)]
    [InlineData(TensorType.Q4_K, 2)]
    [InlineData(TensorType.Q6_K, 208)]
    public void A_scale_that_is_not_finite_is_refused(TensorType type, int at)
    {
        byte[] blocks = new byte[32 * type.RowBytes(256)];
        BitConverter.TryWriteBytes(blocks.AsSpan(at + (int)type.RowBytes(256)), Half.NaN);
        using var source = new OneTensor(new TensorInfo("w", type, [32, 256]), blocks);
        ModelFormatException refusal = Assert.Throws<ModelFormatException>(() => new WeightLoader(source, WeightChoice.Auto, KernelPaths.Best).Matrix(256, ("w", 32)));
        Assert.Equal("w", refusal.Item);
        Assert.Contains("row 1 ", refusal.Message, StringComparison.Ordinal);
    }

    private static TinyPair Load(WeightFormat format, int seed)
    {
        bool quantized = WeightFormats.Quantized.Contains(format);
        TensorType stored = quantized ? TensorType.F32 : Enum.Parse<TensorType>(format.ToString());
        string folder = TinyModels.Write(s_config, seed, stored, s_head, scale: 0.1f, mimicry: 1);
        try
        {
            LlamaModel target = LlamaModel.Load(folder, quantize: quantized ? format : null);
            EagleHead head = EagleHead.Load(Path.Combine(folder, "eagle"), target, quantize: quantized ? format : null);
            Assert.Equal(format, head.Fuse.Format);
            Assert.Equal(format, target.LmHead.Format);
            return new TinyPair(target, head);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<WeightMatrix> Matrices(LlamaModel model) => [
        .. model.Stack.Layers.SelectMany(layer => (WeightMatrix[])[layer.QueryKeyValue, layer.Output, layer.GateUp, layer.Down]), model.LmHead];

    private static unsafe float[] Row(WeightMatrix matrix, int row)
    {
        float[] values = new float[matrix.Columns];
        fixed (float* pointer = values)
        {
            matrix.UnpackRow(row, pointer);
        }

        return values;
    }

    /// <summary>Tensors in memory.</summary>
    private sealed class OneTensor(params object[] infosAndBytes) : ITensorSource
    {
        public string Path => "memory";

        public IReadOnlyDictionary<string, TensorInfo> Tensors { get; } = infosAndBytes.OfType<TensorInfo>().ToDictionary(info => info.Name);

        public IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

        public void Read(string name, long byteOffset, Span<byte> destination)
        {
            int index = Array.FindIndex(infosAndBytes, item => item is TensorInfo info && info.Name == name);
            ((byte[])infosAndBytes[index + 1]).AsSpan((int)byteOffset, destination.Length).CopyTo(destination);
        }

        public void Dispose()
        {
        }
    }
}

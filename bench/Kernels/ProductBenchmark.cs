using AdaEagle.Kernels;
using BenchmarkDotNet.Attributes;

namespace AdaEagle.Bench.Kernels;

/// <summary>
/// A product of one matrix's shape on one thread, over a working set of many such matrices, so that weights come from where they come from in a model.
/// </summary>
/// <remarks>BenchmarkDotNet's mean is of one product; bytes or multiply-adds per second follow from <see cref="Columns"/>, <see cref="Outputs"/> and
/// the format. ADAEAGLE_KERNELS chooses the instruction set.</remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "BenchmarkDotNet calls CleanUp.")]
public unsafe class ProductBenchmark
{
    private WeightMatrix[] _matrices = null!;
    private NativeBuffer _inputs = null!;
    private NativeBuffer _outputs = null!;
    private NativeBuffer _prepared = null!;
    private int _next;

    [ParamsAllValues]
    public WeightFormat Format { get; set; }

    /// <summary>Inputs: 256 as in the default model, 2048 as in one of 1.1 B.</summary>
    [Params(256, 2048)]
    public int Columns { get; set; }

    [Params(2048)]
    public int Outputs { get; set; }

    /// <summary>Rows of the pass.</summary>
    [Params(1, 4, 8)]
    public int Rows { get; set; }

    /// <summary>Megabytes of weights: 20 stay in a third-level cache, 200 come from memory.</summary>
    [Params(20, 200)]
    public int WorkingSet { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        var random = new Random(1);
        KernelPath path = KernelPaths.Best;
        // Any finite numbers: nothing here depends on them. These bytes are 0.0115 as floats, 1.06 as a scale.
        WeightMatrix make() => WeightMatrix.Create([new MatrixPart(Format, Outputs)], Columns, path, (_, stored) => stored.Fill(0x3C));
        WeightMatrix first = make();
        _matrices = [first, .. Enumerable.Range(1, (int)(WorkingSet * 1_000_000L / first.ByteLength)).Select(_ => make())];
        _inputs = NativeBuffer.OfFloats(((long)Rows * Columns) + 16);
        for (int i = 0; i < Rows * Columns; i++)
        {
            _inputs.Floats[i] = random.NextSingle() - 0.5f;
        }

        _outputs = NativeBuffer.OfFloats((long)Rows * Outputs);
        _prepared = new NativeBuffer((long)Rows * first.PreparedRowBytes);
        for (int row = 0; row < Rows; row++)
        {
            first.PrepareRow(_inputs.Floats + ((nint)row * Columns), row, Rows, _prepared.Bytes);
        }
    }

    [Benchmark]
    public void Product()
    {
        WeightMatrix matrix = _matrices[_next++ % _matrices.Length];
        matrix.Multiply(0, matrix.GroupCount, new ProductInput(_inputs.Floats, Columns, Rows, _prepared.Bytes), _outputs.Floats, Outputs);
    }

    [GlobalCleanup]
    public void CleanUp()
    {
        foreach (IDisposable buffer in (IEnumerable<IDisposable>)[.. _matrices, _inputs, _outputs, _prepared])
        {
            buffer.Dispose();
        }
    }
}

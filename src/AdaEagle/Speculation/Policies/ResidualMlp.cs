using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// The weights of the small networks that policies ask: the input is projected down first, y = W x + b; then y = y + silu(W_i y + b_i) for every block;
/// then the outputs, z = V y + c. Tensors: <c>input</c>, <c>blocks.i</c>, <c>output</c>, a <c>.weight</c> and a <c>.bias</c> each. Immutable and shared.
/// </summary>
internal sealed class ResidualMlpWeights : IDisposable
{
    private ResidualMlpWeights(int width, WeightMatrix input, NativeBuffer inputBias, WeightMatrix[] blocks, NativeBuffer[] blockBiases, WeightMatrix output, NativeBuffer outputBias)
    {
        Width = width;
        Input = input;
        InputBias = inputBias;
        Blocks = blocks;
        BlockBiases = blockBiases;
        Output = output;
        OutputBias = outputBias;
    }

    public int Width { get; }

    /// <summary>Bytes of weights that a run streams.</summary>
    public long ByteLength => Input.ByteLength + Blocks.Sum(block => block.ByteLength) + Output.ByteLength;

    public WeightMatrix Input { get; }

    public NativeBuffer InputBias { get; }

    public WeightMatrix[] Blocks { get; }

    public NativeBuffer[] BlockBiases { get; }

    public WeightMatrix Output { get; }

    public NativeBuffer OutputBias { get; }

    /// <summary>Loads it; the names of its tensors begin with <paramref name="prefix"/>.</summary>
    public static ResidualMlpWeights Load(WeightLoader loader, string prefix, int inputs, int width, int blocks, int outputs) => new(
        width,
        loader.Matrix(inputs, ($"{prefix}input.weight", width)),
        loader.Vector(($"{prefix}input.bias", width)),
        [.. Enumerable.Range(0, blocks).Select(i => loader.Matrix(width, ($"{prefix}blocks.{i}.weight", width)))],
        [.. Enumerable.Range(0, blocks).Select(i => loader.Vector(($"{prefix}blocks.{i}.bias", width)))],
        loader.Matrix(width, ($"{prefix}output.weight", outputs)),
        loader.Vector(($"{prefix}output.bias", outputs)));

    public void Dispose()
    {
        foreach (IDisposable part in (IEnumerable<IDisposable>)[Input, InputBias, .. Blocks, .. BlockBiases, Output, OutputBias])
        {
            part.Dispose();
        }
    }
}

/// <summary>Runs <see cref="ResidualMlpWeights"/> on the calling thread: some tens of kilobytes of weights. Not thread-safe.</summary>
internal sealed unsafe class ResidualMlp : IDisposable
{
    private readonly ResidualMlpWeights _weights;
    private readonly VectorKernels _vector;
    private readonly NativeBuffer _input;
    private readonly NativeBuffer _state;
    private readonly NativeBuffer _sum;
    private readonly NativeBuffer _prepared;

    public ResidualMlp(ResidualMlpWeights weights, KernelPath path)
    {
        _weights = weights;
        _vector = VectorKernels.For(path);
        _input = NativeBuffer.OfFloats(weights.Input.Columns + 16);
        _state = NativeBuffer.OfFloats(weights.Width + 16);
        _sum = NativeBuffer.OfFloats(Math.Max(weights.Width, weights.Output.Rows) + 16);
        _prepared = new NativeBuffer(((IEnumerable<WeightMatrix>)[weights.Input, .. weights.Blocks, weights.Output]).Max(matrix => matrix.PreparedRowBytes));
    }

    /// <summary>Where the input is to be written; as many floats as the input matrix has columns, and sixteen that must stay zero or be written over.</summary>
    public float* Input => _input.Floats;

    /// <summary>The input as a span.</summary>
    public Span<float> InputValues => new(_input.Floats, _weights.Input.Columns);

    /// <summary>The outputs for what was written into the input; valid until the next call.</summary>
    public ReadOnlySpan<float> Run()
    {
        Affine(_weights.Input, _weights.InputBias, _input, _state);
        for (int i = 0; i < _weights.Blocks.Length; i++)
        {
            Affine(_weights.Blocks[i], _weights.BlockBiases[i], _state, _sum);
            _vector.SiluAdd(_sum.Floats, _state.Floats, _state.Floats, (_weights.Width + 15) & ~15);
        }

        Affine(_weights.Output, _weights.OutputBias, _state, _sum);
        return new ReadOnlySpan<float>(_sum.Floats, _weights.Output.Rows);
    }

    public void Dispose()
    {
        _input.Dispose();
        _state.Dispose();
        _sum.Dispose();
        _prepared.Dispose();
    }

    private void Affine(WeightMatrix matrix, NativeBuffer bias, NativeBuffer input, NativeBuffer output)
    {
        matrix.PrepareRow(input.Floats, 0, 1, _prepared.Bytes);
        matrix.Multiply(0, matrix.GroupCount, new ProductInput(input.Floats, 0, 1, _prepared.Bytes), output.Floats, 0);
        _vector.AddTo(output.Floats, bias.Floats, (matrix.Rows + 15) & ~15);
    }
}

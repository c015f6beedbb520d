using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Bench.Models;

/// <summary>One of a predictor's small networks: rows of the residual stream's width and some other numbers, projected to a narrow width; residual blocks; the outputs.</summary>
/// <param name="Prefix">Its tensors' names begin with it.</param>
/// <param name="Stretches">Rows of the residual stream's width that it reads: embedding, feature, the head's output.</param>
/// <param name="Others">Numbers that it reads behind them.</param>
/// <param name="Width">The narrow width.</param>
/// <param name="Blocks">Residual blocks.</param>
/// <param name="Outputs">Numbers that it says.</param>
internal sealed record NetworkShape(string Prefix, int Stretches, int Others, int Width, int Blocks, int Outputs)
{
    /// <summary>Its tensors at a width of the residual stream.</summary>
    public IEnumerable<TensorSlot> Tensors(int hidden)
    {
        yield return new($"{Prefix}input.weight", TensorKind.Fusion, [Width, (Stretches * (long)hidden) + Others], Stretches, Others);
        yield return new($"{Prefix}input.bias", TensorKind.Inner, [Width]);
        for (int block = 0; block < Blocks; block++)
        {
            yield return new($"{Prefix}blocks.{block}.weight", TensorKind.Inner, [Width, Width]);
            yield return new($"{Prefix}blocks.{block}.bias", TensorKind.Inner, [Width]);
        }

        yield return new($"{Prefix}output.weight", TensorKind.Inner, [Outputs, Width]);
        yield return new($"{Prefix}output.bias", TensorKind.Inner, [Outputs]);
    }
}

/// <summary>The shape of a predictor: its networks, and tensors that read no residual stream.</summary>
internal sealed record PredictorShape(int Hidden, NetworkShape[] Networks, TensorSlot[] Others)
{
    /// <summary>The tensors of the predictor's checkpoint.</summary>
    public IEnumerable<TensorSlot> Tensors() => [.. Networks.SelectMany(network => network.Tensors(Hidden)), .. Others];
}

/// <summary>A kind of predictor that may lie in a model's folder. A new one is an entry of <see cref="All"/>.</summary>
/// <param name="Folder">Where in the model's folder, and the kind that its <c>config.json</c> names.</param>
/// <param name="Option">What another folder is named with on the command line.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Networks">Its networks, given how the configuration's numbers are read.</param>
internal sealed record PredictorKind(string Folder, string Option, string Name, Func<Func<string, int>, NetworkShape[]> Networks)
{
    /// <summary>Tensors beside the networks'.</summary>
    public TensorSlot[] Others { get; init; } = [];

    /// <summary>The kinds there are.</summary>
    public static IReadOnlyList<PredictorKind> All { get; } =
    [
        new("ldlp", "--predictor", "LDLP", number => [new("", 2, 0, number("width"), number("layers"), 1)]),
        new("survival", "--survival", "survival predictor", number =>
        [
            new("plan.", 2, SurvivalWeights.RootInputs, number("width"), SurvivalWeights.PlanBlocks, number("k_max")),
            new("step.", 1, StepSignals.Count, number("step_width"), SurvivalWeights.StepBlocks, 2),
        ])
        {
            Others =
            [
                new("siblings.weight", TensorKind.Inner, [SurvivalWeights.Siblings, SurvivalWeights.SiblingInputs]),
                new("siblings.bias", TensorKind.Inner, [SurvivalWeights.Siblings]),
            ],
        },
        new("stop", "--stop-head", "stop head", number => [new("", 1, 0, number("width"), number("layers"), 1)]),
    ];

    /// <summary>Opens one that was trained for a target.</summary>
    /// <exception cref="ModelFormatException">It cannot be read, is of another kind, or does not fit the target.</exception>
    public SourceCheckpoint<PredictorShape> Open(string folder, DecoderShape target)
    {
        JsonObject config = ConfigFile.Read(folder);
        string file = Path.Combine(folder, ConfigFile.Name);
        if (config["adaeagle_kind"] is not JsonValue kind || !kind.TryGetValue(out string? text) || text != Folder)
        {
            throw new ModelFormatException(file, "adaeagle_kind", $"this is not the configuration of a {Name}", $"It has the kind \"{Folder}\"");
        }

        int Number(string key) => ConfigFile.Integer(config, key, file);
        if (Number("hidden_size") != target.Hidden)
        {
            throw new ModelFormatException(file, "hidden_size", $"it is {Number("hidden_size")}, but the target's is {target.Hidden}", "Give a predictor that was trained for this target");
        }

        var shape = new PredictorShape(target.Hidden, Networks(Number), Others);
        return SourceCheckpoint<PredictorShape>.Open(folder, _ => shape, shape => shape.Tensors(), _ => false);
    }
}

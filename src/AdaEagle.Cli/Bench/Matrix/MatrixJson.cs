using System.Text.Json.Serialization;

namespace AdaEagle.Cli.Bench.Matrix;

/// <summary>What <c>bench --matrix --json OUT</c> writes, and <c>bench --right --json OUT</c>: the runs that are done, each as <see cref="BenchJson"/> has it.</summary>
internal sealed record MatrixJson(IReadOnlyList<MatrixRunJson> Runs)
{
    public static MatrixJson Of(IReadOnlyList<BenchRun> runs) => new([.. runs.Select(MatrixRunJson.Of)]);
}

/// <summary>One drafter at one temperature, and right to order at one level, if at any.</summary>
internal sealed record MatrixRunJson(string? Drafter, float Temperature, BenchEnvironment Environment, IReadOnlyList<PolicyJson> Policies)
{
    /// <summary>Left out where the drafter said what it said.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RightPercent { get; init; }

    public static MatrixRunJson Of(BenchRun run) =>
        new(run.Environment.Drafter, run.Environment.Sampling.Temperature, run.Environment, PolicyJson.Of(run.Figures)) { RightPercent = run.RightPercent };
}

using System.Globalization;
using System.Runtime.InteropServices;
using AdaEagle.Generation;
using AdaEagle.Speculation.Oracle;

namespace AdaEagle.Cli.Bench;

/// <summary>Where and on what a bench ran.</summary>
internal sealed record BenchEnvironment(
    string Processor, IReadOnlyList<string> InstructionSets, int Cores, int Threads, string Kernels, string Dotnet, string OperatingSystem, string Version,
    string Model, long Parameters, string Weights, long PassBytes, string? Drafter, double? DraftCost, long? PredictorBytes,
    string Prompts, int MaxTokens, int Repeat, SamplingJson Sampling, string Date, string CommandLine, CostsJson? Costs, OracleJson? Oracle)
{
    private const string ProcessorFile = "/proc/cpuinfo";
    private static readonly string[] s_flagPrefixes = ["avx", "fma", "f16c", "amx", "sve", "asimd", "bf16"];

    public static BenchEnvironment Of(LanguageModel model, BenchSettings settings, BenchRunner runner, string prompts, IEnumerable<string> commandLine)
    {
        (string processor, string[] instructionSets) = ThisProcessor();
        return new BenchEnvironment(
            processor, instructionSets, Environment.ProcessorCount, model.Pool.WorkerCount, model.Target.Path.ToString().ToLowerInvariant(), RuntimeInformation.FrameworkDescription,
            RuntimeInformation.OSDescription, typeof(LanguageModel).Assembly.GetName().Version?.ToString(3) ?? "",
            model.Folder, ModelFacts.Parameters(model), model.Target.Format.ToString().ToLowerInvariant(), model.Target.PassBytes, settings.Options.Drafter ?? model.DefaultDrafter, ModelFacts.DraftCost(model),
            model.Predictor?.ByteLength, prompts, settings.Options.MaxTokens, settings.Repeat, SamplingJson.Of(settings.Options),
            DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture), Line(commandLine), CostsJson.Of(runner.Costs), OracleJson.Of(runner.Plan));
    }

    /// <summary>The processor's name and those of its instruction sets that matter here.</summary>
    public static (string Name, string[] InstructionSets) ThisProcessor()
    {
        string[] lines = File.Exists(ProcessorFile) ? File.ReadAllLines(ProcessorFile) : [];
        return (
            Field(lines, "model name") ?? RuntimeInformation.ProcessArchitecture.ToString(),
            [.. (Field(lines, "flags") ?? Field(lines, "Features") ?? "").Split(' ').Where(flag => s_flagPrefixes.Any(prefix => flag.StartsWith(prefix, StringComparison.Ordinal)))]);
    }

    /// <summary>A command line as one would type it.</summary>
    public static string Line(IEnumerable<string> words) => string.Join(' ', words.Select(Quoted));

    private static string? Field(string[] lines, string name) =>
        lines.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal) && line.Contains(':', StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() : null;

    private static string Quoted(string argument) =>
        argument.Length > 0 && argument.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:,+=".Contains(c, StringComparison.Ordinal))
            ? argument : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}

/// <summary>How tokens were chosen.</summary>
internal sealed record SamplingJson(float Temperature, int TopK, float TopP, float MinP, ulong Seed)
{
    public static SamplingJson Of(GenerationOptions options) =>
        new(options.Sampling.Temperature, options.Sampling.TopK, options.Sampling.TopP, options.Sampling.MinP, options.Sampling.Seed);
}

/// <summary>Measured costs of a round's parts, by draft length from 0.</summary>
internal sealed record CostsJson(IReadOnlyList<double> DraftSeconds, IReadOnlyList<double> VerifySeconds, double OverheadSeconds, IReadOnlyList<int> Samples)
{
    public static CostsJson? Of(RoundCosts? costs) => costs is null ? null : new(costs.DraftSeconds, costs.VerifySeconds, costs.OverheadSeconds, costs.Samples);
}

/// <summary>What the oracle found: rho, its tokens per second as replayed.</summary>
internal sealed record OracleJson(double TokensPerSecond, int Iterations)
{
    public static OracleJson? Of(OraclePlan? plan) => plan is null ? null : new(plan.TokensPerSecond, plan.Iterations);
}

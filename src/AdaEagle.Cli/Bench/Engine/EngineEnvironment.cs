using System.Globalization;
using System.Runtime.InteropServices;
using AdaEagle.Generation;

namespace AdaEagle.Cli.Bench.Engine;

/// <summary>Where and on what the engine was measured.</summary>
internal sealed record EngineEnvironment(
    string Processor, IReadOnlyList<string> InstructionSets, int Cores, int Threads, string Kernels, string Dotnet, string Model, string Weights, string Date, string CommandLine)
{
    public static EngineEnvironment Of(LanguageModel model, IEnumerable<string> commandLine)
    {
        (string processor, string[] instructionSets) = BenchEnvironment.ThisProcessor();
        return new EngineEnvironment(
            processor, instructionSets, System.Environment.ProcessorCount, model.Pool.WorkerCount, model.Target.Path.ToString().ToLowerInvariant(),
            RuntimeInformation.FrameworkDescription, model.Folder, model.Target.Format.ToString().ToLowerInvariant(),
            DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture), BenchEnvironment.Line(commandLine));
    }
}

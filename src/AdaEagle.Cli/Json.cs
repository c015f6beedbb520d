using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using AdaEagle.Cli.Bench;
using AdaEagle.Cli.Bench.Engine;
using AdaEagle.Cli.Bench.Matrix;
using AdaEagle.Cli.Bench.Text;
using AdaEagle.Cli.Bench.Tune;
using AdaEagle.Cli.Generate;

namespace AdaEagle.Cli;

/// <summary>What the tool writes as JSON. Names are snake_case; text stays readable.</summary>
[JsonSerializable(typeof(GenerationJson))]
[JsonSerializable(typeof(BenchJson))]
[JsonSerializable(typeof(MatrixJson))]
[JsonSerializable(typeof(EngineJson))]
[JsonSerializable(typeof(TuneJson))]
[JsonSerializable(typeof(IReadOnlyList<PerplexityJson>))]
[JsonSerializable(typeof(System.Text.Json.Nodes.JsonObject))]
internal sealed partial class Json : JsonSerializerContext
{
    /// <summary>In one line.</summary>
    public static Json Line { get; } = new(Readable(indented: false));

    /// <summary>Indented.</summary>
    public static Json Page { get; } = new(Readable(indented: true));

    private static JsonSerializerOptions Readable(bool indented) =>
        new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = indented };
}

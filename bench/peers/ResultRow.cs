using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdaEagle.Bench.Peers;

/// <summary>One figure of both engines.</summary>
/// <param name="Model">The file's name.</param>
/// <param name="Format">The number format of most of its bytes.</param>
/// <param name="Measure"><c>decode</c> (a token), <c>prefill</c> (a prompt), <c>pass_k</c> (a pass of k rows).</param>
/// <param name="Context">Positions in the cache before, or the prompt's tokens.</param>
/// <param name="AdaEagle">Our median time in seconds.</param>
/// <param name="LlamaCpp">llama.cpp's.</param>
/// <param name="Ratio">llama.cpp's time over ours.</param>
/// <param name="Spread">The distance between tenth and ninetieth percentile of the rounds' ratios over their median.</param>
/// <param name="AdaEagleShare">Our share of the measured stream bandwidth, over the bytes a pass really reads; null where that is not the limit.</param>
/// <param name="LlamaCppShare">llama.cpp's.</param>
internal sealed record ResultRow(
    string Model,
    string Format,
    string Measure,
    int Context,
    [property: JsonPropertyName("adaeagle")] double AdaEagle,
    double LlamaCpp,
    double Ratio,
    double Spread,
    [property: JsonPropertyName("adaeagle_share")] double? AdaEagleShare,
    double? LlamaCppShare)
{
    /// <param name="model">The file's name.</param>
    /// <param name="format">Its number format.</param>
    /// <param name="measure">What was measured.</param>
    /// <param name="context">Positions or tokens.</param>
    /// <param name="ours">Our times by round.</param>
    /// <param name="theirs">llama.cpp's.</param>
    /// <param name="ourLimit">Seconds in which the bytes we read stream; null for no share.</param>
    /// <param name="theirLimit">The same of llama.cpp.</param>
    public static ResultRow Of(string model, string format, string measure, int context, List<double> ours, List<double> theirs, double? ourLimit, double? theirLimit)
    {
        double[] ratios = [.. ours.Zip(theirs, (a, b) => b / a)];
        (double a, double b) = (At(ours, 0.5), At(theirs, 0.5));
        return new ResultRow(model, format, measure, context, a, b, b / a, (At(ratios, 0.9) - At(ratios, 0.1)) / At(ratios, 0.5), ourLimit / a, theirLimit / b);
    }

    private static double At(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted[(int)Math.Round(share * (sorted.Length - 1))];
    }
}

/// <summary>What <c>--json</c> writes.</summary>
internal sealed record Results(IReadOnlyList<ResultRow> Rows, IReadOnlyList<GreedyResult> Greedy, string Processor, int Threads, string Cache, bool Quiet, string Date)
{
    private static readonly JsonSerializerOptions _options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public string ToJson() => JsonSerializer.Serialize(this, _options) + "\n";

    /// <summary>The table as Markdown.</summary>
    public void Write(TextWriter output)
    {
        output.WriteLine("| model | format | measure | context | AdaEagle ms | llama.cpp ms | ratio | spread | share of stream | llama.cpp's |");
        output.WriteLine("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (ResultRow row in Rows)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {row.Model} | {row.Format} | {row.Measure} | {row.Context} | {row.AdaEagle * 1e3:0.000} | {row.LlamaCpp * 1e3:0.000} | {row.Ratio:0.00} | {row.Spread:P0} | {row.AdaEagleShare:P0} | {row.LlamaCppShare:P0} |"));
        }
    }
}

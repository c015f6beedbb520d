using System.CommandLine;
using System.Globalization;

namespace AdaEagle.Bench.Models;

/// <summary>The command <c>inflate</c>.</summary>
internal static class InflateCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = $"Model folder: config.json, weights, and eagle/, {string.Join(", ", PredictorKind.All.Select(kind => kind.Folder + "/"))} as far as it has them.", Required = true };
        var draft = new Option<string?>("--draft") { Description = "Folder of the EAGLE head, if not eagle/ in the model's." };
        var predictors = PredictorKind.All.ToDictionary(kind => kind, kind => new Option<string?>(kind.Option) { Description = $"Folder of the {kind.Name}, if not {kind.Folder}/ in the model's." });
        var parameters = Options.Size("--parameters", "Parameters that the target shall have, such as 110M or 1.1B.", required: true);
        var draftCost = new Option<double>("--draft-cost")
        {
            Description = "Weights that a draft step shall stream, as a share of those of a target pass.",
            DefaultValueFactory = _ => 0.05,
        };
        draftCost.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 1))
            {
                result.AddError("--draft-cost is a share: above 0, and at most 1.");
            }
        });
        var plan = new Option<bool>("--plan") { Description = "Print the shapes and write nothing." };
        var output = Options.Output();
        var seed = Options.Seed();
        var command = new Command("inflate", "Makes a larger Llama model that computes the same function, bit for bit.") { model, draft, parameters, draftCost, output, seed, plan };
        foreach (Option<string?> predictor in predictors.Values)
        {
            command.Options.Add(predictor);
        }

        command.SetAction(arguments =>
        {
            using var source = SourceModel.Open(arguments.GetRequiredValue(model), arguments.GetValue(draft), kind => arguments.GetValue(predictors[kind]));
            double cost = arguments.GetValue(draftCost);
            Inflation inflation = InflationPlanner.Plan(source.Target.Shape, source.Head?.Shape, arguments.GetRequiredValue(parameters), cost);
            if (!arguments.GetValue(plan))
            {
                var inflater = new Inflater(source, inflation, arguments.GetValue(seed));
                string folder = Options.PrepareOutput(arguments.GetRequiredValue(output), inflater.ByteLength);
                using var progress = new WriteProgress(inflater.ByteLength);
                inflater.Write(folder, progress.Add);
            }

            Report(source, inflation, cost);
        });
        return command;
    }

    private static void Report(SourceModel source, Inflation inflation, double asked)
    {
        DecoderShape before = source.Target.Shape, after = inflation.Target;
        Line($"{"",-12}{"parameters",14}{"hidden",8}{"layers",8}{"heads",8}{"kv",6}{"ffn",8}{"streamed",14}");
        Line(Row("target", before.Parameters, before.Hidden, before.Layers, before.Layer, before.Streamed));
        Line(Row("inflated", after.Parameters, after.Hidden, after.Layers, after.Layer, after.Streamed));
        if (source.Head is { Shape: var head } && inflation.Head is { } grown)
        {
            Line(Row("head", head.Tensors().Sum(slot => slot.ElementCount), head.Hidden, 1, head.Layer, head.Streamed));
            Line(Row("grown", grown.Tensors().Sum(slot => slot.ElementCount), grown.Hidden, 1, grown.Layer, grown.Streamed));
            double cost = inflation.DraftCost!.Value;
            Line($"draft cost {cost:F4} (before {(double)head.Streamed / before.Streamed:F4}): weights that a draft step ({(head.Eagle3 is null ? "fc, layer, LM head" : "layer, own LM head")}) streams over those of a target pass, all in one format");
            if (cost > asked * (1 + InflationPlanner.Tolerance))
            {
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"note: a draft cost of {asked} cannot be reached: fc, the head's layer as it is and the LM head stream {cost:F4} of a pass already. The head was not grown."));
            }
        }
        else
        {
            Console.Error.WriteLine("note: there is no draft head (eagle/ in the model's folder, or --draft), so only the target was inflated.");
        }
    }

    private static string Row(string name, long parameters, int hidden, int layers, LayerShape layer, long streamed) => string.Create(
        CultureInfo.InvariantCulture,
        $"{name,-12}{parameters,14:N0}{hidden,8}{layers,8}{layer.Heads,8}{layer.KeyValueHeads,6}{layer.Ffn,8}{streamed,14:N0}");

    private static void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    private static void Line(string text) => Console.WriteLine(text);
}

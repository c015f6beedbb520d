using System.Globalization;
using System.Text.Json;
using AdaEagle.Formats;

namespace AdaEagle.Speculation.Policies;

/// <summary><c>config.json</c> of a predictor's folder: values are asked for by name, and checked.</summary>
internal sealed class PredictorConfig : IDisposable
{
    private readonly JsonDocument _document;

    private PredictorConfig(string file, JsonDocument document)
    {
        File = file;
        _document = document;
    }

    public string File { get; }

    private JsonElement Root => _document.RootElement;

    /// <summary>Opens the configuration in <paramref name="folder"/>, whose <c>adaeagle_kind</c> must be <paramref name="kind"/>.</summary>
    /// <exception cref="ModelFormatException">There is none, or it is another's.</exception>
    public static PredictorConfig Open(string folder, string kind)
    {
        string file = Path.Combine(folder, "config.json");
        if (!System.IO.File.Exists(file))
        {
            throw new ModelFormatException(file, null, "the file is missing", "a predictor's folder holds config.json and model.safetensors, as adaeagle-train ldlp writes them");
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(System.IO.File.ReadAllBytes(file));
        }
        catch (JsonException failure)
        {
            throw new ModelFormatException(file, null, "is not JSON: " + failure.Message, "the file is damaged", failure);
        }

        var config = new PredictorConfig(file, document);
        if (config.Text("adaeagle_kind") == kind)
        {
            return config;
        }

        config.Dispose();
        throw new ModelFormatException(file, "adaeagle_kind", "this is not the configuration of such a predictor", $"supported here: \"{kind}\"");
    }

    /// <summary>A string; null where there is none.</summary>
    public string? Text(string name) =>
        Root.ValueKind == JsonValueKind.Object && Root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>A whole number from 1 to <paramref name="most"/>; where it is absent <paramref name="usual"/>, if there is one.</summary>
    public int Number(string name, int most, int? usual = null)
    {
        if (!Root.TryGetProperty(name, out JsonElement number) && usual is { } value)
        {
            return value;
        }

        return number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out int result) && result >= 1 && result <= most
            ? result
            : throw new ModelFormatException(File, name, string.Create(CultureInfo.InvariantCulture, $"must be a whole number from 1 to {most}"), "the file is damaged, or not a predictor's");
    }

    /// <summary>A number from 0 to 1; where it is absent <paramref name="usual"/>.</summary>
    public double Share(string name, double usual)
    {
        if (!Root.TryGetProperty(name, out JsonElement number))
        {
            return usual;
        }

        return number.ValueKind == JsonValueKind.Number && number.TryGetDouble(out double result) && result is >= 0 and <= 1
            ? result
            : throw new ModelFormatException(File, name, "must be a number from 0 to 1", "the file is damaged, or not a predictor's");
    }

    /// <summary>Refuses a predictor for another hidden size than the target's.</summary>
    public int HiddenSizeOf(Models.LlamaModel target)
    {
        int hidden = Number("hidden_size", 1 << 20);
        return hidden == target.Config.HiddenSize
            ? hidden
            : throw new ModelFormatException(
                File, "hidden_size", $"the predictor is for hidden size {hidden}, the target has {target.Config.HiddenSize}", "use the predictor that was trained for this target");
    }

    public void Dispose() => _document.Dispose();
}

using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Cli.Bench.Matrix;

/// <summary>A drafter of a matrix.</summary>
/// <param name="Name">Its name, as <c>--drafter</c> takes it.</param>
/// <param name="Draft">Its folder or file, as <c>--draft</c> takes it; null takes what the command line says.</param>
internal sealed record MatrixDrafter(string Name, string? Draft);

/// <summary>What <c>bench --matrix FILE</c> runs: every drafter at every temperature, each such pair one interleaved run of all policies. What is null is as the command line says.</summary>
internal sealed record BenchMatrix(IReadOnlyList<MatrixDrafter>? Drafters, IReadOnlyList<string>? Policies, IReadOnlyList<float>? Temperatures)
{
    private const string DraftersKey = "drafters";
    private const string PoliciesKey = "policies";
    private const string TemperaturesKey = "temperatures";
    private const string NameKey = "name";
    private const string DraftKey = "draft";
    private const long LargestFile = 1 << 20;
    private const string Remedy =
        "A matrix is {\"drafters\": [\"eagle\", \"ngram\", {\"name\": \"model\", \"draft\": \"DIR\"}], \"policies\": [\"ar\", \"fixed:3\", \"auto\"], \"temperatures\": [0, 0.8]}; a list that is left out is as the command line says";

    /// <summary>Reads and checks a file, as far as that goes without a model.</summary>
    /// <exception cref="ModelFormatException">The file is absent or no matrix; the message names the place.</exception>
    public static BenchMatrix Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, null, "there is no such file", "Check the name");
        }

        if (new FileInfo(path).Length > LargestFile)
        {
            throw Wrong(path, null, $"it has more than {LargestFile} bytes");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return Parse(path, document.RootElement);
        }
        catch (JsonException failure)
        {
            throw Wrong(path, null, "it is not JSON: " + failure.Message.TrimEnd('.'));
        }
        catch (InvalidOperationException)
        {
            throw Wrong(path, null, "a text holds half a surrogate pair");
        }
    }

    private static BenchMatrix Parse(string path, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(path, null, "it is no JSON object");
        }

        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Name is not (DraftersKey or PoliciesKey or TemperaturesKey))
            {
                throw Wrong(path, property.Name, $"there is no such list; there are {DraftersKey}, {PoliciesKey}, {TemperaturesKey}");
            }
        }

        return new BenchMatrix(
            List(path, root, DraftersKey, Drafter),
            List(path, root, PoliciesKey, Text) is { } policies ? Named(path, PoliciesKey, () => PolicyList.Complete(policies, "the list")) : null,
            List(path, root, TemperaturesKey, Temperature));
    }

    // Each entry with its place for messages; none of them twice.
    private static IReadOnlyList<T>? List<T>(string path, JsonElement root, string key, Func<string, string, JsonElement, T> parse)
    {
        if (!root.TryGetProperty(key, out JsonElement list))
        {
            return null;
        }

        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            throw Wrong(path, key, "it must be a list with something in it");
        }

        T[] entries = [.. list.EnumerateArray().Select((entry, index) => parse(path, $"{key}[{index}]", entry))];
        return entries.Distinct().Count() == entries.Length ? entries : throw Wrong(path, key, "an entry is there twice");
    }

    private static MatrixDrafter Drafter(string path, string place, JsonElement entry)
    {
        string name;
        string? draft = null;
        if (entry.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in entry.EnumerateObject())
            {
                if (property.Name is not (NameKey or DraftKey))
                {
                    throw Wrong(path, $"{place}.{property.Name}", $"there is no such key; there are {NameKey}, {DraftKey}");
                }
            }

            name = entry.TryGetProperty(NameKey, out JsonElement named) ? Text(path, $"{place}.{NameKey}", named) : throw Wrong(path, place, $"it has no {NameKey}");
            draft = entry.TryGetProperty(DraftKey, out JsonElement folder) ? Text(path, $"{place}.{DraftKey}", folder) : null;
            if (draft is not null && !Path.Exists(draft))
            {
                throw Wrong(path, $"{place}.{DraftKey}", $"there is no {draft}");
            }
        }
        else
        {
            name = Text(path, place, entry);
        }

        return Named(path, place, () =>
        {
            Speculation.Drafting.Drafters.Check(name);
            return new MatrixDrafter(name, draft);
        });
    }

    private static string Text(string path, string place, JsonElement entry) =>
        entry.ValueKind == JsonValueKind.String && entry.GetString() is { Length: > 0 } text ? text : throw Wrong(path, place, "it must be a text, and not an empty one");

    private static float Temperature(string path, string place, JsonElement entry) =>
        entry.ValueKind == JsonValueKind.Number && entry.TryGetSingle(out float value) && float.IsFinite(value) && value >= 0 ? value : throw Wrong(path, place, "it must be a number, 0 (greedy) or more");

    // What is wrong with a name is said by those who know names; where it stands is said here.
    private static T Named<T>(string path, string place, Func<T> make)
    {
        try
        {
            return make();
        }
        catch (ArgumentException failure)
        {
            throw Wrong(path, place, CommandLine.Describe(failure).TrimEnd('.'));
        }
    }

    private static ModelFormatException Wrong(string path, string? place, string problem) => new(path, place, problem, Remedy);
}

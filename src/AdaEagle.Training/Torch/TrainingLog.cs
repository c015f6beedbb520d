using System.Text.Json;

namespace AdaEagle.Training.Torch;

/// <summary>One step's line of the log; the losses by category where a validation followed it.</summary>
internal sealed record TrainingLogEntry(long Step, long Tokens, double Loss, double Rate, double Seconds, Dictionary<string, double>? Validation = null);

/// <summary>The course of a training run as JSON lines, and its picture.</summary>
internal sealed class TrainingLog
{
    private readonly string _path;
    private readonly List<TrainingLogEntry> _entries = [];

    /// <summary>Goes on with the log at <paramref name="path"/>; what it says of steps after <paramref name="step"/> never happened.</summary>
    public TrainingLog(string path, long step)
    {
        _path = path;
        if (step > 0 && File.Exists(path))
        {
            foreach (string line in File.ReadLines(path))
            {
                if (Parse(line) is { } entry && entry.Step <= step)
                {
                    _entries.Add(entry);
                }
            }
        }

        File.WriteAllLines(path, _entries.Select(entry => JsonSerializer.Serialize(entry)));
    }

    public IReadOnlyList<TrainingLogEntry> Entries => _entries;

    public void Add(TrainingLogEntry entry)
    {
        _entries.Add(entry);
        File.AppendAllText(_path, JsonSerializer.Serialize(entry) + "\n");
    }

    /// <summary>Draws the losses over the tokens.</summary>
    public void Draw(string pngPath, string title)
    {
        TrainingLogEntry[] validations = [.. _entries.Where(entry => entry.Validation is not null)];
        LossCurve.Save(pngPath, title,
        [
            new LossSeries("training", [.. _entries.Select(entry => (double)entry.Tokens)], [.. _entries.Select(entry => entry.Loss)]),
            .. validations.SelectMany(entry => entry.Validation!.Keys).Distinct().Select(category =>
            {
                TrainingLogEntry[] known = [.. validations.Where(entry => entry.Validation!.ContainsKey(category))];
                return new LossSeries(category, [.. known.Select(entry => (double)entry.Tokens)], [.. known.Select(entry => entry.Validation![category])]);
            }),
        ]);
    }

    /// <summary>A line that was cut when the process died is left out.</summary>
    private static TrainingLogEntry? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<TrainingLogEntry>(line);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

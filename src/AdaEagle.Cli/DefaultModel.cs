using AdaEagle.Formats;

namespace AdaEagle.Cli;

/// <summary>The model that is used where none is named: <c>models/default</c> of the repository, or beside the executable.</summary>
internal static class DefaultModel
{
    private static readonly string s_place = Path.Combine("models", "default");

    /// <summary>Looks upward from the current folder, then from the executable's.</summary>
    /// <exception cref="ModelFormatException">There is none.</exception>
    public static string Find() => Find([Environment.CurrentDirectory, AppContext.BaseDirectory]);

    /// <summary>Looks in each folder and the folders above it.</summary>
    public static string Find(IReadOnlyList<string> starts)
    {
        foreach (string start in starts)
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                string candidate = Path.Combine(folder.FullName, s_place);
                if (File.Exists(Path.Combine(candidate, "config.json")))
                {
                    return candidate;
                }
            }
        }

        throw new ModelFormatException(
            s_place, null, $"there is no default model: {Path.Combine(s_place, "config.json")} was looked for in and above {string.Join(" and ", starts.Distinct())}",
            "Name a model's folder with --model DIR, or run this in a clone of the repository");
    }
}

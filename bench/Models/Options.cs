using System.CommandLine;

namespace AdaEagle.Bench.Models;

/// <summary>Options that both commands have, or that are built alike.</summary>
internal static class Options
{
    /// <summary>A number of parameters.</summary>
    public static Option<long> Size(string name, string description, bool required) => new(name)
    {
        Description = description,
        Required = required,
        CustomParser = result =>
        {
            try
            {
                return Models.Size.Parse(result.Tokens[0].Value);
            }
            catch (FormatException e)
            {
                result.AddError(e.Message);
                return 0;
            }
        },
    };

    /// <summary>A dimension, at least 1.</summary>
    public static Option<int?> Dimension(string name, string description)
    {
        var option = new Option<int?>(name) { Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > 1 << 24)
            {
                result.AddError($"{name} is a dimension: at least 1, and at most {1 << 24}.");
            }
        });
        return option;
    }

    /// <summary>Where to write.</summary>
    public static Option<string> Output() => new("--out") { Description = "Folder to write to; absent or empty before.", Required = true };

    /// <summary>Seed of the random weights.</summary>
    public static Option<ulong> Seed() => new("--seed") { Description = "Seed of the random weights.", DefaultValueFactory = _ => 1 };

    /// <summary>Creates the folder to write to, and makes sure that nothing in it is lost and that there is room.</summary>
    /// <exception cref="IOException">It holds something, or there is no room.</exception>
    public static string PrepareOutput(string folder, long bytes)
    {
        string path = Path.GetFullPath(folder);
        if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
        {
            throw new IOException($"{folder} exists and is not empty; remove it, or give --out another folder.");
        }

        Directory.CreateDirectory(path);
        long free = new DriveInfo(path).AvailableFreeSpace;
        return bytes < free
            ? path
            : throw new IOException($"{folder}: {Models.Size.Text(bytes)} bytes are to be written, and {Models.Size.Text(free)} are free there.");
    }
}

namespace AdaEagle.Formats;

/// <summary>
/// A model file that cannot be used. Every reader of this namespace throws it, and only it, for bad input:
/// it says which file, which item in it, what is wrong and what to do.
/// </summary>
public sealed class ModelFormatException : Exception
{
    /// <summary>Describes the fault.</summary>
    /// <param name="file">The file or folder.</param>
    /// <param name="item">The tensor, key or entry in it; null if the file as a whole is meant.</param>
    /// <param name="problem">What is wrong, as a sentence without its full stop.</param>
    /// <param name="remedy">What to do about it, likewise; null if there is nothing better than another file.</param>
    /// <param name="inner">What was caught, if anything.</param>
    public ModelFormatException(string file, string? item, string problem, string? remedy = null, Exception? inner = null)
        : base(Describe(file, item, problem, remedy), inner)
    {
        File = file;
        Item = item;
    }

    /// <summary>The file or folder that is at fault.</summary>
    public string File { get; }

    /// <summary>The tensor, key or entry that is at fault; null if the file as a whole is.</summary>
    public string? Item { get; }

    private static string Describe(string file, string? item, string problem, string? remedy)
    {
        string where = item is null ? file : $"{file}, '{Clean(item, 200)}'";
        string what = Clean(problem, 1000);
        return remedy is null ? $"{where}: {what}." : $"{where}: {what}. {Clean(remedy, 1000)}.";
    }

    // Both quote the file, which may be hostile: no megabytes and no control characters in a message.
    private static string Clean(string text, int most)
    {
        string shown = text.Length <= most ? text : text[..most] + "…";
        return string.Concat(shown.Select(c => char.IsControl(c) ? '?' : c));
    }
}

using System.Globalization;

namespace AdaEagle.Speculation.Policies;

/// <summary>Reads what stands behind a policy's name: <c>name:1:2</c>.</summary>
internal static class PolicyArguments
{
    /// <summary>The parts behind <paramref name="kind"/> and its colons; null where the name is another kind's.</summary>
    public static string[]? Of(string name, string kind) =>
        name == kind ? []
        : name.StartsWith(kind + ":", StringComparison.Ordinal) ? name[(kind.Length + 1)..].Split(':')
        : null;

    /// <summary>The part at <paramref name="index"/> as a number, or <paramref name="usual"/> where there are fewer parts.</summary>
    public static float Number(string name, string[] parts, int index, string what, float least, float most, float? usual = null)
    {
        if (index >= parts.Length && usual is { } value)
        {
            return value;
        }

        return index < parts.Length && float.TryParse(parts[index], NumberStyles.Float, CultureInfo.InvariantCulture, out float number) && number >= least && number <= most
            ? number
            : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"'{name}': {what} must be a number from {least} to {most}."), nameof(name));
    }

    /// <summary>The part at <paramref name="index"/> as a whole number, or <paramref name="usual"/> where there are fewer parts.</summary>
    public static int Whole(string name, string[] parts, int index, string what, int least, int most, int? usual = null)
    {
        if (index >= parts.Length && usual is { } value)
        {
            return value;
        }

        return index < parts.Length && int.TryParse(parts[index], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"'{name}': {what} must be a whole number from {least} to {most}."), nameof(name));
    }

    /// <summary>Refuses parts that nobody reads.</summary>
    public static void RequireAtMost(string name, string[] parts, int most)
    {
        if (parts.Length > most)
        {
            throw new ArgumentException($"'{name}' says too much: '{parts[most]}' means nothing there.", nameof(name));
        }
    }
}

using System.Globalization;

namespace AdaEagle.Formats;

/// <summary>
/// The metadata of a GGUF file, read key by key with type and range checked. A key that is absent gives null. Whole numbers may be stored in any
/// width, as writers differ.
/// </summary>
public sealed class GgufMetadata
{
    private readonly string _file;

    internal GgufMetadata(string file, IReadOnlyDictionary<string, GgufValue> values)
    {
        _file = file;
        Values = values;
    }

    /// <summary>All values, in the order of the file.</summary>
    public IReadOnlyDictionary<string, GgufValue> Values { get; }

    /// <summary>True if the key is there.</summary>
    public bool Has(string key) => Values.ContainsKey(key);

    /// <summary>A string.</summary>
    /// <exception cref="ModelFormatException">The value is something else.</exception>
    public string? Text(string key) => Find<string>(key, "a string");

    /// <summary>A string that must be there.</summary>
    /// <exception cref="ModelFormatException">It is absent or something else.</exception>
    public string RequiredText(string key) => Text(key) ?? throw Missing(key);

    /// <summary>True or false.</summary>
    /// <exception cref="ModelFormatException">The value is something else.</exception>
    public bool? Flag(string key) => Values.TryGetValue(key, out GgufValue? value) ? value.Value as bool? ?? throw Fault(key, "true or false", value) : null;

    /// <summary>A whole number in a range.</summary>
    /// <exception cref="ModelFormatException">The value is something else, or outside.</exception>
    public int? Int(string key, int least, int most)
    {
        if (!Values.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        return Whole(value.Value) is { } number && number >= least && number <= most
            ? (int)number
            : throw Fault(key, $"a whole number from {least} to {most}", value);
    }

    /// <summary>A whole number in a range that must be there.</summary>
    /// <exception cref="ModelFormatException">It is absent, something else, or outside.</exception>
    public int RequiredInt(string key, int least, int most) => Int(key, least, most) ?? throw Missing(key);

    /// <summary>A finite number in a range.</summary>
    /// <exception cref="ModelFormatException">The value is something else, or outside.</exception>
    public double? Number(string key, double least, double most)
    {
        if (!Values.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        // A float in the file means the decimal number that it was written for: 1e-5, not 9.999999747e-06.
        double? number = value.Value switch
        {
            float single => double.Parse(single.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
            double real => real,
            { } other => Whole(other),
        };
        return number >= least && number <= most ? number : throw Fault(key, $"a number from {least} to {most}", value);
    }

    /// <summary>An array of strings.</summary>
    /// <exception cref="ModelFormatException">The value is something else.</exception>
    public string[]? Texts(string key) => Find<string[]>(key, "an array of strings");

    /// <summary>An array of 32-bit floats.</summary>
    /// <exception cref="ModelFormatException">The value is something else.</exception>
    public float[]? Floats(string key) => Find<float[]>(key, "an array of 32-bit floats");

    /// <summary>An array of whole numbers, each in a range.</summary>
    /// <exception cref="ModelFormatException">The value is something else, or an element is outside.</exception>
    public int[]? Ints(string key, int least, int most)
    {
        if (Find<Array>(key, "an array of whole numbers") is not { } array)
        {
            return null;
        }

        int[] numbers = new int[array.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = Whole(array.GetValue(i)!) is { } number && number >= least && number <= most
                ? (int)number
                : throw Fault(key, $"an array of whole numbers from {least} to {most}", Values[key]);
        }

        return numbers;
    }

    /// <summary>Complains about a key.</summary>
    internal ModelFormatException Fault(string key, string problem, string? remedy = null) => new(_file, key, problem, remedy);

    private ModelFormatException Missing(string key) => Fault(key, "the key is missing", "Fetch the file again, or make it anew with its converter");

    private ModelFormatException Fault(string key, string expected, GgufValue found) =>
        Fault(key, $"expected {expected}, found {found.Type} {(found.Value is string text ? $"'{text}'" : found)}");

    private T? Find<T>(string key, string expected)
        where T : class
    {
        if (!Values.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        return value.Value as T ?? throw Fault(key, expected, value);
    }

    private static long? Whole(object value) => value switch
    {
        byte number => number,
        sbyte number => number,
        ushort number => number,
        short number => number,
        uint number => number,
        int number => number,
        long number => number,
        ulong number when number <= long.MaxValue => (long)number,
        _ => null,
    };
}

using System.Text;
using System.Text.Json;

namespace AdaEagle.Formats;

/// <summary>
/// A JSON object of a configuration file, read key by key with its type and range checked. A key that is absent or null gives null.
/// </summary>
internal sealed class JsonConfig
{
    /// <summary>Longest configuration; real ones have a few kilobytes.</summary>
    public const int ConfigLimit = 4 << 20;

    /// <summary>Longest index of shards; real ones reach some megabytes.</summary>
    public const int IndexLimit = 64 << 20;

    private const int MaxDepth = 32;

    private readonly JsonElement _object;
    private readonly string _file;
    private readonly string _prefix;

    private JsonConfig(JsonElement element, string file, string prefix)
    {
        _object = element;
        _file = file;
        _prefix = prefix;
    }

    /// <summary>Reads a file that must hold one JSON object.</summary>
    public static JsonConfig Load(string path, int limit = ConfigLimit) => Parse(ReadText(path, limit), path);

    /// <summary>The text of a file, which must be UTF-8 (with or without byte order mark).</summary>
    public static string ReadText(string path, int limit)
    {
        ReadOnlySpan<byte> bytes = RandomAccessFile.ReadAll(path, limit);
        try
        {
            return StrictUtf8.Encoding.GetString(bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[3..] : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFormatException(path, null, "the file is not UTF-8", "Fetch it again", e);
        }
    }

    /// <summary>Parses a text that must be one JSON object, no key twice in any.</summary>
    public static JsonConfig Parse(string json, string file)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonConfig(document.RootElement.Clone(), file, "")
                : throw new ModelFormatException(file, null, $"expected a JSON object, found {Shown(document.RootElement)}");
        }
        catch (JsonException e)
        {
            throw new ModelFormatException(file, null, $"the file is not JSON ({e.Message.TrimEnd('.')})", "Fetch it again", e);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            throw new ModelFormatException(file, null, "the text holds half a surrogate pair", "Fetch it again", e);
        }
    }

    /// <summary>A whole number in a range.</summary>
    public int? Int(string key, int least, int most) => Find(key) is { } value ? ToInt(value, key, least, most) : null;

    /// <summary>A whole number in a range that must be there.</summary>
    public int RequiredInt(string key, int least, int most) => Int(key, least, most) ?? throw Missing(key);

    /// <summary>A finite number in a range.</summary>
    public double? Number(string key, double least, double most)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= least && number <= most
            ? number
            : throw Fault(key, $"expected a number from {least} to {most}, found {Shown(value)}");
    }

    /// <summary>A finite 32-bit number in a range.</summary>
    public float? Single(string key, float least, float most) => Find(key) is { } value ? ToSingle(value, key, least, most) : null;

    /// <summary>True or false.</summary>
    public bool? Flag(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } other => throw Fault(key, $"expected true or false, found {Shown(other)}"),
    };

    /// <summary>A string.</summary>
    public string? Text(string key) => Find(key) is { } value ? ToText(value, key) : null;

    /// <summary>An array of strings; empty if absent.</summary>
    public string[] Texts(string key) => Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select(v => ToText(v, key))],
        { } other => throw Fault(key, $"expected an array of strings, found {Shown(other)}"),
    };

    /// <summary>One whole number or an array of them, each in a range; empty if absent.</summary>
    public int[] OneOrMoreInts(string key, int least, int most) => Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select(v => ToInt(v, key, least, most))],
        { } one => [ToInt(one, key, least, most)],
    };

    /// <summary>An object.</summary>
    public JsonConfig? Object(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonConfig(value, _file, $"{_prefix}{key}."),
        { } other => throw Fault(key, $"expected an object, found {Shown(other)}"),
    };

    /// <summary>An array of objects; empty if absent.</summary>
    public JsonConfig[] Objects(string key) => Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select((item, i) => item.ValueKind == JsonValueKind.Object
            ? new JsonConfig(item, _file, $"{_prefix}{key}[{i}].")
            : throw Fault($"{key}[{i}]", $"expected an object, found {Shown(item)}"))],
        { } other => throw Fault(key, $"expected an array of objects, found {Shown(other)}"),
    };

    /// <summary>An array whose items are strings or arrays of strings; a string comes as an array of one. Empty if absent.</summary>
    public IEnumerable<string[]> TextsOrLists(string key)
    {
        if (Find(key) is not { } array)
        {
            yield break;
        }

        if (array.ValueKind != JsonValueKind.Array)
        {
            throw Fault(key, $"expected an array, found {Shown(array)}");
        }

        foreach (JsonElement item in array.EnumerateArray())
        {
            yield return item.ValueKind == JsonValueKind.Array ? [.. item.EnumerateArray().Select(text => ToText(text, key))] : [ToText(item, key)];
        }
    }

    /// <summary>A pair of a string and a whole number, written as an array of two.</summary>
    public (string Text, int Number)? TextAndInt(string key, int least, int most) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } array when array.GetArrayLength() == 2 => (ToText(array[0], key), ToInt(array[1], key, least, most)),
        { } other => throw Fault(key, $"expected a string and a number, found {Shown(other)}"),
    };

    /// <summary>All keys, every value a whole number in a range.</summary>
    public IEnumerable<KeyValuePair<string, int>> AllInts(int least, int most) =>
        _object.EnumerateObject().Select(p => new KeyValuePair<string, int>(Name(p), ToInt(p.Value, Name(p), least, most)));

    /// <summary>All keys.</summary>
    public IEnumerable<string> Keys() => _object.EnumerateObject().Select(Name);

    /// <summary>True if the key is there and not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>What kind of value a key has; undefined if it is absent.</summary>
    public JsonValueKind Kind(string key) => _object.TryGetProperty(key, out JsonElement value) ? value.ValueKind : JsonValueKind.Undefined;

    /// <summary>True if the key is there, even with null.</summary>
    public bool Mentions(string key) => _object.TryGetProperty(key, out _);

    /// <summary>An array of finite 32-bit numbers, each in a range; empty if absent.</summary>
    public float[] Singles(string key, float least, float most) => Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select(value => ToSingle(value, key, least, most))],
        { } other => throw Fault(key, $"expected an array of numbers, found {Shown(other)}"),
    };

    /// <summary>All keys with string values; numbers and booleans as they are written, anything else left out.</summary>
    public IEnumerable<KeyValuePair<string, string>> SimpleValues()
    {
        foreach (JsonProperty property in _object.EnumerateObject())
        {
            switch (property.Value.ValueKind)
            {
                case JsonValueKind.String:
                    yield return new(Name(property), ToText(property.Value, Name(property)));
                    break;
                case JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False:
                    yield return new(Name(property), property.Value.GetRawText());
                    break;
            }
        }
    }

    /// <summary>All keys, every value a string.</summary>
    public IEnumerable<KeyValuePair<string, string>> AllTexts() =>
        _object.EnumerateObject().Select(p => new KeyValuePair<string, string>(Name(p), ToText(p.Value, Name(p))));

    /// <summary>An error at a key of this object.</summary>
    public ModelFormatException Fault(string key, string problem, string? remedy = null) => new(_file, _prefix + key, problem, remedy);

    private ModelFormatException Missing(string key) => Fault(key, "the key is missing", "Give a model of a supported layout with its complete file");

    private JsonElement? Find(string key) =>
        _object.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private int ToInt(JsonElement value, string key, int least, int most) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most
            ? number
            : throw Fault(key, $"expected a whole number from {least} to {most}, found {Shown(value)}");

    // Parsed as 32-bit at once: through 64 bits it could be rounded twice.
    private float ToSingle(JsonElement value, string key, float least, float most) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && number >= least && number <= most
            ? number
            : throw Fault(key, $"expected a number from {least} to {most}, found {Shown(value)}");

    private string ToText(JsonElement value, string key)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw Fault(key, $"expected a string, found {Shown(value)}");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new ModelFormatException(_file, _prefix + key, "the string holds half a surrogate pair", null, e);
        }
    }

    private string Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException e)
        {
            throw new ModelFormatException(_file, null, "a key holds half a surrogate pair", null, e);
        }
    }


    private static string Shown(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        _ => value.GetRawText(),
    };
}

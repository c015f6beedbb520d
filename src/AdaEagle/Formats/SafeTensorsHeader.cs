using System.Text.Json;
using System.Text.Unicode;

namespace AdaEagle.Formats;

/// <summary>
/// The JSON header of a safetensors file, checked: one object of tensor name to <c>{dtype, shape, data_offsets}</c> and
/// <c>__metadata__</c> (string to string), no key twice, and the tensors cover the data exactly, without overlap or hole.
/// </summary>
internal sealed class SafeTensorsHeader
{
    private const int MaxDepth = 16;
    private const int MaxRank = 64;
    private const string Remedy = "The file is damaged or made by a faulty writer: fetch it again or convert the model again";

    private readonly string _path;
    private readonly HashSet<string> _names = [];
    private readonly List<StoredTensor> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];

    // What the reader stands in, for messages.
    private string? _item;

    private SafeTensorsHeader(string path) => _path = path;

    /// <summary>The tensors, with positions counted from the first byte after the header.</summary>
    public IReadOnlyList<StoredTensor> Tensors => _tensors;

    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Parses a header that is followed by <paramref name="dataLength"/> bytes.</summary>
    public static SafeTensorsHeader Parse(string path, ReadOnlySpan<byte> header, long dataLength)
    {
        SafeTensorsHeader parsed = new(path);
        try
        {
            parsed.ReadObject(header);
        }
        catch (JsonException e)
        {
            throw new ModelFormatException(path, parsed._item, $"the header is not JSON ({e.Message.TrimEnd('.')})", Remedy, e);
        }

        parsed.CheckCoverage(dataLength);
        return parsed;
    }

    public static string TypeName(TensorType type) => type == TensorType.Bool ? "BOOL" : type.ToString();

    private static TensorType? TypeOf(string name) => name switch
    {
        "F32" => TensorType.F32,
        "F16" => TensorType.F16,
        "BF16" => TensorType.BF16,
        "F64" => TensorType.F64,
        "I64" => TensorType.I64,
        "I32" => TensorType.I32,
        "I16" => TensorType.I16,
        "I8" => TensorType.I8,
        "U8" => TensorType.U8,
        "BOOL" => TensorType.Bool,
        _ => null,
    };

    private void ReadObject(ReadOnlySpan<byte> header)
    {
        if (header.IsEmpty || header[0] != '{')
        {
            throw Fault("the header does not start with '{'");
        }

        if (!Utf8.IsValid(header))
        {
            throw Fault("the header is not UTF-8");
        }

        Utf8JsonReader json = new(header, new JsonReaderOptions { MaxDepth = MaxDepth });
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text(ref json);
            _item = name;
            if (!_names.Add(name))
            {
                throw Fault("the name occurs twice in the header");
            }

            Expect(ref json, JsonTokenType.StartObject, "an object");
            if (name == SafeTensors.MetadataKey)
            {
                ReadMetadata(ref json);
            }
            else
            {
                ReadTensor(ref json, name);
            }

            _item = null;
        }

        // Anything but white space after the object is an error of the reader.
        json.Read();
    }

    private void ReadMetadata(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text(ref json);
            Expect(ref json, JsonTokenType.String, "a string");
            if (!_metadata.TryAdd(key, Text(ref json)))
            {
                throw Fault($"the key '{key}' occurs twice");
            }
        }
    }

    private void ReadTensor(ref Utf8JsonReader json, string name)
    {
        TensorType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string field = Text(ref json);
            bool twice = false;
            switch (field)
            {
                case "dtype":
                    twice = type is not null;
                    Expect(ref json, JsonTokenType.String, "a string");
                    string typeName = Text(ref json);
                    type = TypeOf(typeName)
                        ?? throw Fault($"the number format '{typeName}' is not supported", $"Supported: {string.Join(", ", Enum.GetValues<TensorType>().Where(t => !t.IsBlock()).Select(TypeName))}");
                    break;
                case "shape":
                    twice = shape is not null;
                    shape = Numbers(ref json, MaxRank);
                    break;
                case "data_offsets":
                    twice = offsets is not null;
                    offsets = Numbers(ref json, 2);
                    break;
                default:
                    // Unknown fields may come with later versions of the format; what counts is checked anyway.
                    json.Read();
                    json.Skip();
                    break;
            }

            if (twice)
            {
                throw Fault($"the field '{field}' occurs twice");
            }
        }

        if (type is null || shape is null || offsets is null)
        {
            throw Fault("one of 'dtype', 'shape', 'data_offsets' is missing");
        }

        Add(new TensorInfo(name, type.Value, shape), offsets);
    }

    private void Add(TensorInfo info, long[] offsets)
    {
        long length;
        try
        {
            length = info.ByteLength;
        }
        catch (OverflowException e)
        {
            throw new ModelFormatException(_path, info.Name, "the shape's product is too large", Remedy, e);
        }

        // Both are not negative, so the difference does not overflow.
        if (offsets.Length != 2 || offsets[1] - offsets[0] != length)
        {
            throw Fault($"data_offsets {TensorInfo.Describe(offsets)} do not hold the {length} bytes of {info.Type} {info.ShapeText}");
        }

        _tensors.Add(new StoredTensor(info, offsets[0]));
    }

    private void CheckCoverage(long dataLength)
    {
        long end = 0;
        foreach (StoredTensor tensor in _tensors.OrderBy(t => t.Position).ThenBy(t => t.Info.ByteLength))
        {
            if (tensor.Position != end)
            {
                _item = tensor.Info.Name;
                throw Fault($"the data begins at {tensor.Position}, but what lies before it ends at {end}: tensors may neither overlap nor leave holes");
            }

            // No overflow: the sum is the tensor's second offset.
            end += tensor.Info.ByteLength;
        }

        if (end != dataLength)
        {
            throw Fault($"the tensors take {end} bytes, the file has {dataLength} after the header");
        }
    }

    private void Expect(ref Utf8JsonReader json, JsonTokenType type, string what)
    {
        json.Read();
        if (json.TokenType != type)
        {
            throw Fault($"expected {what}, found {json.TokenType}");
        }
    }

    private long[] Numbers(ref Utf8JsonReader json, int most)
    {
        Expect(ref json, JsonTokenType.StartArray, "an array");
        List<long> numbers = [];
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out long number) || number < 0)
            {
                throw Fault("shape and data_offsets hold something else than whole numbers from 0 to 2^63 - 1");
            }

            if (numbers.Count == most)
            {
                throw Fault($"more than {most} numbers in one array");
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    private string Text(ref Utf8JsonReader json)
    {
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new ModelFormatException(_path, _item, "the header holds half a surrogate pair", Remedy, e);
        }
    }

    private ModelFormatException Fault(string problem, string remedy = Remedy) => new(_path, _item, problem, remedy);
}

using System.Text.Json;
using System.Text.Json.Serialization;
using AdaEagle.Formats;

namespace AdaEagle.Training.Answers;

/// <summary>
/// The answers of a run in a folder, written as they come, so that a run that was stopped goes on where it was. <c>run.json</c>: the
/// <see cref="AnswerSettings"/>. <c>answers.bin</c>, a record an answer, little endian: job I32, flags U8 (1 cut, 2 sampled), category (length-prefixed UTF-8), prompt
/// length I32, length n I32, n ids I32. <c>features.bin</c>, where kept: BF16 [n - 1, <see cref="AnswerSettings.RowWidth"/>] of every record in the same order, a
/// position's feature and then its boundaries.
/// </summary>
internal sealed class AnswerStore : IDisposable
{
    private const int MaxLength = 1 << 20;
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Converters = { new JsonStringEnumConverter() } };

    private readonly FileStream _records;
    private readonly FileStream? _features;
    private readonly List<(Answer Answer, long FeatureRow)> _answers = [];
    private readonly long _rowBytes;
    private long _featureRows;

    private AnswerStore(string folder, AnswerSettings settings)
    {
        (Folder, Settings, _rowBytes) = (folder, settings, (long)settings.RowWidth * sizeof(ushort));
        _records = new FileStream(Path.Combine(folder, "answers.bin"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        _features = settings.KeepFeatures ? new FileStream(Path.Combine(folder, "features.bin"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read) : null;
        Load();
    }

    public string Folder { get; }

    public AnswerSettings Settings { get; }

    /// <summary>The answers so far, in the order in which they came.</summary>
    public IEnumerable<Answer> Answers => _answers.Select(item => item.Answer);

    public int Count => _answers.Count;

    /// <summary>Opens a folder's answers, or begins them. A record that was half written is taken away.</summary>
    /// <exception cref="InvalidDataException">The folder holds answers of another run.</exception>
    public static AnswerStore Open(string folder, AnswerSettings settings)
    {
        Directory.CreateDirectory(folder);
        string description = Path.Combine(folder, "run.json");
        if (!File.Exists(description))
        {
            AtomicFile.Write(description, stream => JsonSerializer.Serialize(stream, settings, Json));
        }

        AnswerSettings there = Read(description);
        return there == settings
            ? new AnswerStore(folder, settings)
            : throw new InvalidDataException($"{folder} holds answers of another run ({Differences(there, settings)}). Delete the folder, or give another --out.");
    }

    /// <summary>Opens answers that are there.</summary>
    public static AnswerStore Open(string folder)
    {
        string description = Path.Combine(folder, "run.json");
        return File.Exists(description)
            ? new AnswerStore(folder, Read(description))
            : throw new InvalidDataException($"{folder} holds no answers: there is no run.json. Give a folder that adaeagle-train answers wrote.");
    }

    /// <summary>Adds an answer with what is kept of its positions.</summary>
    public void Add(Answer answer, ReadOnlySpan<ushort> features)
    {
        if (_features is not null)
        {
            _features.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(features));
        }

        using var buffer = new MemoryStream();
        using (var writer = new BinaryWriter(buffer))
        {
            writer.Write(answer.Job);
            writer.Write((byte)((answer.IsCut ? 1 : 0) | (answer.IsSampled ? 2 : 0)));
            writer.Write(answer.Category);
            writer.Write(answer.PromptLength);
            writer.Write(answer.Tokens.Length);
            foreach (int token in answer.Tokens)
            {
                writer.Write(token);
            }
        }

        _records.Write(buffer.ToArray());
        Remember(answer);
    }

    /// <summary>Writes everything through.</summary>
    public void Flush()
    {
        _features?.Flush();
        _records.Flush();
    }

    /// <summary>What was kept at the positions 0 … of answer number <paramref name="index"/> (in the order of <see cref="Answers"/>) as BF16; fills the span.</summary>
    public void ReadRows(int index, Span<ushort> rows)
    {
        FileStream file = _features ?? throw new InvalidOperationException("The run kept no features.");
        Flush();
        RandomAccessRead(file, _answers[index].FeatureRow * _rowBytes, System.Runtime.InteropServices.MemoryMarshal.AsBytes(rows));
    }

    public void Dispose()
    {
        _features?.Dispose();
        _records.Dispose();
    }

    private void Load()
    {
        long good = 0;
        long rows = _features is null ? long.MaxValue : _features.Length / _rowBytes;
        using (var reader = new BinaryReader(_records, System.Text.Encoding.UTF8, leaveOpen: true))
        {
            while (TryReadRecord(reader) is { } answer && _featureRows + answer.Tokens.Length - 1 <= rows)
            {
                Remember(answer);
                good = _records.Position;
            }
        }

        _records.SetLength(good);
        _records.Position = good;
        if (_features is not null)
        {
            _features.SetLength(_featureRows * _rowBytes);
            _features.Position = _features.Length;
        }
    }

    private void Remember(Answer answer)
    {
        _answers.Add((answer, _featureRows));
        _featureRows += answer.Tokens.Length - 1;
    }

    private static Answer? TryReadRecord(BinaryReader reader)
    {
        try
        {
            int job = reader.ReadInt32();
            byte flags = reader.ReadByte();
            string category = reader.ReadString();
            int promptLength = reader.ReadInt32(), length = reader.ReadInt32();
            if (job < 0 || length > MaxLength || promptLength < 1 || promptLength >= length || reader.BaseStream.Length - reader.BaseStream.Position < 4L * length)
            {
                return null;
            }

            int[] tokens = new int[length];
            for (int i = 0; i < length; i++)
            {
                tokens[i] = reader.ReadInt32();
            }

            return new Answer(job, category, tokens, promptLength, (flags & 1) != 0, (flags & 2) != 0);
        }
        catch (Exception exception) when (exception is EndOfStreamException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    private static AnswerSettings Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize<AnswerSettings>(File.ReadAllBytes(file), Json) ?? throw new JsonException("null");
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{file} cannot be read ({exception.Message.TrimEnd('.')}). Delete the folder and let the answers be made again.", exception);
        }
    }

    private static string Differences(AnswerSettings there, AnswerSettings wanted) => string.Join(", ", typeof(AnswerSettings).GetProperties()
        .Where(property => property.CanWrite && !Equals(property.GetValue(there), property.GetValue(wanted)))
        .Select(property => $"{property.Name} {property.GetValue(there)} instead of {property.GetValue(wanted)}"));

    private static void RandomAccessRead(FileStream file, long offset, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = RandomAccess.Read(file.SafeFileHandle, bytes, offset);
            if (count == 0)
            {
                throw new InvalidDataException($"{file.Name} ends early. Delete the folder and let the answers be made again.");
            }

            offset += count;
            bytes = bytes[count..];
        }
    }
}

using System.Globalization;
using System.Text;
using AdaEagle.Tokenization.Patterns;

namespace AdaEagle.Tokenization.Normalization;

/// <summary>The tables of <see cref="UnicodeNormalization"/>, read from the embedded <c>Normalization.txt</c>, whose head tells its form.</summary>
internal sealed class NormalizationData
{
    private const string Resource = "AdaEagle.Tokenization.Normalization.Normalization.txt";

    private readonly Dictionary<int, int> _classes = [];
    private readonly HashSet<int> _neverComposed = [];

    /// <summary>Full canonical decompositions.</summary>
    public Dictionary<int, int[]> Canonical { get; private set; } = [];

    /// <summary>Full compatibility decompositions, the canonical ones among them.</summary>
    public Dictionary<int, int[]> Compatibility { get; private set; } = [];

    /// <summary>The character that two become.</summary>
    public Dictionary<(int First, int Second), int> Compositions { get; } = [];

    /// <summary>Per form, the characters whose presence means that a text may not be in that form; a text without any is.</summary>
    public Dictionary<NormalizationForm, CodePointSet> Unstable { get; } = [];

    /// <summary>The canonical combining class; 0 for starters.</summary>
    public int Class(int codePoint) => _classes.GetValueOrDefault(codePoint);

    public static NormalizationData Load()
    {
        using Stream stream = typeof(NormalizationData).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"The library was built without {Resource}.");
        using var reader = new StreamReader(stream);
        var data = new NormalizationData();
        string section = "";
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('['))
            {
                section = line;
            }
            else if (!line.StartsWith('#'))
            {
                data.ReadLine(line, section);
            }
        }

        data.Complete();
        return data;
    }

    private void ReadLine(string line, string section)
    {
        foreach (string entry in line.Split(' '))
        {
            string[] sides = entry.Split(':', '=');
            int[] range = [.. sides[0].Split('-').Select(Hexadecimal)];
            if (section == "[classes]")
            {
                AddRange(_classes, range, _ => int.Parse(sides[1], CultureInfo.InvariantCulture));
                continue;
            }

            if (sides[1].EndsWith('!'))
            {
                _neverComposed.Add(range[0]);
            }

            int[] parts = [.. sides[1].TrimEnd('!').Split('+').Select(Hexadecimal)];
            AddRange(section == "[canonical]" ? Canonical : Compatibility, range, offset => [.. parts[..^1], parts[^1] + offset]);
        }
    }

    private void Complete()
    {
        foreach ((int codePoint, int[] parts) in Canonical)
        {
            if (parts.Length == 2 && !_neverComposed.Contains(codePoint))
            {
                Compositions.Add((parts[0], parts[1]), codePoint);
            }
        }

        Dictionary<int, int[]> any = new(Canonical);
        foreach ((int codePoint, int[] parts) in Compatibility)
        {
            any.Add(codePoint, parts);
        }

        Canonical = Canonical.ToDictionary(entry => entry.Key, entry => Expand(entry.Value, Canonical).ToArray());
        Compatibility = any.ToDictionary(entry => entry.Key, entry => Expand(entry.Value, any).ToArray());
        FindUnstable();
    }

    private void FindUnstable()
    {
        CodePointSet marks = SetOf(_classes.Keys);
        CodePointSet syllables = CodePointSet.FromRanges([(0xAC00, 0xD7A3)]);
        CodePointSet secondJamo = CodePointSet.FromRanges([(0x1161, 0x1175), (0x11A8, 0x11C2)]);
        CodePointSet composing = CodePointSet.Union(marks, secondJamo, SetOf(_neverComposed), SetOf(Compositions.Keys.Select(pair => pair.Second)));
        CodePointSet compatible = SetOf(Compatibility
            .Where(entry => !Canonical.TryGetValue(entry.Key, out int[]? parts) || !parts.AsSpan().SequenceEqual(entry.Value))
            .Select(entry => entry.Key));
        CodePointSet decomposable = CodePointSet.Union(marks, syllables, SetOf(Canonical.Keys));
        Unstable[NormalizationForm.FormC] = composing;
        Unstable[NormalizationForm.FormKC] = CodePointSet.Union(composing, compatible);
        Unstable[NormalizationForm.FormD] = decomposable;
        Unstable[NormalizationForm.FormKD] = CodePointSet.Union(decomposable, compatible);
    }

    private static CodePointSet SetOf(IEnumerable<int> codePoints) => CodePointSet.FromRanges(codePoints.Select(codePoint => (codePoint, codePoint)));

    private static IEnumerable<int> Expand(int[] parts, Dictionary<int, int[]> decompositions) =>
        parts.SelectMany(part => decompositions.TryGetValue(part, out int[]? further) ? Expand(further, decompositions) : [part]);

    private static void AddRange<T>(Dictionary<int, T> table, int[] range, Func<int, T> value)
    {
        for (int codePoint = range[0]; codePoint <= range[^1]; codePoint++)
        {
            table.Add(codePoint, value(codePoint - range[0]));
        }
    }

    private static int Hexadecimal(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}

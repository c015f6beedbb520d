using System.Text;
using AdaEagle.Tokenization.Patterns;

namespace AdaEagle.Tokenization.Normalization;

/// <summary>
/// The Unicode normalisation forms (Unicode Standard Annex 15). .NET's own needs ICU and leaves text as it is in programs without it
/// (<c>InvariantGlobalization</c>, which our tools set), so ids would depend on the machine.
/// </summary>
internal static class UnicodeNormalization
{
    // Hangul syllables are computed (Unicode Standard 3.12).
    private const int FirstSyllable = 0xAC00;
    private const int FirstLead = 0x1100;
    private const int FirstVowel = 0x1161;
    private const int BeforeTrail = 0x11A7;
    private const int Leads = 19;
    private const int Vowels = 21;
    private const int Trails = 28;
    private const int Syllables = Leads * Vowels * Trails;

    private static readonly Lazy<NormalizationData> _data = new(NormalizationData.Load);

    /// <summary>Normalises well-formed UTF-16.</summary>
    public static string Normalize(string text, NormalizationForm form)
    {
        bool composes = form is NormalizationForm.FormC or NormalizationForm.FormKC;
        bool compatible = form is NormalizationForm.FormKC or NormalizationForm.FormKD;

        // All below U+00A0 is in every form; the tables are not even loaded for it.
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u009F') || IsStable(text, _data.Value.Unstable[form]))
        {
            return text;
        }

        List<int> codePoints = Decompose(text, compatible ? _data.Value.Compatibility : _data.Value.Canonical);
        Order(codePoints);
        int count = composes ? Compose(codePoints) : codePoints.Count;
        var output = new StringBuilder(text.Length);
        for (int i = 0; i < count; i++)
        {
            output.Append(new Rune(codePoints[i]).ToString());
        }

        return output.ToString();
    }

    private static bool IsStable(string text, CodePointSet unstable)
    {
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (unstable.Contains(rune.Value))
            {
                return false;
            }
        }

        return true;
    }

    private static List<int> Decompose(string text, Dictionary<int, int[]> decompositions)
    {
        List<int> output = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            int syllable = rune.Value - FirstSyllable;
            if (syllable is >= 0 and < Syllables)
            {
                output.Add(FirstLead + (syllable / (Vowels * Trails)));
                output.Add(FirstVowel + (syllable / Trails % Vowels));
                if (syllable % Trails != 0)
                {
                    output.Add(BeforeTrail + (syllable % Trails));
                }
            }
            else if (decompositions.TryGetValue(rune.Value, out int[]? parts))
            {
                output.AddRange(parts);
            }
            else
            {
                output.Add(rune.Value);
            }
        }

        return output;
    }

    /// <summary>Puts marks in a row into the order of their classes; marks of the same class keep theirs.</summary>
    private static void Order(List<int> codePoints)
    {
        NormalizationData data = _data.Value;
        for (int start = 0, end; start < codePoints.Count; start = end)
        {
            bool ordered = true;
            int last = 0;
            for (end = start; end < codePoints.Count && data.Class(codePoints[end]) is var next and > 0; end++)
            {
                ordered &= last <= next;
                last = next;
            }

            if (!ordered)
            {
                int[] marks = [.. codePoints[start..end].OrderBy(data.Class)];
                for (int i = 0; i < marks.Length; i++)
                {
                    codePoints[start + i] = marks[i];
                }
            }

            end = Math.Max(end, start + 1);
        }
    }

    /// <summary>Joins characters with the starter before them where nothing between blocks it; in place, returns how many are left.</summary>
    private static int Compose(List<int> codePoints)
    {
        NormalizationData data = _data.Value;
        int count = 0;
        int starter = -1;
        int classBefore = 0;
        for (int i = 0; i < codePoints.Count; i++)
        {
            int codePoint = codePoints[i];
            int itsClass = data.Class(codePoint);
            bool adjacent = starter == count - 1;
            bool open = starter >= 0 && (adjacent || (classBefore != 0 && classBefore < itsClass));
            if (open && ComposePair(codePoints[starter], codePoint) is { } composed)
            {
                codePoints[starter] = composed;
                continue;
            }

            starter = itsClass == 0 ? count : starter;
            classBefore = itsClass;
            codePoints[count++] = codePoint;
        }

        return count;
    }

    private static int? ComposePair(int first, int second)
    {
        if (first - FirstLead is >= 0 and < Leads && second - FirstVowel is >= 0 and < Vowels)
        {
            return FirstSyllable + ((((first - FirstLead) * Vowels) + second - FirstVowel) * Trails);
        }

        int syllable = first - FirstSyllable;
        if (syllable is >= 0 and < Syllables && syllable % Trails == 0 && second - BeforeTrail is > 0 and < Trails)
        {
            return first + second - BeforeTrail;
        }

        return _data.Value.Compositions.TryGetValue((first, second), out int composed) ? composed : null;
    }
}

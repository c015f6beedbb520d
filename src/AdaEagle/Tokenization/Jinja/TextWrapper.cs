using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Python's <c>textwrap.wrap</c> for one line: fills lines with words, which may break at hyphens, and at the width where a word is too long.</summary>
internal sealed class TextWrapper(Budget budget, int width, bool breaksLongWords, bool breaksOnHyphens)
{
    public List<string> Wrap(string text)
    {
        budget.Text(2L * text.Length);
        List<string> lines = [];
        Queue<string> chunks = new(Split(text));
        string? pending = null;
        StringBuilder line = new();
        while (pending is not null || chunks.Count > 0)
        {
            line.Clear();
            int length = 0;
            int trailingSpace = 0;
            pending ??= chunks.Dequeue();
            if (IsBlank(pending) && lines.Count > 0)
            {
                pending = null;
                if (chunks.Count == 0)
                {
                    break;
                }

                pending = chunks.Dequeue();
            }

            while (pending is not null)
            {
                budget.Step();
                int size = Unicode.CountCodePoints(pending);
                if (length + size > width)
                {
                    break;
                }

                line.Append(pending);
                length += size;
                trailingSpace = IsBlank(pending) ? pending.Length : 0;
                pending = chunks.TryDequeue(out string? next) ? next : null;
            }

            if (pending is not null && Unicode.CountCodePoints(pending) > width)
            {
                if (breaksLongWords)
                {
                    TextValue word = new(pending);
                    int cut = BreakAt(word, Math.Max(1, width - length));
                    line.Append(word.Slice(0, cut));
                    trailingSpace = 0;
                    pending = word.Slice(cut, word.CodePoints);
                }
                else if (length == 0)
                {
                    line.Append(pending);
                    trailingSpace = 0;
                    pending = chunks.TryDequeue(out string? next) ? next : null;
                }
            }

            line.Length -= trailingSpace;
            if (line.Length > 0)
            {
                budget.Items(1);
                lines.Add(line.ToString());
            }
        }

        return lines;
    }

    // A word too long for a line breaks behind its last hyphen that fits, else at the width.
    private int BreakAt(TextValue word, int room)
    {
        if (breaksOnHyphens && word.CodePoints > room)
        {
            string head = word.Slice(0, room);
            int hyphen = head.LastIndexOf('-');
            if (hyphen > 0 && head.AsSpan(0, hyphen).ContainsAnyExcept('-'))
            {
                return word.CodePointAt(hyphen + 1);
            }
        }

        return room;
    }

    private static bool IsBlank(string chunk) => chunk.All(IsSpace);

    // textwrap knows ASCII white space only.
    private static bool IsSpace(char c) => c is ' ' or >= '\t' and <= '\r';

    // Runs of white space and words; a word ends behind a hyphen between letters, a run of hyphens between words is a chunk of its own.
    private IEnumerable<string> Split(string text)
    {
        int at = 0;
        while (at < text.Length)
        {
            int start = at;
            bool isSpace = IsSpace(text[at]);
            while (at < text.Length && IsSpace(text[at]) == isSpace)
            {
                at++;
            }

            if (isSpace || !breaksOnHyphens)
            {
                yield return text[start..at];
                continue;
            }

            foreach (string part in SplitWord(text[start..at]))
            {
                yield return part;
            }
        }
    }

    private static IEnumerable<string> SplitWord(string word)
    {
        int start = 0;
        for (int i = 1; i < word.Length; i++)
        {
            if (word[i] != '-')
            {
                continue;
            }

            int end = i;
            while (end < word.Length && word[end] == '-')
            {
                end++;
            }

            bool isDash = end - i >= 2;
            if (isDash && (char.IsLetterOrDigit(word[i - 1]) || "_!\"'&.,?".Contains(word[i - 1], StringComparison.Ordinal)) && end < word.Length && (char.IsLetterOrDigit(word[end]) || word[end] == '_'))
            {
                yield return word[start..i];
                yield return word[i..end];
                start = end;
            }
            else if (!isDash && i - start >= 2 && char.IsLetter(word[i - 1]) && char.IsLetter(word[i - 2]) && end + 1 < word.Length && char.IsLetter(word[end]) && (char.IsLetter(word[end + 1]) || word[end + 1] == '-'))
            {
                yield return word[start..end];
                start = end;
            }

            i = end;
        }

        yield return word[start..];
    }
}

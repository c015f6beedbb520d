using System.Text;

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Python's <c>textwrap.wrap</c> for one line: fills lines with words, which may break at hyphens, and at the width where a word is too long.</summary>
internal sealed class TextWrapper(Budget budget, int width, bool breaksLongWords, bool breaksOnHyphens)
{
    public List<string> Wrap(string text)
    {
        budget.Text(2L * text.Length);
        List<string> lines = [];
        Queue<TextValue> chunks = new(Split(text).Select(chunk => new TextValue(chunk)));
        StringBuilder line = new();

        // Of the chunk in front this much stands on earlier lines already.
        int cut = 0;
        while (chunks.Count > 0)
        {
            if (lines.Count > 0 && IsBlank(chunks.Peek().Text))
            {
                chunks.Dequeue();
                continue;
            }

            int length = 0;
            int trailingSpace = 0;
            line.Clear();
            while (chunks.TryPeek(out TextValue? chunk) && length + chunk.CodePoints - cut <= width)
            {
                budget.Step();
                line.Append(chunk.Slice(cut, chunk.CodePoints));
                length += chunk.CodePoints - cut;
                trailingSpace = IsBlank(chunk.Text) ? chunk.Text.Length : 0;
                cut = 0;
                chunks.Dequeue();
            }

            if (chunks.TryPeek(out TextValue? longWord) && longWord.CodePoints - cut > width && (breaksLongWords || length == 0))
            {
                int end = breaksLongWords ? BreakAt(longWord, cut, width - length) : longWord.CodePoints;
                line.Append(longWord.Slice(cut, end));
                trailingSpace = 0;
                cut = end;
                if (end == longWord.CodePoints)
                {
                    chunks.Dequeue();
                    cut = 0;
                }
            }

            line.Length -= trailingSpace;
            if (line.Length > 0)
            {
                budget.Items(4);
                lines.Add(line.ToString());
            }
        }

        return lines;
    }

    // A word too long for a line breaks behind its last hyphen that fits, else at the width.
    private int BreakAt(TextValue word, int start, int room)
    {
        if (breaksOnHyphens && word.CodePoints - start > room)
        {
            string head = word.Slice(start, start + room);
            int hyphen = head.LastIndexOf('-');
            if (hyphen > 0 && head.AsSpan(0, hyphen).ContainsAnyExcept('-'))
            {
                return start + new TextValue(head).CodePointAt(hyphen + 1);
            }
        }

        return start + room;
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
        for (int i = 0; i < word.Length; i++)
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

            if (end - i >= 2 && i > 0 && IsWordOrMark(word[i - 1]) && end < word.Length && IsWord(word[end]))
            {
                if (i > start)
                {
                    yield return word[start..i];
                }

                yield return word[i..end];
                start = end;
                i = end - 1;
            }
            else if (i > start && BreaksBehind(word, i))
            {
                yield return word[start..(i + 1)];
                start = i + 1;
            }
        }

        if (start < word.Length)
        {
            yield return word[start..];
        }
    }

    // Two letters before the hyphen (or one and a hyphenated character), two behind it (with a hyphen between them maybe).
    private static bool BreaksBehind(string word, int hyphen)
    {
        bool before = hyphen >= 2 && IsLetter(word[hyphen - 1]) && IsLetter(word[hyphen - 2]);
        before |= hyphen >= 3 && IsWordOrMark(word[hyphen - 1]) && word[hyphen - 2] == '-' && IsLetter(word[hyphen - 3]);
        int second = hyphen + 2 < word.Length && word[hyphen + 2] == '-' ? hyphen + 3 : hyphen + 2;
        return before && second < word.Length && IsLetter(word[hyphen + 1]) && IsLetter(word[second]);
    }

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';

    private static bool IsLetter(char c) => IsWord(c) && !char.IsDigit(c);

    private static bool IsWordOrMark(char c) => IsWord(c) || "!\"'&.,?".Contains(c, StringComparison.Ordinal);
}

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
                int end = breaksLongWords ? BreakAt(longWord, cut, Math.Max(1, width - length)) : longWord.CodePoints;
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

using System.Globalization;
using System.Text;

namespace AdaEagle.Cli.Trace;

/// <summary>Text on a page. Model output is text of strangers: nothing in it becomes markup, and no character is left that pages may not have.</summary>
internal static class Html
{
    private const char Replacement = '\uFFFD';
    private const int Pictures = 0x2400;
    private const char DeletePicture = '\u2421';

    /// <summary>Text, safe in an element and in a quoted attribute, control characters as their pictures (U+2400 …) but for line ends and tabs.</summary>
    public static string Text(string text)
    {
        var safe = new StringBuilder(text.Length + 8);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsSurrogatePair(text, i))
            {
                safe.Append(c).Append(text[++i]);
                continue;
            }

            _ = c switch
            {
                '&' => safe.Append("&amp;"),
                '<' => safe.Append("&lt;"),
                '>' => safe.Append("&gt;"),
                '"' => safe.Append("&quot;"),
                '\'' => safe.Append("&#39;"),
                '\n' or '\t' => safe.Append(c),
                '\x7f' => safe.Append(DeletePicture),
                < ' ' => safe.Append((char)(Pictures + c)),
                // C1 controls, halves of pairs, and what is no character.
                (>= '\x80' and < '\xa0') or '\uFFFE' or '\uFFFF' => safe.Append(Replacement),
                _ => safe.Append(char.IsSurrogate(c) ? Replacement : c),
            };
        }

        return safe.ToString();
    }

    /// <summary>A number as pages and drawings take it.</summary>
    public static string Number(double value, string format = "0.##") => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>A time in milliseconds.</summary>
    public static string Milliseconds(TimeSpan time) => Number(time.TotalMilliseconds, "0.000") + " ms";
}

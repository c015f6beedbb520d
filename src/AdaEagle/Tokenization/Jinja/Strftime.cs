using System.Globalization;

namespace AdaEagle.Tokenization.Jinja;

/// <summary><c>datetime.strftime</c> in the C locale, with the flags of the GNU C library.</summary>
internal static class Strftime
{
    private static readonly CultureInfo s_culture = CultureInfo.InvariantCulture;

    public static string Format(Budget budget, string format, DateTime time)
    {
        TextBuilder text = new(budget);
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            int start = i++;
            char flag = format[i] is '-' or '_' or '0' or '^' or '#' && i + 1 < format.Length ? format[i++] : '\0';
            text.Append(Field(budget, format[i], flag, time) ?? format[start..(i + 1)]);
        }

        return text.ToString();
    }

    private static string? Field(Budget budget, char directive, char flag, DateTime time)
    {
        int isoYear = ISOWeek.GetYear(time);
        int hour12 = (time.Hour + 11) % 12 + 1;
        string? text = directive switch
        {
            'a' => time.ToString("ddd", s_culture),
            'A' => time.ToString("dddd", s_culture),
            'b' or 'h' => time.ToString("MMM", s_culture),
            'B' => time.ToString("MMMM", s_culture),
            'c' => Format(budget, "%a %b %e %H:%M:%S %Y", time),
            'C' => Number(time.Year / 100, 2),
            'd' => Number(time.Day, 2),
            'D' or 'x' => Format(budget, "%m/%d/%y", time),
            'e' => Number(time.Day, 2, ' '),
            'f' => time.ToString("ffffff", s_culture),
            'F' => Format(budget, "%Y-%m-%d", time),
            'g' => Number(isoYear % 100, 2),
            'G' => Number(isoYear, 4),
            'H' => Number(time.Hour, 2),
            'I' => Number(hour12, 2),
            'j' => Number(time.DayOfYear, 3),
            'k' => Number(time.Hour, 2, ' '),
            'l' => Number(hour12, 2, ' '),
            'm' => Number(time.Month, 2),
            'M' => Number(time.Minute, 2),
            'n' => "\n",
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'r' => Format(budget, "%I:%M:%S %p", time),
            'R' => Format(budget, "%H:%M", time),
            's' => new DateTimeOffset(time).ToUnixTimeSeconds().ToString(s_culture),
            'S' => Number(time.Second, 2),
            't' => "\t",
            'T' or 'X' => Format(budget, "%H:%M:%S", time),
            'u' => Number(((int)time.DayOfWeek + 6) % 7 + 1, 1),
            'U' => Number((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2),
            'V' => Number(ISOWeek.GetWeekOfYear(time), 2),
            'w' => Number((int)time.DayOfWeek, 1),
            'W' => Number((time.DayOfYear + 6 - ((int)time.DayOfWeek + 6) % 7) / 7, 2),
            'y' => Number(time.Year % 100, 2),
            'Y' => time.Year.ToString(s_culture),
            'z' or 'Z' => "",
            '%' => "%",
            _ => null,
        };
        return flag == '^' ? text?.ToUpperInvariant() : text;

        string Number(int number, int width, char padding = '0') => flag switch
        {
            '-' => number.ToString(s_culture),
            '_' => number.ToString(s_culture).PadLeft(width, ' '),
            '0' => number.ToString(s_culture).PadLeft(width, '0'),
            _ => number.ToString(s_culture).PadLeft(width, padding),
        };
    }
}

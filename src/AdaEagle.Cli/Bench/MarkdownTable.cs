namespace AdaEagle.Cli.Bench;

/// <summary>A table that people can read and documents can take over: Markdown, columns aligned, the first to the left, the others to the right.</summary>
internal sealed class MarkdownTable(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public void Write(TextWriter output)
    {
        int[] widths = [.. columns.Select((name, column) => Math.Max(_rows.Select(row => row[column].Length).DefaultIfEmpty().Max(), name.Length))];
        WriteRow(output, columns, widths);
        WriteRow(output, [.. widths.Select((width, column) => column == 0 ? ":" + new string('-', width - 1) : new string('-', width - 1) + ":")], widths);
        foreach (string[] row in _rows)
        {
            WriteRow(output, row, widths);
        }
    }

    private static void WriteRow(TextWriter output, string[] cells, int[] widths) =>
        output.WriteLine($"| {string.Join(" | ", cells.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])))} |");
}

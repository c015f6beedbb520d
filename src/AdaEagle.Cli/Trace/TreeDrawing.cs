namespace AdaEagle.Cli.Trace;

/// <summary>
/// A round's tree as SVG: the root at the left, a column for each depth, a chain of best children straight to the right and their siblings below. A large pool is
/// drawn by its verified candidates and the likeliest others.
/// </summary>
internal sealed class TreeDrawing
{
    private const int MostNodes = 96;
    private const int ColumnWidth = 132;
    private const int RowHeight = 42;
    private const int BoxWidth = 112;
    private const int BoxHeight = 34;
    private const int Margin = 4;

    private readonly TracedRound _round;
    private readonly TokenText _tokens;
    private readonly List<Box> _boxes = [];
    private int _rows = 1;

    /// <summary>Lays a round out.</summary>
    public TreeDrawing(TracedRound round, TokenText tokens)
    {
        _round = round;
        _tokens = tokens;
        HashSet<int> shown = [.. round.Nodes.OrderByDescending(node => node.IsVerified).ThenByDescending(node => node.PathLogProbability).ThenBy(node => node.Node).Take(MostNodes).Select(node => node.Node)];
        LeftOut = round.Nodes.Count - shown.Count;
        ILookup<int, TracedNode> children = round.Nodes.Where(node => shown.Contains(node.Node)).ToLookup(node => node.Parent);
        var root = new Box(0, 0, "root", round.Root, "the root, sampled by the round before", null);
        _boxes.Add(root);
        Place(-1, root, children);
    }

    /// <summary>Candidates that are not drawn.</summary>
    public int LeftOut { get; }

    /// <summary>Writes the drawing.</summary>
    public void Write(TextWriter page)
    {
        int width = ((_boxes.Max(box => box.Column) + 1) * ColumnWidth) + Margin, height = (_rows * RowHeight) + Margin;
        page.WriteLine($"<svg class=\"tree\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">");
        foreach (Box box in _boxes)
        {
            if (box.Parent is { } parent)
            {
                int x = Left(parent) + BoxWidth, y = Top(parent) + (BoxHeight / 2), endX = Left(box), endY = Top(box) + (BoxHeight / 2);
                page.WriteLine($"<path class=\"{box.Kind}\" d=\"M{x} {y}C{x + 12} {y} {endX - 12} {endY} {endX} {endY}\" />");
            }
        }

        foreach (Box box in _boxes)
        {
            page.WriteLine($"<g class=\"{box.Kind}\"><title>{Html.Text(box.Note)}</title><rect x=\"{Left(box)}\" y=\"{Top(box)}\" width=\"{BoxWidth}\" height=\"{BoxHeight}\" rx=\"5\" />");
            page.WriteLine($"<text x=\"{Left(box) + (BoxWidth / 2)}\" y=\"{Top(box) + 14}\">{Html.Text(_tokens.Label(box.Token))}</text>");
            page.WriteLine($"<text class=\"small\" x=\"{Left(box) + (BoxWidth / 2)}\" y=\"{Top(box) + 28}\">{box.Below}</text></g>");
        }

        page.WriteLine("</svg>");
    }

    // The first child stays in its parent's row; each further one begins a row below all that came before.
    private void Place(int node, Box parent, ILookup<int, TracedNode> children)
    {
        bool first = true;
        foreach (TracedNode child in children[node])
        {
            string kind = child.IsAccepted ? "accepted" : child.IsVerified ? "verified" : "drafted";
            Box box = Add(kind, child.Token, Note(child, kind), $"ln p {Html.Number(child.LogProbability, "0.00")}", parent, ref first);
            Place(child.Node, box, children);
        }

        if (_round.Own is { } own && node == (_round.Accepted == 0 ? -1 : _round.Nodes.Last(candidate => candidate.IsAccepted).Node))
        {
            Add("own", own, $"{_tokens.Of(own)} (token {own}): the target's own", "target's own", parent, ref first);
        }
    }

    private Box Add(string kind, int token, string note, string below, Box parent, ref bool first)
    {
        var box = new Box(parent.Column + 1, first ? parent.Row : _rows++, kind, token, note, parent) { Below = below };
        _boxes.Add(box);
        first = false;
        return box;
    }

    private string Note(TracedNode node, string kind) =>
        $"{_tokens.Of(node.Token)} (token {node.Token}): {(kind == "verified" ? "verified, not accepted" : kind == "drafted" ? "drafted, not verified" : kind)}; p {Html.Number(100 * Math.Exp(node.LogProbability), "0.0")}%, with its path {Html.Number(100 * Math.Exp(node.PathLogProbability), "0.0")}% (ln {Html.Number(node.PathLogProbability, "0.00")})";

    private static int Left(Box box) => (box.Column * ColumnWidth) + Margin;

    private static int Top(Box box) => (box.Row * RowHeight) + Margin;

    private sealed record Box(int Column, int Row, string Kind, int Token, string Note, Box? Parent)
    {
        public string Below { get; init; } = "root";
    }
}

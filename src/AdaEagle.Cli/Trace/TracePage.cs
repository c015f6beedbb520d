using AdaEagle.Generation;
using AdaEagle.Sampling;

namespace AdaEagle.Cli.Trace;

/// <summary>What a page tells.</summary>
/// <param name="Model">The model's folder or file.</param>
/// <param name="Weights">The format of its weights.</param>
/// <param name="Prompt">The prompt.</param>
/// <param name="Sampling">How tokens were chosen.</param>
/// <param name="Result">The generation.</param>
/// <param name="Rounds">Its rounds.</param>
internal sealed record TracedGeneration(string Model, string Weights, string Prompt, SamplingOptions Sampling, GenerationResult Result, IReadOnlyList<TracedRound> Rounds);

/// <summary>Writes a generation as one HTML page that needs nothing else: no network, no script. It is well-formed XML too.</summary>
internal sealed class TracePage(TextWriter page, TracedGeneration generation, TokenText tokens)
{
    private const string Style = """
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222; background: #fff; }
        h1 { font-size: 1.4em; } h2 { font-size: 1.15em; margin-top: 2em; } h3 { font-size: 1em; margin: 1.6em 0 0.2em; }
        pre, .output { font: 14px/1.7 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: 0.8em; border-radius: 5px; }
        table { border-collapse: collapse; } td { padding: 0.1em 1.2em 0.1em 0; vertical-align: top; } td:first-child { color: #666; }
        .scroll { overflow-x: auto; } p { margin: 0.3em 0; } .small { font-size: 10px; fill: #666; } .note { color: #666; }
        .token { unicode-bidi: isolate; border-bottom: 2px solid #b07aa1; color: inherit; text-decoration: none; } .token.drafted { background: #d6efd3; border-color: #59a14f; }
        .token.hidden { opacity: 0.5; } .token:target, section:target { outline: 2px solid #f28e2b; }
        svg text { font: 12px ui-monospace, monospace; text-anchor: middle; fill: #222; } svg.lengths text { text-anchor: start; } svg text.small { font-size: 10px; fill: #666; }
        svg rect { fill: #fff; stroke: #999; } svg path { fill: none; stroke: #999; stroke-width: 1.3; }
        svg .drafted rect { stroke-dasharray: 3 3; stroke: #bbb; } svg path.drafted { stroke: #ddd; } svg .drafted text { fill: #888; }
        svg .verified rect, svg rect.verified { fill: #e8eef6; stroke: #4e79a7; } svg path.verified { stroke: #4e79a7; }
        svg .accepted rect, svg rect.accepted { fill: #d6efd3; stroke: #59a14f; } svg path.accepted { stroke: #59a14f; stroke-width: 2.5; }
        svg .own rect { fill: #f3e8f0; stroke: #b07aa1; } svg path.own { stroke: #b07aa1; } svg .root rect { fill: #eee; } svg path.planned { stroke: #e15759; stroke-width: 2; }
        """;

    /// <summary>Writes all of it.</summary>
    public void Write()
    {
        page.WriteLine("<!DOCTYPE html>");
        page.WriteLine("<html lang=\"en\"><head><meta charset=\"utf-8\" />");
        page.WriteLine("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\" />");
        page.WriteLine("<meta name=\"viewport\" content=\"width=device-width\" /><title>AdaEagle trace</title>");
        page.WriteLine($"<style>{Style}</style></head><body>");
        page.WriteLine("<h1>A generation, round by round</h1>");
        WriteTotals();
        page.WriteLine($"<h2>Prompt</h2><pre>{Html.Text(generation.Prompt)}</pre>");
        WriteOutput();
        if (generation.Rounds.Count > 0)
        {
            page.WriteLine("<h2>Lengths</h2><p class=\"note\">By round: the longest path that was verified (blue), what of it was accepted (green), and the predicted length (red).</p><div class=\"scroll\">");
            LengthsDrawing.Write(page, generation.Rounds);
            page.WriteLine("</div><h2>Rounds</h2>");
            page.WriteLine("<p class=\"note\">Green: accepted. Blue: verified, and not what the target says. Dashed: drafted, and not verified. Purple: the target's own token. ln p is the drafter's.</p>");
            for (int i = 0; i < generation.Rounds.Count; i++)
            {
                WriteRound(i + 1, generation.Rounds[i]);
            }
        }

        page.WriteLine("</body></html>");
    }

    private void WriteTotals()
    {
        GenerationStatistics stats = generation.Result.Statistics;
        (string What, string Value)[] rows =
        [
            ("model", $"{generation.Model} ({generation.Weights})"),
            ("policy, drafter", $"{stats.Policy}, {stats.Drafter ?? "none"}"),
            ("sampling", generation.Sampling.Temperature == 0 ? "greedy" : $"temperature {Html.Number(generation.Sampling.Temperature)}, seed {generation.Sampling.Seed}"),
            ("tokens", $"{stats.PromptTokens} of the prompt, {stats.EmittedTokens} generated, {stats.VisibleTokens} of them visible"),
            ("passes", $"{stats.Passes} of the target, the prompt's among them: acceptance length {Html.Number(stats.AcceptanceLength, "0.00")}"),
            ("drafts", $"{stats.Drafted} tokens verified, {stats.Accepted} accepted"),
            ("speed", $"{Html.Number(stats.TokensPerSecond, "0.0")} tokens/s, {Html.Number(stats.DecodeTokensPerSecond, "0.0")} decoding"),
            ("time", $"{Html.Milliseconds(stats.TotalTime)}: prompt {Html.Milliseconds(stats.PrefillTime)}, policy {Html.Milliseconds(stats.PlanTime)}, draft {Html.Milliseconds(stats.DraftTime)}, "
                + $"verify {Html.Milliseconds(stats.VerifyTime)}, rest {Html.Milliseconds(stats.OtherTime)}; one run, nothing warmed up, and every probability computed for this page"),
        ];
        page.WriteLine("<table>");
        foreach ((string what, string value) in rows)
        {
            page.WriteLine($"<tr><td>{what}</td><td>{Html.Text(value)}</td></tr>");
        }

        page.WriteLine("</table>");
    }

    // Every committed token once, in a span of its own that leads to its round.
    private void WriteOutput()
    {
        page.WriteLine("<h2>Output</h2><p class=\"note\">Each token by itself: on green an accepted draft, without the target's own; faint what is not visible text.</p><div class=\"output\">");
        int index = 0;
        WriteToken(index++, 0, drafted: false);
        for (int i = 0; i < generation.Rounds.Count; i++)
        {
            TracedRound round = generation.Rounds[i];
            for (int place = 0; place < round.Emitted.Count; place++)
            {
                WriteToken(index++, i + 1, place < round.Accepted);
            }
        }

        page.WriteLine("</div>");
    }

    private void WriteToken(int index, int round, bool drafted)
    {
        int token = generation.Result.Tokens[index];
        string hidden = index < generation.Result.Statistics.VisibleTokens ? "" : " hidden", what = round == 0 ? "from the prompt's pass" : $"round {round}";
        string link = round == 0 ? "" : $" href=\"#round-{round}\"";
        string text = Html.Text(tokens.Of(token).Replace("\n", "⏎\n", StringComparison.Ordinal));
        page.Write($"<a class=\"token{(drafted ? " drafted" : "")}{hidden}\" data-index=\"{index}\" data-token=\"{token}\" title=\"token {token}, {what}\"{link}>{text}</a>");
    }

    private void WriteRound(int number, TracedRound round)
    {
        page.WriteLine($"<section id=\"round-{number}\"><h3>Round {number}: predicted {round.Planned}, drafted {round.Nodes.Count}, verified {round.Verified}, accepted {round.Accepted}, emitted {round.Emitted.Count}</h3>");
        page.WriteLine($"<p class=\"note\">policy {Html.Milliseconds(round.PlanTime)}, draft {Html.Milliseconds(round.DraftTime)}, verify {Html.Milliseconds(round.VerifyTime)}</p>");
        var tree = new TreeDrawing(round, tokens);
        page.WriteLine("<div class=\"scroll\">");
        tree.Write(page);
        page.WriteLine("</div>");
        if (tree.LeftOut > 0)
        {
            page.WriteLine($"<p class=\"note\">{tree.LeftOut} less likely candidates are not drawn.</p>");
        }

        page.WriteLine("</section>");
    }
}

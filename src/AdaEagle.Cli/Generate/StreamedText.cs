using System.Text;
using AdaEagle.Generation;

namespace AdaEagle.Cli.Generate;

/// <summary>
/// Writes a generation's pieces as they come. With <c>--show-draft</c>, text of accepted draft tokens is told from the target's own: green on a
/// terminal, underlined where no colours are wanted, in brackets where there are no escape sequences at all.
/// </summary>
internal sealed class StreamedText(Terminal terminal, bool showDraft)
{
    private readonly (string Begin, string End) _mark =
        !showDraft ? ("", "")
        : !terminal.OutputIsTerminal ? ("[", "]")
        : terminal.Colours ? ("\e[32m", "\e[39m")
        : ("\e[4m", "\e[24m");

    private readonly StringBuilder _written = new();
    private bool _marking;

    /// <summary>All text so far, without marks.</summary>
    public string Written => _written.ToString();

    public void Write(GenerationUpdate piece)
    {
        if (piece.Text.Length == 0)
        {
            return;
        }

        // Neighbours of one kind share a mark.
        Mark(showDraft && piece.Drafted);
        terminal.Out.Write(piece.Text);
        terminal.Out.Flush();
        _written.Append(piece.Text);
    }

    /// <summary>Ends the text, and its line.</summary>
    public void End()
    {
        Mark(false);
        terminal.Out.WriteLine();
        terminal.Out.Flush();
    }

    private void Mark(bool on)
    {
        if (on != _marking)
        {
            terminal.Out.Write(on ? _mark.Begin : _mark.End);
            _marking = on;
        }
    }
}

using System.Globalization;
using AdaEagle.Generation;

namespace AdaEagle.Cli.Generate;

/// <summary>
/// Says on stderr how far the reading of a long prompt is: from the second on that it takes, rewritten on a terminal, in lines of their own elsewhere.
/// One for each prompt.
/// </summary>
internal sealed class PromptNote(Terminal terminal, TimeProvider? clock = null) : IProgress<PromptProgress>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1), s_lines = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private long? _start;
    private TimeSpan _last;
    private bool _shown;

    public void Report(PromptProgress value)
    {
        // The first part's time is not seen, only that of those after it: a prompt of one part has no progress.
        long start = _start ??= _clock.GetTimestamp();
        TimeSpan passed = _clock.GetElapsedTime(start);
        string text = string.Create(CultureInfo.InvariantCulture, $"reading the prompt: {value.Done} of {value.Total} tokens");
        bool finished = value.Done == value.Total;
        if (terminal.ErrorIsTerminal)
        {
            if (finished && _shown)
            {
                terminal.Error.Write("\r\e[K");
            }
            else if (!finished && passed >= s_patience)
            {
                terminal.Error.Write($"\r{text}");
                _shown = true;
            }

            terminal.Error.Flush();
        }
        else if (!finished && passed >= s_patience && (!_shown || passed - _last >= s_lines))
        {
            terminal.Note(text);
            _shown = true;
            _last = passed;
        }

        _start = finished ? null : _start;
        _shown &= !finished;
    }
}

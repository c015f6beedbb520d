using System.Buffers;

namespace AdaEagle.Tokenization.Patterns;

/// <summary>Runs a program over a text, backtracking with a stack of its own, within a limit of steps.</summary>
internal ref struct PatternMatcher : IDisposable
{
    /// <summary>Steps allowed for each character of the text; real patterns take about ten.</summary>
    public const int StepsPerCharacter = 1000;

    private const int StepsBeside = 100_000;

    /// <summary>Numbers on the stack at most (96 MiB).</summary>
    private const int MostStacked = 24 * 1024 * 1024;

    /// <summary>Numbers of one way still open: where to go on in the program, the place, and a number that is the instruction's own.</summary>
    private const int Open = 3;

    private readonly Instruction[] _program;
    private readonly ReadOnlySpan<char> _text;
    private long _steps;
    private int[] _stack;
    private int _stacked;

    public PatternMatcher(Instruction[] program, ReadOnlySpan<char> text)
    {
        _program = program;
        _text = text;
        _steps = StepsBeside + ((long)StepsPerCharacter * text.Length);
        _stack = ArrayPool<int>.Shared.Rent(256);
    }

    /// <summary>UTF-16 units of the code point at a place; 1 at the end.</summary>
    public static int Width(ReadOnlySpan<char> text, int place) =>
        place + 1 < text.Length && char.IsHighSurrogate(text[place]) ? 2 : 1;

    public readonly void Dispose() => ArrayPool<int>.Shared.Return(_stack);

    /// <summary>The end of the match that begins at <paramref name="start"/>, or -1.</summary>
    public int Match(int start) => Run(0, start);

    private int Run(int at, int place)
    {
        int bottom = _stacked;
        while (true)
        {
            if (--_steps < 0)
            {
                throw new PatternException($"matching takes more than {StepsPerCharacter} steps a character; the pattern backtracks too much on this text");
            }

            Instruction step = _program[at];
            bool goesOn;
            switch (step.Operation)
            {
                case Operation.Match:
                    _stacked = bottom;
                    return place;
                case Operation.One:
                    goesOn = Take(step.Set, ref place);
                    at++;
                    break;
                case Operation.Run:
                    goesOn = TakeRun(step, at, ref place);
                    at++;
                    break;
                case Operation.Jump:
                    goesOn = true;
                    at = step.Target;
                    break;
                case Operation.Split:
                    Push(step.Other, place, 0);
                    goesOn = true;
                    at = step.Target;
                    break;
                case Operation.Choose:
                    goesOn = Choose(step, ref at, place, 0);
                    break;
                case Operation.Place:
                    goesOn = IsAt((PlaceKind)step.Target, place);
                    at++;
                    break;
                case Operation.Atomic:
                    place = Run(at + 1, place);
                    goesOn = place >= 0;
                    at = step.Target;
                    break;
                default:
                    goesOn = Look(step, at, place);
                    at = step.Target;
                    break;
            }

            if (!goesOn && !Resume(bottom, ref at, ref place))
            {
                return -1;
            }
        }
    }

    /// <summary>Goes back to the way that was left open last.</summary>
    private bool Resume(int bottom, ref int at, ref int place)
    {
        if (_stacked == bottom)
        {
            return false;
        }

        _stacked -= Open;
        at = _stack[_stacked];
        place = _stack[_stacked + 1];
        if (at >= 0)
        {
            return true;
        }

        at = ~at;
        int own = _stack[_stacked + 2];
        Instruction step = _program[at];
        if (step.Operation == Operation.Choose)
        {
            return Choose(step, ref at, place, own);
        }

        // A run gives back its last code point; "own" is where it must stop doing so.
        place -= place >= 2 && char.IsLowSurrogate(_text[place - 1]) ? 2 : 1;
        if (place > own)
        {
            Push(~at, place, own);
        }

        at++;
        return true;
    }

    private readonly bool Take(CodePointSet set, ref int place)
    {
        if (place >= _text.Length)
        {
            return false;
        }

        int codePoint = _text[place];
        int width = 1;
        if (char.IsHighSurrogate((char)codePoint) && place + 1 < _text.Length)
        {
            codePoint = char.ConvertToUtf32((char)codePoint, _text[place + 1]);
            width = 2;
        }

        if (!set.Contains(codePoint))
        {
            return false;
        }

        place += width;
        return true;
    }

    private bool TakeRun(Instruction run, int at, ref int place)
    {
        int start = place;
        int shortest = place;
        int count = 0;
        while (count < run.Most && Take(run.Set, ref place))
        {
            count++;
            shortest = count == run.Least ? place : shortest;
        }

        _steps -= place - start;
        if (count < run.Least)
        {
            return false;
        }

        if (!run.Flag && place > shortest)
        {
            Push(~at, place, shortest);
        }

        return true;
    }

    private bool Choose(Instruction choose, ref int at, int place, int index)
    {
        int next = place < _text.Length && _text[place] < 128 ? _text[place] : 128;
        int[] ways = choose.Ways[next];
        if (index >= ways.Length)
        {
            return false;
        }

        if (index + 1 < ways.Length)
        {
            Push(~at, place, index + 1);
        }

        at = ways[index];
        return true;
    }

    private bool Look(Instruction look, int at, int place)
    {
        int start = place;
        for (int i = 0; i < look.Least && start >= 0; i++)
        {
            start -= start >= 2 && char.IsLowSurrogate(_text[start - 1]) ? 2 : 1;
        }

        bool found = start >= 0 && Run(at + 1, start) >= 0;
        return found != look.Flag;
    }

    private readonly bool IsAt(PlaceKind kind, int place)
    {
        bool atStart = place == 0;
        bool atEnd = place == _text.Length;
        return kind switch
        {
            PlaceKind.TextStart => atStart,
            PlaceKind.TextEnd => atEnd,
            PlaceKind.TextEndOrLastLine => atEnd || (place == _text.Length - 1 && _text[place] == '\n'),
            PlaceKind.LineStart => atStart || (!atEnd && _text[place - 1] == '\n'),
            PlaceKind.LineEnd => atEnd || _text[place] == '\n',
            PlaceKind.WordBoundary => IsWordBefore(place) != IsWordAfter(place),
            _ => IsWordBefore(place) == IsWordAfter(place),
        };
    }

    private readonly bool IsWordAfter(int place) => Take(UnicodeSets.WordAlone, ref place);

    private readonly bool IsWordBefore(int place)
    {
        place -= place >= 2 && char.IsLowSurrogate(_text[place - 1]) ? 2 : 1;
        return place >= 0 && Take(UnicodeSets.WordAlone, ref place);
    }

    private void Push(int at, int place, int own)
    {
        if (_stacked + Open > _stack.Length)
        {
            if (_stack.Length >= MostStacked)
            {
                throw new PatternException("matching needs too much memory; the pattern leaves too many ways open on this text");
            }

            int[] larger = ArrayPool<int>.Shared.Rent(_stack.Length * 2);
            _stack.AsSpan(0, _stacked).CopyTo(larger);
            ArrayPool<int>.Shared.Return(_stack);
            _stack = larger;
        }

        _stack[_stacked] = at;
        _stack[_stacked + 1] = place;
        _stack[_stacked + 2] = own;
        _stacked += Open;
    }
}

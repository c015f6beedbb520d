namespace AdaEagle.Tokenization.Patterns;

/// <summary>Turns a tree into a program.</summary>
internal sealed class PatternCompiler
{
    /// <summary>The longest program. Real patterns take less than two hundred instructions.</summary>
    private const int MostInstructions = 10_000;

    private readonly List<Instruction> _program = [];
    private int _visited;

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="PatternException">It is too large, or of a form that cannot be matched in bounded time.</exception>
    public static Instruction[] Compile(PatternNode node)
    {
        var compiler = new PatternCompiler();
        compiler.Emit(node);
        compiler.Add(new Instruction(Operation.Match));
        compiler.KeepRunsThatNothingFollows();
        return [.. compiler._program];
    }

    /// <summary>The ASCII characters that a match can begin with; <paramref name="canBeEmpty"/> if it may take nothing.</summary>
    public static UInt128 FirstAscii(PatternNode node, out bool canBeEmpty)
    {
        UInt128 first = UInt128.Zero;
        canBeEmpty = false;
        switch (node)
        {
            case PatternNode.One one:
                return one.Set.Ascii;
            case PatternNode.Sequence sequence:
                canBeEmpty = true;
                for (int i = 0; i < sequence.Items.Count && canBeEmpty; i++)
                {
                    first |= FirstAscii(sequence.Items[i], out canBeEmpty);
                }

                return first;
            case PatternNode.Choice choice:
                foreach (PatternNode item in choice.Items)
                {
                    first |= FirstAscii(item, out bool itemCanBeEmpty);
                    canBeEmpty |= itemCanBeEmpty;
                }

                return first;
            case PatternNode.Repeat repeat:
                first = FirstAscii(repeat.Body, out canBeEmpty);
                canBeEmpty |= repeat.Least == 0;
                return repeat.Most == 0 ? UInt128.Zero : first;
            case PatternNode.Atomic atomic:
                return FirstAscii(atomic.Body, out canBeEmpty);
            default:
                canBeEmpty = true;
                return first;
        }
    }

    private void Emit(PatternNode node)
    {
        // Counted apart from the instructions: repeating nothing a million times adds none.
        if (++_visited > MostInstructions * 10)
        {
            throw TooLarge();
        }

        switch (node)
        {
            case PatternNode.One one:
                Add(new Instruction(Operation.One) { Set = one.Set });
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                {
                    Emit(item);
                }

                break;
            case PatternNode.Choice choice:
                EmitChoice(choice);
                break;
            case PatternNode.Repeat { Body: PatternNode.One one, Lazy: false } repeat:
                Add(new Instruction(Operation.Run) { Set = one.Set, Least = repeat.Least, Most = repeat.Most });
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case PatternNode.Atomic { Body: PatternNode.Repeat { Body: PatternNode.One one, Lazy: false } repeat }:
                Add(new Instruction(Operation.Run) { Set = one.Set, Least = repeat.Least, Most = repeat.Most, Flag = true });
                break;
            case PatternNode.Atomic atomic:
                EmitInner(new Instruction(Operation.Atomic), atomic.Body);
                break;
            case PatternNode.Look { Behind: true } look:
                EmitLookBehind(look);
                break;
            case PatternNode.Look look:
                EmitInner(new Instruction(Operation.Look) { Flag = look.Negative }, look.Body);
                break;
            case PatternNode.Place place:
                Add(new Instruction(Operation.Place) { Target = (int)place.Kind });
                break;
            default:
                throw new InvalidOperationException($"A pattern cannot hold {node.GetType().Name}.");
        }
    }

    private void EmitChoice(PatternNode.Choice choice)
    {
        int count = choice.Items.Count;
        int[] starts = new int[count];
        var first = new UInt128[count];
        for (int i = 0; i < count; i++)
        {
            first[i] = FirstAscii(choice.Items[i], out bool canBeEmpty);
            first[i] = canBeEmpty ? UInt128.MaxValue : first[i];
        }

        int[][] ways = new int[129][];
        Instruction choose = Add(new Instruction(Operation.Choose) { Ways = ways });
        List<Instruction> ends = [];
        for (int i = 0; i < count; i++)
        {
            starts[i] = _program.Count;
            Emit(choice.Items[i]);
            ends.Add(Add(new Instruction(Operation.Jump)));
        }

        ends.ForEach(end => end.Target = _program.Count);
        ways[128] = starts;
        for (int character = 0; character < 128; character++)
        {
            int[] way = [.. starts.Where((_, i) => (first[i] >> character & 1) != 0)];
            ways[character] = Array.Find(ways, known => known is not null && known.AsSpan().SequenceEqual(way)) ?? way;
        }
    }

    private void EmitRepeat(PatternNode.Repeat repeat)
    {
        for (int i = 0; i < repeat.Least; i++)
        {
            Emit(repeat.Body);
        }

        if (repeat.Most == PatternNode.Unbounded)
        {
            FirstAscii(repeat.Body, out bool canBeEmpty);
            if (canBeEmpty)
            {
                throw new PatternException("the pattern repeats without limit a group that can match nothing, which is not supported");
            }

            int start = _program.Count;
            Instruction split = AddSplit();
            Emit(repeat.Body);
            Add(new Instruction(Operation.Jump) { Target = start });
            SetExit(split, repeat.Lazy);
            return;
        }

        List<Instruction> splits = [];
        for (int i = repeat.Least; i < repeat.Most; i++)
        {
            splits.Add(AddSplit());
            Emit(repeat.Body);
        }

        splits.ForEach(split => SetExit(split, repeat.Lazy));
    }

    /// <summary>A split into the next instruction and an exit still unknown.</summary>
    private Instruction AddSplit() => Add(new Instruction(Operation.Split) { Target = _program.Count + 1 });

    private void SetExit(Instruction split, bool lazy)
    {
        int exit = _program.Count;
        (split.Target, split.Other) = lazy ? (exit, split.Target) : (split.Target, exit);
    }

    /// <summary>An instruction that runs a body of its own, which follows it.</summary>
    private void EmitInner(Instruction instruction, PatternNode body)
    {
        Add(instruction);
        Emit(body);
        Add(new Instruction(Operation.Match));
        instruction.Target = _program.Count;
    }

    /// <summary>A look behind goes back by the body's length, so alternatives, which may differ in length, look one by one.</summary>
    private void EmitLookBehind(PatternNode.Look look)
    {
        if (look.Body is PatternNode.Choice choice)
        {
            IReadOnlyList<PatternNode> looks = [.. choice.Items.Select(item => look with { Body = item })];
            Emit(look.Negative ? new PatternNode.Sequence(looks) : new PatternNode.Choice(looks));
            return;
        }

        EmitInner(new Instruction(Operation.Look) { Flag = look.Negative, Least = Length(look.Body) }, look.Body);
    }

    /// <summary>How many code points any match takes.</summary>
    private static int Length(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.One:
                return 1;
            case PatternNode.Sequence sequence:
                return sequence.Items.Sum(Length);
            case PatternNode.Choice choice when choice.Items.Select(Length).Distinct().ToArray() is [var length]:
                return length;
            case PatternNode.Repeat repeat when repeat.Least == repeat.Most && (long)repeat.Least * Length(repeat.Body) is <= MostInstructions and var length:
                return (int)length;
            case PatternNode.Atomic atomic:
                return Length(atomic.Body);
            case PatternNode.Look or PatternNode.Place:
                return 0;
            default:
                throw new PatternException("the pattern looks behind for a text of varying length, which is not supported");
        }
    }

    /// <summary>A run before the end need not remember how to give back: the first end reached is the match.</summary>
    private void KeepRunsThatNothingFollows()
    {
        for (int i = 0; i + 1 < _program.Count; i++)
        {
            int next = i + 1;
            while (_program[next].Operation == Operation.Jump && _program[next].Target > next)
            {
                next = _program[next].Target;
            }

            if (_program[i].Operation == Operation.Run && _program[next].Operation == Operation.Match)
            {
                _program[i].Flag = true;
            }
        }
    }

    private Instruction Add(Instruction instruction)
    {
        if (_program.Count >= MostInstructions)
        {
            throw TooLarge();
        }

        _program.Add(instruction);
        return instruction;
    }

    private static PatternException TooLarge() => new($"the pattern needs more than {MostInstructions} instructions; its repetitions may be too many");
}

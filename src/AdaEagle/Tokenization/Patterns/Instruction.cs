namespace AdaEagle.Tokenization.Patterns;

/// <summary>What one step of a pattern's program does.</summary>
internal enum Operation
{
    /// <summary>Takes one code point of <see cref="Instruction.Set"/>.</summary>
    One,

    /// <summary>Takes <see cref="Instruction.Least"/> to <see cref="Instruction.Most"/> code points of a set, as many as there are; gives back one at a time.</summary>
    Run,

    /// <summary>Goes to <see cref="Instruction.Target"/>; if that fails, to <see cref="Instruction.Other"/>.</summary>
    Split,

    /// <summary>Goes to one of the alternatives that the next code point allows, in order.</summary>
    Choose,

    /// <summary>Goes to <see cref="Instruction.Target"/>.</summary>
    Jump,

    /// <summary>Runs the instructions that follow, for their end alone, then goes to <see cref="Instruction.Target"/>.</summary>
    Atomic,

    /// <summary>
    /// Runs the instructions that follow, <see cref="Instruction.Least"/> code points further back, to see whether they match (do not, if
    /// <see cref="Instruction.Flag"/>), then goes to <see cref="Instruction.Target"/> at the same place.
    /// </summary>
    Look,

    /// <summary>Asks for a <see cref="PlaceKind"/> (in <see cref="Instruction.Target"/>).</summary>
    Place,

    /// <summary>The end.</summary>
    Match,
}

/// <summary>One step of a pattern's program.</summary>
internal sealed class Instruction(Operation operation)
{
    public Operation Operation { get; } = operation;

    public CodePointSet Set { get; init; } = CodePointSet.Empty;

    public int Target { get; set; }

    public int Other { get; set; }

    public int Least { get; init; }

    public int Most { get; init; }

    /// <summary>Of a run: nothing is given back. Of a look: it must not match.</summary>
    public bool Flag { get; set; }

    /// <summary>Of a choice: where to go, in order, by the next ASCII character; the last row is for all others and for the end.</summary>
    public int[][] Ways { get; init; } = [];
}

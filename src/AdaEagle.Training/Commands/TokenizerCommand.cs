using System.CommandLine;

namespace AdaEagle.Training.Commands;

/// <summary><c>adaeagle-train tokenizer</c>: a byte-level BPE vocabulary from a corpus.</summary>
internal static class TokenizerCommand
{
    public static Command Create() => new("tokenizer", "Trains a byte-level BPE tokenizer on a corpus.");
}

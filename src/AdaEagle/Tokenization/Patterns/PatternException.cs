namespace AdaEagle.Tokenization.Patterns;

/// <summary>A pattern is broken, uses what is not supported, or takes too long. The tokenizer that owns it adds the file's name.</summary>
internal sealed class PatternException(string problem) : Exception(problem);

namespace AdaEagle.Speculation;

/// <summary>A node that is to be expanded, -1 for the root, and how many of its best continuations are wanted, at least one.</summary>
public readonly record struct Expansion(int Node, int Children);

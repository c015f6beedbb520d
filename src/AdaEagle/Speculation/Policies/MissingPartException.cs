namespace AdaEagle.Speculation.Policies;

/// <summary>A policy was asked for by a name that is all right, and the model lacks a part that it needs; the message says which, and where to get it.</summary>
public sealed class MissingPartException(string message, string parameter) : ArgumentException(message, parameter);

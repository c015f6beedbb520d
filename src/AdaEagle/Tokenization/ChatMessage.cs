namespace AdaEagle.Tokenization;

/// <summary>One turn of a conversation, as chat templates take it.</summary>
/// <param name="Role">Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c>, or whatever else the template knows.</param>
/// <param name="Content">The text of the turn.</param>
public sealed record ChatMessage(string Role, string Content);

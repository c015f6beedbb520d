namespace AdaEagle.Cli.Bench;

/// <summary>What plain decoding says in one turn of a question.</summary>
/// <param name="Question">The question.</param>
/// <param name="Turn">Its turn, from 0.</param>
/// <param name="Prompt">All tokens before the answer.</param>
/// <param name="Tokens">The answer, an end token included.</param>
internal sealed record PlainAnswer(Question Question, int Turn, IReadOnlyList<int> Prompt, int[] Tokens);

/// <summary>What plain decoding says to all questions, recorded untimed for those who have to know it beforehand: oracles, and drafters that are right to order.</summary>
internal sealed class PlainAnswers
{
    private readonly List<PlainAnswer> _answers = [];
    private readonly Dictionary<(int Question, int Turn), int> _places = [];

    /// <summary>All of them, question by question.</summary>
    public IReadOnlyList<PlainAnswer> All => _answers;

    public void Add(PlainAnswer answer)
    {
        _places.Add((answer.Question.Index, answer.Turn), _answers.Count);
        _answers.Add(answer);
    }

    /// <summary>Where in <see cref="All"/> a turn's answer is.</summary>
    public int Place(Question question, int turn) => _places[(question.Index, turn)];
}

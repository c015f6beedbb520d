namespace AdaEagle.Training.Answers;

/// <summary>A prompt that the target is to answer.</summary>
/// <param name="Category">Category of the document it comes from.</param>
/// <param name="Tokens">The prompt's ids, ready for the first token of the answer.</param>
internal sealed record AnswerPrompt(string Category, int[] Tokens);

/// <summary>One generation to be run.</summary>
/// <param name="Job">Its number in the run, also the sequence number of its random draws.</param>
/// <param name="Prompt">What is answered.</param>
/// <param name="IsSampled">Sampled at the run's temperature; otherwise greedy.</param>
internal sealed record AnswerJob(int Job, AnswerPrompt Prompt, bool IsSampled);

/// <summary>What the target itself answered to a prompt.</summary>
/// <param name="Job">Number of the job it came from.</param>
/// <param name="Category">Category of the prompt.</param>
/// <param name="Tokens">t_0 … t_(n-1): prompt, then answer, its end token included.</param>
/// <param name="PromptLength">Tokens of the prompt: t_PromptLength is the first of the answer.</param>
/// <param name="IsCut">Cut by the limit of tokens; otherwise the last token is an end token.</param>
/// <param name="IsSampled">Sampled; otherwise greedy.</param>
internal sealed record Answer(int Job, string Category, int[] Tokens, int PromptLength, bool IsCut, bool IsSampled)
{
    /// <summary>Tokens of the answer.</summary>
    public int Length => Tokens.Length - PromptLength;

    /// <summary>True if eight tokens in a row of the answer occur twice in it: such text flatters every drafter.</summary>
    public bool IsLooping { get; } = Loops(Tokens.AsSpan(PromptLength));

    private static bool Loops(ReadOnlySpan<int> tokens)
    {
        const int Window = 8;
        var seen = new HashSet<(long, long, long, long)>();
        for (int i = 0; i + Window <= tokens.Length; i++)
        {
            if (!seen.Add((Pair(tokens, i), Pair(tokens, i + 2), Pair(tokens, i + 4), Pair(tokens, i + 6))))
            {
                return true;
            }
        }

        return false;
    }

    private static long Pair(ReadOnlySpan<int> tokens, int at) => ((long)tokens[at] << 32) | (uint)tokens[at + 1];
}

using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Eagle;

/// <summary>The tokens that an EAGLE-3 head can propose: the most frequent ones of the answers (SafeAILab/EAGLE, <c>traineagle3</c>).</summary>
internal static class DraftVocabulary
{
    /// <summary>The <paramref name="size"/> most frequent tokens of the answers themselves, ascending; of equally frequent ones the lower ids.</summary>
    public static int[] Choose(IEnumerable<Answer> answers, int vocabulary, int size)
    {
        long[] counts = new long[vocabulary];
        foreach (Answer answer in answers)
        {
            foreach (int token in answer.Tokens.AsSpan(answer.PromptLength))
            {
                counts[token]++;
            }
        }

        return [.. Enumerable.Range(0, vocabulary).OrderByDescending(token => counts[token]).ThenBy(token => token).Take(size).Order()];
    }

    /// <summary>Share of the answers' tokens that it has.</summary>
    public static double Coverage(IEnumerable<Answer> answers, IReadOnlyCollection<int> tokens)
    {
        HashSet<int> known = [.. tokens];
        (long all, long covered) = (0, 0);
        foreach (Answer answer in answers)
        {
            foreach (int token in answer.Tokens.AsSpan(answer.PromptLength))
            {
                all++;
                covered += known.Contains(token) ? 1 : 0;
            }
        }

        return all == 0 ? 0 : (double)covered / all;
    }
}

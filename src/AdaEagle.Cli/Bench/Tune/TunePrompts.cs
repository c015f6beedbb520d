using AdaEagle.Cli.Bench.Text;
using AdaEagle.Generation;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>Prompts to tune on: the first turns of questions in Spec-Bench's format, or the beginnings of a corpus' dialogues up to the first answer.</summary>
internal static class TunePrompts
{
    /// <summary>The prompts' tokens, at most <paramref name="limit"/>, evenly over the file; 0 takes all. Prompts that leave no room for an answer are left out.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> Read(LanguageModel model, string path, int limit)
    {
        bool corpus = !LimitedLines.Read(path).Select(line => line.Text).First(line => !string.IsNullOrWhiteSpace(line)).Contains("\"turns\"", StringComparison.Ordinal);
        IEnumerable<IReadOnlyList<int>> prompts = corpus ? OfCorpus(model, path) : QuestionFile.Read(path).Select(question => new Conversation(model, question.Raw).Ask(question.Turns[0]));
        IReadOnlyList<int>[] all = [.. prompts.Where(prompt => prompt.Count < model.Target.Config.MaxPositions / 2)];
        return limit == 0 || limit >= all.Length ? all : [.. Enumerable.Range(0, limit).Select(i => all[(long)i * all.Length / limit])];
    }

    private static IEnumerable<IReadOnlyList<int>> OfCorpus(LanguageModel model, string path)
    {
        foreach (ScoredText text in TextFile.Read(path))
        {
            if (text.Messages is { } messages && messages.TakeWhile(message => message.Role != "assistant").ToArray() is { Length: > 0 } asked)
            {
                yield return model.EncodeChat(asked);
            }
        }
    }
}

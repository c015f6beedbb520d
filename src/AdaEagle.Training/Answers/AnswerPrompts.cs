using AdaEagle.Sampling;
using AdaEagle.Tokenization;
using AdaEagle.Training.Data;

namespace AdaEagle.Training.Answers;

/// <summary>Which documents of a corpus give prompts.</summary>
internal enum PromptChoice
{
    /// <summary>Those that target and head are trained on.</summary>
    Training,

    /// <summary>Those that are kept from both, for predictors.</summary>
    HeldOut,

    /// <summary>All of them: a validation corpus.</summary>
    All,
}

/// <summary>Prompts from documents: every turn of a dialogue that an assistant's follows, and beginnings of passages of raw text, whose category is marked "text".</summary>
internal static class AnswerPrompts
{
    /// <summary>Longer prompts are left out.</summary>
    private const int MaxPromptTokens = 256;

    /// <summary>Tokens of a raw prompt.</summary>
    private const int RawTokens = 48;

    /// <summary>Characters of raw text to a prompt.</summary>
    private const int PassageCharacters = 1200;

    /// <summary>
    /// The jobs of a run: kinds of prompts take turns, each in an order that the seed decides, so that any
    /// number of jobs from the start is a balanced choice. Every prompt occurs once; <paramref name="sampledShare"/> of them are sampled.
    /// </summary>
    public static List<AnswerJob> Jobs(IEnumerable<CorpusDocument> documents, PromptChoice choice, ITokenizer tokenizer, ChatTemplate? template, int? beginToken, int seed, double sampledShare)
    {
        var chosen = documents.Where(document => choice == PromptChoice.All || Corpus.IsHeldOut(document) == (choice == PromptChoice.HeldOut));
        Queue<AnswerPrompt>[] kinds = [.. ParallelWork.Run(() => chosen.AsParallel().AsOrdered()
                .SelectMany(document => Of(document, tokenizer, template, beginToken)).ToArray())
            .GroupBy(prompt => prompt.Category)
            .Select((kind, number) => new Queue<AnswerPrompt>(kind
                .Select((prompt, index) => (prompt, Key: CounterRandom.Uniform((ulong)seed, 1 + number, index))).OrderBy(item => item.Key).Select(item => item.prompt)))];
        var jobs = new List<AnswerJob>();
        while (kinds.Any(kind => kind.Count > 0))
        {
            foreach (Queue<AnswerPrompt> kind in kinds)
            {
                if (kind.TryDequeue(out AnswerPrompt? prompt))
                {
                    jobs.Add(new AnswerJob(jobs.Count, prompt, CounterRandom.Uniform((ulong)seed, 0, jobs.Count) < sampledShare));
                }
            }
        }

        return jobs.Count > 0
            ? jobs
            : throw new InvalidDataException($"The corpus holds no prompt to answer ({(choice == PromptChoice.HeldOut ? "none of its documents is held out" : "dialogues with an assistant's turn, or raw text of some length")}). Give another --corpus.");
    }

    private static IEnumerable<AnswerPrompt> Of(CorpusDocument document, ITokenizer tokenizer, ChatTemplate? template, int? beginToken)
    {
        IEnumerable<int[]> prompts = document.Messages is { } messages ? OfDialogue(messages, tokenizer, template) : OfText(document.Text ?? "", tokenizer, beginToken);
        return prompts.Where(prompt => prompt.Length is >= 4 and <= MaxPromptTokens).Select(prompt => new AnswerPrompt(document.Messages is null ? document.Category + " text" : document.Category, prompt));
    }

    private static IEnumerable<int[]> OfDialogue(IReadOnlyList<CorpusMessage> messages, ITokenizer tokenizer, ChatTemplate? template)
    {
        for (int turn = 1; turn < messages.Count && template is not null; turn++)
        {
            if (messages[turn].Role == "assistant" && messages[turn - 1].Role != "assistant")
            {
                yield return tokenizer.Encode(template.Render([.. messages.Take(turn).Select(message => new ChatMessage(message.Role, message.Content))], addGenerationPrompt: true));
            }
        }
    }

    private static IEnumerable<int[]> OfText(string text, ITokenizer tokenizer, int? beginToken)
    {
        for (int start = 0; start + (PassageCharacters / 2) < text.Length;)
        {
            int[] ids = tokenizer.EncodeOrdinary(text.Substring(start, Math.Min(RawTokens * 8, text.Length - start)));
            yield return beginToken is { } begin ? [begin, .. ids.Take(RawTokens)] : [.. ids.Take(RawTokens)];
            int line = start + PassageCharacters < text.Length ? text.IndexOf('\n', start + PassageCharacters) : -1;
            start = line < 0 ? text.Length : line + 1;
        }
    }
}

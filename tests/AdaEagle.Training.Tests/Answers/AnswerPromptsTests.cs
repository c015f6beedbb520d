using AdaEagle.Training.Answers;
using AdaEagle.Training.Data;
using AdaEagle.Training.Tests.Tokenizers;

namespace AdaEagle.Training.Tests.Answers;

public sealed class AnswerPromptsTests : IDisposable
{
    private readonly TrainedTokenizer _tokenizer = new();

    public void Dispose() => _tokenizer.Dispose();

    [Fact]
    public void Kinds_take_turns_until_they_are_used_up_and_the_seed_decides_the_order()
    {
        CorpusDocument[] documents = [.. Enumerable.Range(0, 30).Select(i => Dialogue("many", $"Returns the string of {i}?")), .. Enumerable.Range(0, 3).Select(i => Dialogue("few", $"number {i}"))];
        List<AnswerJob> jobs = Jobs(documents, PromptChoice.All, seed: 1);

        Assert.Equal(Enumerable.Range(0, 33), jobs.Select(job => job.Job));
        Assert.Equal(3, jobs.Take(6).Count(job => job.Prompt.Category == "few"));
        Assert.Equal(33, jobs.Select(job => string.Join(' ', job.Prompt.Tokens)).Distinct().Count());
        Assert.Equal(Texts(jobs), Texts(Jobs(documents, PromptChoice.All, seed: 1)));
        Assert.NotEqual(Texts(jobs), Texts(Jobs(documents, PromptChoice.All, seed: 2)));
        Assert.InRange(jobs.Count(job => job.IsSampled), 8, 25);
    }

    [Fact]
    public void A_dialogue_gives_a_prompt_for_every_turn_of_the_assistant_and_a_text_one_for_every_passage()
    {
        CorpusMessage[] messages = [new("user", "one"), new("assistant", "two"), new("user", "three"), new("assistant", "four")];
        CorpusDocument[] documents = [new("talk", messages, null), new("book", null, string.Concat(Enumerable.Range(0, 400).Select(line => $"The end of line {line}.\n")))];
        List<AnswerJob> jobs = Jobs(documents, PromptChoice.All, seed: 1);

        Assert.Equal(
            ["<|endoftext|><|user|>\none<|end|>\n<|assistant|>\n", "<|endoftext|><|user|>\none<|end|>\n<|assistant|>\ntwo<|end|>\n<|user|>\nthree<|end|>\n<|assistant|>\n"],
            Texts(jobs.Where(job => job.Prompt.Category == "talk")).Order(StringComparer.Ordinal));
        AnswerJob[] passages = [.. jobs.Where(job => job.Prompt.Category == "book text")];
        Assert.InRange(passages.Length, 5, 9);
        Assert.All(passages, job => Assert.StartsWith("<|endoftext|>The end of line ", _tokenizer.Tokenizer.Decode(job.Prompt.Tokens), StringComparison.Ordinal));
        Assert.All(passages, job => Assert.Equal(49, job.Prompt.Tokens.Length));
    }

    [Fact]
    public void Held_out_documents_are_either_the_only_ones_or_none_of_them()
    {
        CorpusDocument[] documents = [.. Enumerable.Range(0, 200).Select(i => Dialogue("shell", $"Show me how to use `tool{i}`."))];
        int held = documents.Count(Corpus.IsHeldOut);
        Assert.InRange(held, 8, 45);
        Assert.Equal(held, Jobs(documents, PromptChoice.HeldOut, 1).Count);
        Assert.Equal(200 - held, Jobs(documents, PromptChoice.Training, 1).Count);
        Assert.Empty(Texts(Jobs(documents, PromptChoice.HeldOut, 1)).Intersect(Texts(Jobs(documents, PromptChoice.Training, 1))));
        Assert.Throws<InvalidDataException>(() => Jobs([], PromptChoice.All, 1));
    }

    private static CorpusDocument Dialogue(string category, string question) => new(category, [new("user", question), new("assistant", "It is.")], null);

    private List<AnswerJob> Jobs(CorpusDocument[] documents, PromptChoice choice, int seed) =>
        AnswerPrompts.Jobs(documents, choice, _tokenizer.Tokenizer, _tokenizer.Template, 0, seed, 0.5);

    private List<string> Texts(IEnumerable<AnswerJob> jobs) => [.. jobs.Select(job => _tokenizer.Tokenizer.Decode(job.Prompt.Tokens))];
}

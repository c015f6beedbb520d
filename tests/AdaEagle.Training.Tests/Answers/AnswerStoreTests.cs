using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Tests.Answers;

public sealed class AnswerStoreTests : IDisposable
{
    private static readonly AnswerSettings Settings = new() { Target = "t", Vocabulary = "v", Prompts = PromptChoice.Training, HiddenSize = 2, KeepFeatures = true };
    private readonly string _folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_was_added_is_there_again()
    {
        Fill(3);
        using AnswerStore store = AnswerStore.Open(_folder);
        Assert.Equal(Settings, store.Settings);
        Assert.Equal(Enumerable.Range(0, 3).Select(Example), store.Answers, Same);
        ushort[] features = new ushort[4];
        store.ReadRows(2, features);
        Assert.Equal(Features(2).Take(4), features);
    }

    [Theory]
    [InlineData("answers.bin", 1)]
    [InlineData("answers.bin", 20)]
    [InlineData("features.bin", 3)]
    public void A_record_that_was_half_written_is_taken_away_and_the_run_goes_on(string file, int missing)
    {
        Fill(4);
        string path = Path.Combine(_folder, file);
        using (var stream = new FileStream(path, FileMode.Open))
        {
            stream.SetLength(stream.Length - missing);
        }

        using (AnswerStore store = AnswerStore.Open(_folder, Settings))
        {
            Assert.Equal(Enumerable.Range(0, 3).Select(Example), store.Answers, Same);
            store.Add(Example(3), Features(3));
        }

        using AnswerStore again = AnswerStore.Open(_folder, Settings);
        Assert.Equal(Enumerable.Range(0, 4).Select(Example), again.Answers, Same);
        ushort[] features = new ushort[Features(3).Length];
        again.ReadRows(3, features);
        Assert.Equal(Features(3), features);
    }

    [Fact]
    public void Answers_of_another_run_are_not_mixed_in()
    {
        Fill(1);
        InvalidDataException failure = Assert.Throws<InvalidDataException>(() => AnswerStore.Open(_folder, Settings with { MaxTokens = 64 }));
        Assert.Contains("MaxTokens 128 instead of 64", failure.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => AnswerStore.Open(Path.Combine(_folder, "nothing")));
        File.WriteAllText(Path.Combine(_folder, "run.json"), "{");
        Assert.Throws<InvalidDataException>(() => AnswerStore.Open(_folder));
    }

    [Fact]
    public void Damaged_records_give_fewer_answers_and_nothing_worse()
    {
        Fill(6);
        string path = Path.Combine(_folder, "answers.bin");
        byte[] good = File.ReadAllBytes(path);
        var random = new Random(8);
        for (int attempt = 0; attempt < 200; attempt++)
        {
            byte[] bad = [.. good];
            bad[random.Next(bad.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bad);
            File.WriteAllBytes(Path.Combine(_folder, "features.bin"), new byte[100_000]);
            using AnswerStore store = AnswerStore.Open(_folder);
            Assert.InRange(store.Count, 0, 6);
        }
    }

    [Theory]
    [InlineData(new[] { 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8 }, true)]
    [InlineData(new[] { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, true)]
    [InlineData(new[] { 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 9 }, false)]
    [InlineData(new[] { 1, 2, 3 }, false)]
    public void An_answer_loops_if_eight_tokens_come_twice(int[] answer, bool loops) =>
        Assert.Equal(loops, new Answer(0, "c", [9, .. answer], 1, true, false).IsLooping);

    private static Answer Example(int job) => new(job, $"catégorie {job % 2}", [.. Enumerable.Range(job, 5 + 2 * job)], 2 + job, job % 2 == 0, job % 3 == 0);

    private static ushort[] Features(int job) => [.. Enumerable.Range(100 * job, 2 * (Example(job).Tokens.Length - 1)).Select(value => (ushort)value)];

    private static bool Same(Answer left, Answer right) =>
        left.Tokens.SequenceEqual(right.Tokens) && (left.Job, left.Category, left.PromptLength, left.IsCut, left.IsSampled) == (right.Job, right.Category, right.PromptLength, right.IsCut, right.IsSampled);

    private void Fill(int count)
    {
        using AnswerStore store = AnswerStore.Open(_folder, Settings);
        for (int job = 0; job < count; job++)
        {
            store.Add(Example(job), Features(job));
        }
    }
}

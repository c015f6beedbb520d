using AdaEagle.Cli;
using AdaEagle.Cli.Bench;
using AdaEagle.Formats;
using AdaEagle.Tests.Formats;

namespace AdaEagle.Tests.Cli;

public class QuestionFileTests
{
    [Fact]
    public void Questions_are_read_with_what_they_need_and_other_keys_are_left_alone()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("q.jsonl", """
            {"question_id": 7, "category": "qa", "turns": ["one", "two"], "reference": ["x"]}

            {"question_id": "b-1", "category": "prose", "turns": ["Once"], "raw": true}
            """);
        IReadOnlyList<Question> questions = QuestionFile.Read(file);
        Assert.Equal(["7", "b-1"], questions.Select(question => question.Id));
        Assert.Equal(["one", "two"], questions[0].Turns);
        Assert.Equal([false, true], questions.Select(question => question.Raw));
        Assert.Equal([0, 1], questions.Select(question => question.Index));
    }

    [Theory]
    [InlineData("not json", "it is not JSON")]
    [InlineData("[1]", "no JSON object")]
    [InlineData("""{"category": "a", "turns": ["x"]}""", "question_id")]
    [InlineData("""{"question_id": 1, "turns": ["x"]}""", "category")]
    [InlineData("""{"question_id": 1, "category": "a"}""", "turns")]
    [InlineData("""{"question_id": 1, "category": "a", "turns": []}""", "turns")]
    [InlineData("""{"question_id": 1, "category": "a", "turns": ["x", 3]}""", "turns")]
    [InlineData("""{"question_id": 1, "category": "a", "turns": [""]}""", "turns")]
    [InlineData("""{"question_id": 1, "category": "a", "turns": ["x"], "raw": "yes"}""", "raw")]
    [InlineData("""{"question_id": 1, "category": "a", "turns": ["\ud800"]}""", "surrogate")]
    public void A_wrong_line_is_named_with_file_line_and_format(string line, string problem)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("q.jsonl", """{"question_id": 1, "category": "a", "turns": ["x"]}""" + "\n\n" + line + "\n");
        string message = Assert.Throws<ModelFormatException>(() => QuestionFile.Read(file)).Message;
        Assert.Contains(file, message, StringComparison.Ordinal);
        Assert.Contains("line 3", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.Contains("Spec-Bench", message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_absent_an_empty_and_a_binary_file_are_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<ModelFormatException>(() => QuestionFile.Read(folder.File("absent")));
        Assert.Throws<ModelFormatException>(() => QuestionFile.Read(folder.Write("empty.jsonl", "\n\n")));
        Assert.Throws<ModelFormatException>(() => QuestionFile.Read(folder.Write("binary.jsonl", [0xff, 0xfe, 0x00, 0xd8, 0x0a])));
        Assert.Throws<ModelFormatException>(() => QuestionFile.Read(folder.Write("damaged.jsonl.gz", [0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
    }

    [Fact]
    public void Lines_are_cut_alike_with_and_without_carriage_returns_and_a_last_newline()
    {
        using var folder = new TemporaryFolder();
        string longLine = new('x', 40000);
        Assert.Equal([(1, "a"), (2, ""), (3, longLine), (4, "b")], LimitedLines.Read(folder.Write("a", $"a\r\n\r\n{longLine}\nb")));
        Assert.Equal([(1, "a"), (2, "b")], LimitedLines.Read(folder.Write("b", "a\nb\n")));
        Assert.Empty(LimitedLines.Read(folder.Write("c", "")));
    }

    [Fact]
    public void A_limit_takes_evenly_from_the_suites_and_keeps_the_files_order()
    {
        Question[] questions = [.. "aaaaabbbc".Select((suite, index) => new Question($"{index}", $"{suite}", ["x"], false, index))];
        Assert.Equal([0, 1, 5, 6, 8], QuestionFile.Limit(questions, 5).Select(question => question.Index));
        Assert.Equal([0, 1, 2, 5, 6, 7, 8], QuestionFile.Limit(questions, 7).Select(question => question.Index));
        Assert.Equal([0, 5], QuestionFile.Limit(questions, 2).Select(question => question.Index));
        Assert.Equal(9, QuestionFile.Limit(questions, 0).Count);
        Assert.Equal(9, QuestionFile.Limit(questions, 100).Count);
    }
}

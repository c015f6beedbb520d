using System.IO.Compression;
using System.Text;
using AdaEagle.Training.Data;

namespace AdaEagle.Training.Tests.Data;

public sealed class CorpusTests : IDisposable
{
    private const string Dialogue = """{"category":"shell","messages":[{"role":"user","content":"Explain tar."},{"role":"assistant","content":"Archives."}]}""";
    private readonly string _folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("corpus.jsonl")]
    [InlineData("corpus.jsonl.gz")]
    public void Dialogues_and_texts_are_read_from_json_lines_packed_or_not(string name)
    {
        string path = Write(name, Dialogue + "\r\n\n" + """{"category":"book","text":"# Ünïcode 漢字\nline"}""");

        CorpusDocument[] documents = [.. Corpus.Read(path)];

        Assert.Equal(2, documents.Length);
        Assert.Equal("shell", documents[0].Category);
        Assert.Equal([new("user", "Explain tar."), new("assistant", "Archives.")], documents[0].Messages!);
        Assert.Null(documents[0].Text);
        Assert.Equal(new CorpusDocument("book", null, "# Ünïcode 漢字\nline"), documents[1]);
    }

    [Theory]
    [InlineData("notes.txt")]
    [InlineData("notes.md.gz")]
    public void Any_other_file_is_one_text_whose_category_is_its_name(string name)
    {
        CorpusDocument document = Assert.Single(Corpus.Read(Write(name, "first\nsecond\n")));

        Assert.Equal("first\nsecond\n", document.Text);
        Assert.StartsWith("notes", document.Category, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"category\":\"a\",\"text\":", "no JSON")]
    [InlineData("[1]", "not an array")]
    [InlineData("""{"text":"x"}""", "\"category\" is missing")]
    [InlineData("""{"category":3,"text":"x"}""", "not a number")]
    [InlineData("""{"category":"a"}""", "neither")]
    [InlineData("""{"category":"a","text":"x","messages":[{"role":"user","content":"x"}]}""", "both")]
    [InlineData("""{"category":"a","text":""}""", "\"text\" is empty")]
    [InlineData("""{"category":"a","text":null}""", "not null")]
    [InlineData("""{"category":"a","messages":[]}""", "not an empty array")]
    [InlineData("""{"category":"a","messages":{}}""", "not an object")]
    [InlineData("""{"category":"a","messages":["x"]}""", "not a string")]
    [InlineData("""{"category":"a","messages":[{"role":"user"}]}""", "\"content\" is missing")]
    [InlineData("""{"category":"a","messages":[{"role":"","content":"x"}]}""", "\"role\" is empty")]
    [InlineData("""{"category":"a","text":"\ud800"}""", "no text")]
    public void A_broken_line_is_named_with_what_is_wrong_and_what_a_line_is(string line, string problem)
    {
        string path = Write("bad.jsonl", Dialogue + "\n" + line + "\n");

        var exception = Assert.Throws<CorpusException>(() => Corpus.Read(path).Count());

        Assert.Equal((path, 2L), (exception.File, exception.Line));
        Assert.StartsWith($"{path}, line 2: ", exception.Message, StringComparison.Ordinal);
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
        Assert.EndsWith("\"text\": \"…\"}.", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_refused_not_followed()
    {
        string path = Write("deep.jsonl", $"{{\"category\":\"a\",\"text\":{new string('[', 100_000)}");

        Assert.Equal(1, Assert.Throws<CorpusException>(() => Corpus.Read(path).Count()).Line);
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("--corpus", Assert.Throws<CorpusException>(() => Corpus.Read(Path.Combine(_folder, "none.jsonl")).Count()).Message, StringComparison.Ordinal);

    [Fact]
    public void Bytes_that_are_not_utf8_are_refused()
    {
        string path = Path.Combine(_folder, "latin.jsonl");
        File.WriteAllBytes(path, [.. Encoding.UTF8.GetBytes(Dialogue + "\n"), 0xE9, 0xFF]);

        Assert.Contains("UTF-8", Assert.Throws<CorpusException>(() => Corpus.Read(path).Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_gzip_is_refused()
    {
        string path = Write("packed.jsonl.gz", string.Concat(Enumerable.Range(0, 2000).Select(i => $"{{\"category\":\"a\",\"text\":\"number {i * 7919 % 1000}\"}}\n")));
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, [.. bytes.Take(100), .. bytes.Skip(100).Select(value => (byte)(value ^ 0x5A))]);

        var exception = Assert.Throws<CorpusException>(() => Corpus.Read(path).Count());

        Assert.Equal(path, exception.File);
    }

    [Fact]
    public void A_line_without_end_is_refused_before_it_fills_the_memory()
    {
        string path = Path.Combine(_folder, "bomb.jsonl.gz");
        using (var packed = new GZipStream(File.Create(path), CompressionLevel.Fastest))
        {
            byte[] spaces = new byte[1 << 20];
            Array.Fill(spaces, (byte)' ');
            for (int i = 0; i < 40; i++)
            {
                packed.Write(spaces);
            }
        }

        Assert.Contains("longer than", Assert.Throws<CorpusException>(() => Corpus.Read(path).Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_text_file_is_refused() =>
        Assert.Contains("no text", Assert.Throws<CorpusException>(() => Corpus.Read(Write("empty.txt", " \n")).Count()).Message, StringComparison.Ordinal);

    private string Write(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        byte[] bytes = Encoding.UTF8.GetBytes(content);
        using Stream file = File.Create(path);
        using Stream stream = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Optimal) : file;
        stream.Write(bytes);
        return path;
    }
}

using System.IO.Compression;
using System.Text;
using System.Text.Json;
using AdaEagle.Formats;
using AdaEagle.Tests.Formats;
using AdaEagle.Tests.Models;
using AdaEagle.Tests.Speculation;

namespace AdaEagle.Tests.Cli;

public class InspectTests(TinyCliModel model) : IClassFixture<TinyCliModel>
{
    [Fact]
    public void A_model_folder_is_described_with_all_its_parts()
    {
        JsonElement root = Inspect(model.Folder);
        Assert.Equal("model", root.GetProperty("kind").GetString());
        Assert.Equal(259, root.GetProperty("vocabulary").GetInt32());
        Assert.Equal("F32", root.GetProperty("formats")[0].GetProperty("type").GetString());
        Assert.Equal([256], root.GetProperty("end_tokens").EnumerateArray().Select(token => token.GetInt32()));
        Assert.Equal(3, root.GetProperty("tokenizer").GetProperty("special_tokens").GetInt32());
        Assert.Equal("<|user|>Hello<|end|><|assistant|>", root.GetProperty("chat_template").GetProperty("example").GetString());
        Assert.Equal(8, root.GetProperty("ldlp").GetProperty("k_max").GetInt32());

        // Matrices of 3 layers and the LM head, in floats: q, k, v, o; gate, up, down; 48 x 259.
        long layer = (48 * 48) + (2 * 24 * 48) + (48 * 48) + (3 * 48 * 80), lmHead = 48 * 259;
        Assert.Equal(4 * ((3 * layer) + lmHead), root.GetProperty("pass_bytes").GetInt64());
        Assert.Equal((double)((2 * 48 * 48) + layer + lmHead) / ((3 * layer) + lmHead), root.GetProperty("eagle").GetProperty("draft_cost").GetDouble(), 12);
        Assert.Equal((3 * (layer + 96)) + 48 + (2 * lmHead), root.GetProperty("parameters").GetInt64());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Survival_predictor_and_stop_head_are_described_beside_either_kind_of_draft_head(bool eagle3)
    {
        using var folder = new TemporaryFolder();
        ModelConfig target = TinyModels.Config with { LayerCount = 5 }, head = target with { LayerCount = 1, Eagle3 = eagle3 ? new Eagle3Config { DraftVocabularySize = 24 } : null };
        TinyModels.WriteInto(folder.Path, target, 1, head: head);
        TinySurvivals.Write(folder.File("survival"), target.HiddenSize, 1, maxDraft: 7);
        TinyStopHeads.Write(folder.File("stop"), target.HiddenSize, 1, maxDraft: 6);
        JsonElement root = Inspect(folder.Path), survival = root.GetProperty("survival");
        Assert.Equal(eagle3 ? "EAGLE-3" : "EAGLE-1", root.GetProperty("eagle").GetProperty("generation").GetString());
        Assert.Equal(("survival predictor", folder.File("survival"), 7), (survival.GetProperty("kind").GetString(), survival.GetProperty("path").GetString(), survival.GetProperty("k_max").GetInt32()));
        Assert.True(survival.GetProperty("parameters").GetInt64() > 12 * 2 * target.HiddenSize);
        JsonElement stop = root.GetProperty("stop");
        Assert.Equal(("stop head", 6), (stop.GetProperty("kind").GetString(), stop.GetProperty("k_max").GetInt32()));
        Assert.Equal(JsonValueKind.Null, root.GetProperty("ldlp").ValueKind);
        Assert.Equal("survival predictor", Inspect(folder.File("survival")).GetProperty("kind").GetString());
        Assert.Contains("\nsurvival\n", CliRun.Of("inspect", folder.Path).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("eagle", "draft head")]
    [InlineData("ldlp", "draft length predictor")]
    [InlineData("model.safetensors", "tensors")]
    [InlineData("tokenizer.json", "tokenizer")]
    [InlineData("tokenizer_config.json", "chat template")]
    [InlineData("config.json", "configuration")]
    [InlineData("ldlp/config.json", "configuration")]
    public void Each_part_is_described_by_itself_for_machines_and_people(string part, string kind)
    {
        string path = Path.Combine(model.Folder, part);
        Assert.Equal(kind, Inspect(path).GetProperty("kind").GetString());
        CliRun text = CliRun.Of("inspect", path);
        Assert.Equal(0, text.Code);
        Assert.Contains(kind, text.Out.Split('\n')[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Files_of_lines_are_counted_by_category()
    {
        using var folder = new TemporaryFolder();
        string lines = """
            {"category": "a", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
            {"category": "b", "text": "some text"}
            {"question_id": 1, "category": "b", "turns": ["x", "yz"]}
            """;
        using (var packed = new GZipStream(File.Create(folder.File("documents.jsonl.gz")), CompressionLevel.Fastest))
        {
            packed.Write(Encoding.UTF8.GetBytes(lines));
        }

        foreach (string path in (string[])[folder.Write("documents.jsonl", lines), folder.File("documents.jsonl.gz")])
        {
            JsonElement root = Inspect(path);
            Assert.Equal(3, root.GetProperty("entries").GetInt32());
            Assert.Equal(7 + 9 + 3, root.GetProperty("characters").GetInt32());
            Assert.Equal([1, 2], root.GetProperty("categories").EnumerateArray().Select(category => category.GetProperty("entries").GetInt32()));
            Assert.Equal(["dialogue", "question", "text"], root.GetProperty("kinds").EnumerateObject().Select(kind => kind.Name));
        }
    }

    [Fact]
    public void What_cannot_be_read_is_one_line()
    {
        using var folder = new TemporaryFolder();
        CliRun.Of("inspect", folder.File("absent")).FailsWith(1, "there is no such file or folder");
        CliRun.Of("inspect", folder.Path).FailsWith(1, "no config.json", ".safetensors");
        CliRun.Of("inspect", folder.Write("notes.txt", "x")).FailsWith(1, "not known", ".safetensors");
        CliRun.Of("inspect", folder.Write("model.safetensors", "x")).FailsWith(1, "model.safetensors");
        CliRun.Of("inspect", folder.Write("a.jsonl", "{\"text\": \"x\"}\n{}\n")).FailsWith(1, "line 2");
        CliRun.Of("inspect", folder.Write("config.json", "[")).FailsWith(1, "config.json", "JSON");
        CliRun.Of("inspect", folder.Write("generation_config.json", "{\"top_k\": \"x\"}")).FailsWith(1, "top_k");
    }

    private static JsonElement Inspect(string path)
    {
        CliRun run = CliRun.Of("inspect", "--json", path);
        Assert.True(run.Code == 0, run.Error);
        using JsonDocument document = JsonDocument.Parse(run.Out);
        return document.RootElement.Clone();
    }
}

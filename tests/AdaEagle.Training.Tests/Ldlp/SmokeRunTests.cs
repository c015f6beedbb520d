using System.CommandLine;
using System.IO.Compression;
using System.Text.Json;
using AdaEagle.Generation;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Commands;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Torch;

namespace AdaEagle.Training.Tests.Ldlp;

/// <summary>The whole tool on a tiny corpus: tokenizer, target, head and predictor, then decoding with them.</summary>
public sealed class SmokeRunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Trained_by_the_tool_a_head_is_accepted_and_decoding_with_it_changes_nothing()
    {
        string corpus = Corpus("train.jsonl.gz", 0, 700), dev = Corpus("dev.jsonl.gz", 5000, 60);
        Run("tokenizer", "--corpus", corpus, "--vocabulary", "288", "--out", At("tokenizer"));
        Run("target", "--corpus", corpus, "--tokenizer", At("tokenizer"), "--steps", "150", "--batch", "8", "--length", "64", "--hidden", "64", "--layers", "2", "--heads", "2",
            "--kv-heads", "1", "--ffn", "128", "--rate", "0.01", "--warm-up", "10", "--products", "f32", "--out", At("target"));
        string target = At("target/export");
        string head = Run("eagle", "--target", target, "--corpus", corpus, "--validation", dev, "--validation-answers", "24", "--answers", "250", "--max-tokens", "40", "--steps", "160",
            "--batch", "1024", "--heads", "2", "--kv-heads", "1", "--ffn", "128", "--unroll", "2", "--products", "f32", "--out", At("eagle"));
        string predictor = Run("ldlp", "--target", target, "--head", head, "--corpus", corpus, "--validation", dev, "--answers", "60", "--validation-answers", "24", "--max-tokens", "40",
            "--width", "16", "--lambda", "1.5", "3", "--longest-prediction", "4", "--epochs", "8", "--k-max", "6", "--out", At("ldlp"));

        string survival = Run("ldlp", "--kind", "survival", "--target", target, "--head", head, "--corpus", corpus, "--validation", dev, "--answers", "80", "--validation-answers", "24",
            "--max-tokens", "40", "--width", "16", "--step-width", "16", "--epochs", "4", "--k-max", "6", "--sampled", "0.3", "--temperature", "0.8", "--step-temperatures", "0.6", "1",
            "--scalar", predictor, "--out", At("survival"));
        CheckSurvival(survival);
        DateTime recorded = File.GetLastWriteTimeUtc(At("survival/held-out-steps.safetensors"));
        string stop = Run("ldlp", "--kind", "stop", "--target", target, "--head", head, "--corpus", corpus, "--validation", dev, "--answers", "80", "--validation-answers", "24",
            "--max-tokens", "40", "--width", "16", "--epochs", "4", "--k-max", "6", "--sampled", "0.3", "--temperature", "0.8", "--step-temperatures", "0.6", "1", "--out", At("survival"));
        Assert.Equal(recorded, File.GetLastWriteTimeUtc(At("survival/held-out-steps.safetensors")));
        CheckStop(stop);
        string third = Run("eagle", "--head", "eagle3", "--draft-vocabulary", "128", "--boundaries", "0,1,2", "--target", target, "--corpus", corpus, "--answers", "250", "--max-tokens", "40",
            "--steps", "160", "--batch", "1024", "--heads", "2", "--kv-heads", "1", "--ffn", "128", "--unroll", "2", "--products", "f32", "--out", At("eagle3"));

        double[] losses = [.. new TrainingLog(At("eagle/log.jsonl"), long.MaxValue).Entries.Select(entry => entry.Loss)];
        Assert.True(losses[^1] < 0.6 * losses[0], $"The head's loss went from {losses[0]} to {losses[^1]}.");
        Assert.True(File.Exists(At("eagle/loss.png")) && File.Exists(At("ldlp/loss.png")));
        Assert.True(AcceptanceAtFirst(target, head, dev) > 0.3);
        losses = [.. new TrainingLog(At("eagle3/log.jsonl"), long.MaxValue).Entries.Select(entry => entry.Loss)];
        Assert.True(losses[^1] < 0.6 * losses[0], $"The EAGLE-3 head's loss went from {losses[0]} to {losses[^1]}.");
        Assert.True(AcceptanceAtFirst(target, third, dev) > 0.3);

        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(At("ldlp/report.json")));
        Assert.Equal(2, report.RootElement.GetProperty("tried").GetArrayLength());
        using LanguageModel model = LanguageModel.Load(target, new LoadOptions { DraftFolder = head, PredictorFolder = predictor, StopFolder = stop });
        Assert.Empty(model.Warnings);
        int accepted = 0;
        foreach (string prompt in (string[])["Count from 7.", "Count from 61.", "What comes after 33?"])
        {
            foreach (float temperature in (float[])[0, 0.8f])
            {
                GenerationOptions options = new() { MaxTokens = 40, Sampling = new() { Temperature = temperature, Seed = 7 } };
                IReadOnlyList<int> plain = model.Generate(prompt, options with { Policy = "ar" }, TestContext.Current.CancellationToken).Tokens;
                foreach (string policy in (string[])["fixed:3", "threshold:-0.6", "ldlp", "ldlp+threshold:-0.6", "specdec++:0.6"])
                {
                    GenerationResult result = model.Generate(prompt, options with { Policy = policy }, TestContext.Current.CancellationToken);
                    Assert.Equal(plain, result.Tokens);
                    accepted += result.Statistics.Accepted;
                }
            }
        }

        Assert.True(accepted > 0);
        CopyTarget(target);
        Assert.Contains("another target", Fail("eagle", "--target", At("target/other"), "--corpus", corpus, "--steps", "1", "--resume", "--out", At("eagle")), StringComparison.Ordinal);
        Assert.Contains("--resume", Fail("eagle", "--target", target, "--corpus", corpus, "--steps", "1", "--out", At("eagle")), StringComparison.Ordinal);
        Run("eagle", "--target", target, "--corpus", corpus, "--answers-from", At("eagle/answers"), "--steps", "2", "--resume", "--batch", "1024", "--out", At("eagle"));
        Assert.Contains("--for-eagle3", Fail(
            "eagle", "--head", "eagle3", "--boundaries", "0,1,2", "--target", target, "--corpus", corpus, "--answers-from", At("eagle/answers"), "--steps", "2", "--out", At("none")), StringComparison.Ordinal);
        Run("eagle", "--target", target, "--corpus", corpus, "--answers-from", At("eagle3/answers"), "--steps", "2", "--resume", "--batch", "1024", "--out", At("eagle3"));
        Assert.Equal(162, EagleFiles.Describe(At("eagle3/checkpoint.safetensors")).State.Step);
        Assert.Equal(162, EagleFiles.Describe(At("eagle/checkpoint.safetensors")).State.Step);
        Assert.Contains("from 1 to 6", Fail("ldlp", "--target", target, "--head", head, "--corpus", corpus, "--k-max", "6", "--longest-prediction", "7", "--out", At("ldlp")), StringComparison.Ordinal);
        Assert.Contains("above 1", Fail("ldlp", "--target", target, "--head", head, "--corpus", corpus, "--lambda", "0.5", "--out", At("ldlp")), StringComparison.Ordinal);
    }

    private void CheckSurvival(string export)
    {
        Assert.True(File.Exists(Path.Combine(export, "model.safetensors")) && File.Exists(At("survival/loss.png")));
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(At("survival/report.json")));
        string[] policies = [.. report.RootElement.GetProperty("simulation").EnumerateArray().Select(row => row.GetProperty("Policy").GetString()!)];
        Assert.Equal(["oracle", "survival, planned", "auto, chains", "auto, with siblings"], policies[^4..]);
        Assert.Contains("ldlp", policies);
        JsonElement all = report.RootElement.GetProperty("all_roots").EnumerateArray().Single(row => row.GetProperty("Text").GetString() == "all");
        Assert.InRange(all.GetProperty("RightAuc").GetDouble(), 0.5, 1);
        Assert.NotEmpty(report.RootElement.GetProperty("reliability").EnumerateArray());
    }

    private void CheckStop(string export)
    {
        Assert.True(File.Exists(Path.Combine(export, "model.safetensors")) && File.Exists(At("survival/stop-loss.png")));
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(At("survival/stop-report.json")));
        Assert.InRange(report.RootElement.GetProperty("auc").GetDouble(), 0.5, 1);
        JsonElement[] rows = [.. report.RootElement.GetProperty("simulation").EnumerateArray()];
        JsonElement[] own = [.. rows.Where(row => row.GetProperty("Policy").GetString()!.StartsWith("specdec++:", StringComparison.Ordinal))];
        Assert.Equal(12, own.Length);

        // A larger H never drafts less; every draft has a token.
        double[] drafted = [.. own.Select(row => row.GetProperty("Drafted").GetDouble())];
        Assert.True(drafted[0] >= 1 && drafted[^1] <= 6);
        Assert.Equal(drafted.Order(), drafted);
    }

    private double AcceptanceAtFirst(string folder, string head, string dev)
    {
        using AnsweringTarget target = AnsweringTarget.Load(folder);
        using AnswerStore answers = AnswerStore.Open(At("eagle/validation"));
        using Models.EagleHead loaded = Models.EagleHead.Load(head, target.Model);
        return Acceptance.Measure(target.Model, loaded, [.. answers.Answers], 6, 2).Single(row => row.Text == "all").Conditional[0];
    }

    /// <summary>A target that differs in its weights' file.</summary>
    private void CopyTarget(string folder)
    {
        Directory.CreateDirectory(At("target/other"));
        foreach (string file in Directory.GetFiles(folder))
        {
            File.Copy(file, At($"target/other/{Path.GetFileName(file)}"));
        }

        using Formats.ITensorSource source = Formats.SafeTensors.Open(Path.Combine(folder, "model.safetensors"));
        var tensors = source.Tensors.Values.Select(info => Formats.TensorData.FromF32(info.Name, info.Shape, Formats.TensorSourceExtensions.ReadF32(source, info.Name, [.. info.Shape]), Formats.TensorType.F32)).ToList();
        Formats.SafeTensors.Write(At("target/other/model.safetensors"), tensors);
    }

    private string At(string path) => Path.Combine(_folder, path);

    private string Corpus(string name, int first, int count)
    {
        string path = At(name);
        using var writer = new StreamWriter(new GZipStream(File.Create(path), CompressionLevel.Fastest));
        foreach (int index in Enumerable.Range(first, count))
        {
            int start = index * 7 % 90;
            (string question, string answer) = index % 2 == 0
                ? ($"Count from {start}.", string.Join(", ", Enumerable.Range(start, 8)) + ".")
                : ($"What comes after {start}? ({index})", $"After {start} comes {start + 1}, and then {start + 2}.");
            writer.WriteLine(JsonSerializer.Serialize(new
            {
                category = index % 2 == 0 ? "count" : "after",
                messages = new[] { new { role = "user", content = question }, new { role = "assistant", content = answer } },
            }));
        }

        return path;
    }

    private static string Run(params string[] arguments)
    {
        (int code, string output, string error) = Invoke(arguments);
        Assert.True(code == 0, $"{string.Join(' ', arguments)}: {error}");
        return output.Trim();
    }

    private static string Fail(params string[] arguments)
    {
        (int code, _, string error) = Invoke(arguments);
        Assert.NotEqual(0, code);
        return error;
    }

    private static (int Code, string Output, string Error) Invoke(string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = CommandRunner.Run(
            new RootCommand("test") { TokenizerCommand.Create(), TargetCommand.Create(), EagleCommand.Create(), LdlpCommand.Create() }, arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }
}

using AdaEagle.Formats;
using AdaEagle.Sampling;
using AdaEagle.Models;
using AdaEagle.Speculation;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Tests.Tokenizers;
using AdaEagle.Training.Tests.Torch;
using AdaEagle.Training.Torch;
using TorchSharp;

namespace AdaEagle.Training.Tests.Answers;

/// <summary>A small target with uneven random weights in a folder, as the engine loads it; deleted at the end.</summary>
internal sealed class SmallTarget : IDisposable
{
    private readonly TrainedTokenizer _tokenizer = new();

    public SmallTarget()
    {
        Folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        string tokenizer = Path.Combine(Folder, "tokenizer");
        Training.Tokenizers.TokenizerFolder.Write(tokenizer, _tokenizer.Vocabulary);
        ModelConfig config = SmallModels.Config with { VocabularySize = 352, MaxPositions = 512, EosTokens = [1, 0] };
        using Training.Torch.LlamaModel model = SmallModels.Create(config, torch.ScalarType.Float32);
        TargetExport.Write(Path.Combine(Folder, "target"), model, tokenizer);
        Target = AnsweringTarget.Load(Path.Combine(Folder, "target"));
    }

    public string Folder { get; }

    public AnsweringTarget Target { get; }

    public AnswerSettings Settings(int maxTokens, bool features = false) => new()
    {
        Target = Target.Fingerprint, Vocabulary = Target.Tokenizer.Fingerprint, Prompts = PromptChoice.All, HiddenSize = Target.Model.Config.HiddenSize,
        MaxTokens = maxTokens, Temperature = 0.9f, Seed = 5, KeepFeatures = features,
    };

    /// <summary>Jobs with random prompts of 3 to 40 tokens, every other one sampled.</summary>
    public static AnswerJob[] Jobs(int count, int seed = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(job => new AnswerJob(
            job, new AnswerPrompt(job % 3 == 0 ? "a" : "b", [.. Enumerable.Range(0, random.Next(3, 41)).Select(_ => random.Next(2, 350))]), job % 2 == 1))];
    }

    /// <summary>The answers to some jobs, by job.</summary>
    public List<(Answer Answer, ushort[] Features)> Answer(AnswerSettings settings, IEnumerable<AnswerJob> jobs, int threads, IEnumerable<int>? endTokens = null)
    {
        var answers = new List<(Answer, ushort[])>();
        new AnswerGenerator(Target.Model, settings, endTokens ?? Target.EndTokens).Run(jobs, threads, (answer, features) =>
        {
            answers.Add((answer, features.ToArray()));
            return true;
        });
        return [.. answers.OrderBy(item => item.Item1.Job)];
    }

    /// <summary>What plain decoding of the job alone gives.</summary>
    public int[] Alone(AnswerSettings settings, AnswerJob job, ICollection<int> endTokens)
    {
        using var target = new LlamaTarget(Target.Model);
        using var decoder = new SpeculativeDecoder(target, 0);
        var sampler = new Sampler(new SamplingOptions { Temperature = job.IsSampled ? settings.Temperature : 0, Seed = (ulong)settings.Seed, Sequence = job.Job });
        List<int> tokens = [.. job.Prompt.Tokens, decoder.Prefill(job.Prompt.Tokens, settings.MaxTokens, sampler, endTokens.Contains, null, null)];
        while (!endTokens.Contains(tokens[^1]) && tokens.Count < job.Prompt.Tokens.Length + settings.MaxTokens)
        {
            tokens.Add(decoder.Round(1, out _)[0]);
        }

        return [.. tokens];
    }

    public void Dispose()
    {
        Target.Dispose();
        _tokenizer.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}

using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Ldlp;
using AdaEagle.Training.Tests.Answers;
using AdaEagle.Training.Tests.Eagle;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Ldlp;

public class LdlpTests
{
    [Fact]
    public void Trainer_and_engine_predict_the_same_scalar()
    {
        using var small = new SmallTarget();
        using var scope = NewDisposeScope();
        using var none = no_grad();
        int hidden = small.Target.Model.Config.HiddenSize;
        manual_seed(6);
        using var model = new LdlpModel(randn(2 * hidden), rand(2 * hidden) + 0.5, width: 48, start: 2, seed: 3);
        foreach (Tensor parameter in model.Parameters.Values)
        {
            parameter.add_(randn(parameter.shape).mul_(0.1));
        }

        string folder = Path.Combine(small.Folder, "ldlp");
        model.Export(folder, new Dictionary<string, JsonNode?> { ["k_max"] = 8, ["lambda"] = 2.5, ["target_vocabulary"] = small.Target.Tokenizer.Fingerprint }, TensorType.F32);
        using LdlpWeights weights = LdlpWeights.Load(folder, small.Target.Model);
        using var predictor = new DraftLengthPredictor(weights);
        Assert.Equal((8, 48, small.Target.Tokenizer.Fingerprint), (weights.MaxDraft, weights.Width, weights.VocabularyFingerprint));
        float[] embedding = small.Target.Embedding();
        for (int token = 0; token < 50; token++)
        {
            float[] feature = randn(hidden).data<float>().ToArray();
            Tensor input = tensor((float[])[.. embedding.AsSpan(token * hidden, hidden), .. feature]).unsqueeze(0);
            float expected = model.Forward(input, 0).item<float>(), actual = predictor.Predict(token, feature);
            Assert.Equal(expected, actual, 1e-4 * (1 + Math.Abs(expected)));
        }
    }

    [Fact]
    public void Training_finds_what_the_input_says_about_the_length_and_beats_the_best_constant()
    {
        var random = new Random(1);
        const int Hidden = 8;
        float[] embedding = [.. Enumerable.Range(0, 4 * Hidden).Select(_ => random.NextSingle())];
        AnswerRoots[] answers = [.. Enumerable.Range(0, 120).Select(job =>
        {
            float[] features = [.. Enumerable.Range(0, 20 * Hidden).Select(_ => random.NextSingle() * 2 - 1)];
            PredictorRoot[] roots = [.. Enumerable.Range(0, 20).Select(root => new PredictorRoot(random.Next(4), (int)Math.Clamp(3 + 4 * features[root * Hidden], 0, 8), []))];
            return new AnswerRoots(job, "c", false, false, roots, features);
        })];
        var table = new RootTable(Hidden, answers);
        (LdlpModel model, List<LdlpEpoch> epochs) = LdlpTrainer.Train(
            table, embedding, new LdlpOptions { Lambda = 2, Width = 16, BatchSize = 128, Epochs = 40, Patience = 40, Rate = 5e-3, Dropout = 0, WeightDecay = 0.01 }, (_, _) => { });
        using LdlpModel trained = model;

        int[] labels = [.. answers.SelectMany(answer => answer.Roots).Select(root => root.Label)];
        int constant = LdlpTrainer.BestConstant(labels, 2);
        Assert.Equal(labels.Order().ElementAt(labels.Length * 2 / 3), constant); // the lambda / (1 + lambda) quantile
        double constantLoss = labels.Average(label => LdlpTrainer.Loss(constant, label, 2));
        Assert.InRange(epochs.Min(epoch => epoch.AsideLoss), 0, 0.4 * constantLoss);
        Assert.True(epochs[^1].TrainingLoss < 0.5 * epochs[0].TrainingLoss);
    }

    [Fact]
    public void The_loss_is_lambda_times_dearer_below_the_label()
    {
        using var scope = NewDisposeScope();
        Assert.Equal((6.0, 2.0, 0.0), (LdlpTrainer.Loss(1, 3, 3), LdlpTrainer.Loss(5, 3, 3), LdlpTrainer.Loss(3, 3, 3)));
        Assert.Equal(8.0 / 3, LdlpTrainer.Loss(tensor((float[])[1, 5, 3]), tensor((float[])[3, 3, 3]), 3).item<float>(), 1e-6);
    }

    [Fact]
    public void The_input_of_a_root_is_the_token_and_feature_before_it()
    {
        var answer = new Answer(3, "c", [10, 11, 12, 13, 14, 1], 2, false, false);
        float[] features = [.. Enumerable.Range(0, 10).Select(value => (float)value)];
        AnswerRoots roots = RootTable.Of(new AnswerRuns(answer, [new RunRoot(2, 3, []), new RunRoot(3, 0, []), new RunRoot(4, 1, [])], features), hidden: 2);
        Assert.Equal([(11, 3), (12, 0), (13, 1)], roots.Roots.Select(root => (root.Token, root.Label)));
        Assert.Equal([2f, 3, 4, 5, 6, 7], roots.Features); // f_1, f_2, f_3
    }

    [Fact]
    public void Recorded_roots_come_back_from_their_file()
    {
        string folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        try
        {
            string path = Path.Combine(folder, "roots.safetensors");
            AnswerRoots[] answers =
            [
                new(4, "api", true, false, [new(7, 2, [-0.5f, -1]), new(8, 0, [-0.1f, -3])], [1, 2, 3, 4]),
                new(9, "math", false, true, [new(1, 1, [-2, -2.5f])], [5, 6]),
            ];
            RootFile.Write(path, new RootTable(2, answers), "key");
            Assert.Null(RootFile.TryRead(path, 2, "another key"));
            Assert.Null(RootFile.TryRead(path + "x", 2, "key"));
            RootTable read = RootFile.TryRead(path, 2, "key")!;
            Assert.Equal(answers.Select(Describe), read.Answers.Select(Describe));

            AnswerRoots[] bare = [.. answers.Select(answer => answer with { Roots = [.. answer.Roots.Select(root => root with { LogProbabilities = [] })] })];
            RootFile.Write(path, new RootTable(2, bare), "key");
            Assert.Equal(bare.Select(Describe), RootFile.TryRead(path, 2, "key")!.Answers.Select(Describe));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static string Describe(AnswerRoots answer) =>
            $"{answer.Job} {answer.Category} {answer.IsLooping} {answer.IsCut} {string.Join(' ', answer.Features)} | {string.Join(' ', answer.Roots.Select(root => $"{root.Token} {root.Label} {string.Join(',', root.LogProbabilities)}"))}";
    }
}

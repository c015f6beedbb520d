using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Ldlp;
using AdaEagle.Training.Tests.Answers;
using AdaEagle.Training.Tests.Eagle;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Ldlp;

public class SurvivalTests
{
    private const int MaxDraft = StepTables.MaxDraft;

    [Fact]
    public void Trainer_and_engine_say_the_same()
    {
        using var head = new SmallHead();
        int hidden = head.Small.Target.Model.Config.HiddenSize;
        StepTable table = StepTables.Record(head, [.. StepTables.Answers(head).Take(6)], whole: true);
        using var scope = NewDisposeScope();
        using var none = no_grad();
        manual_seed(6);
        int planInputs = (2 * hidden) + SurvivalWeights.RootInputs, stepInputs = hidden + StepSignals.Count;
        using var model = new SurvivalModel(
            new ResidualMlpModel("plan.", randn(planInputs), rand(planInputs) + 0.5, 24, SurvivalWeights.PlanBlocks, [1, 0.5f, 0, -0.5f], 3),
            new ResidualMlpModel("step.", randn(stepInputs), rand(stepInputs) + 0.5, 20, SurvivalWeights.StepBlocks, [0.5f, 0.2f], 4), hidden, MaxDraft)
        {
            Resolved = 0.4, SiblingWeights = [0.5f, 0.1f, 0.6f, 0.2f, 0.7f, 0.3f], SiblingBiases = [-1, -2, -3],
        };
        foreach (Tensor parameter in model.Plan.Parameters.Values.Concat(model.Step.Parameters.Values))
        {
            parameter.add_(randn(parameter.shape).mul_(0.1));
        }

        model.Plan.Recalibrate(0, MaxDraft - 1, 0.9, 0.1);
        model.Step.Recalibrate(1, 1, 0.8, -0.2);
        string folder = Path.Combine(head.Small.Folder, "survival");
        model.Export(folder, new Dictionary<string, JsonNode?> { ["target_vocabulary"] = head.Small.Target.Tokenizer.Fingerprint }, TensorType.F32);
        using SurvivalWeights weights = SurvivalWeights.Load(folder, head.Small.Target.Model);
        using var predictor = new SurvivalPredictor(weights);
        Assert.Equal((MaxDraft, 0.4, head.Small.Target.Tokenizer.Fingerprint), (weights.MaxDraft, weights.Resolved, weights.VocabularyFingerprint));

        SurvivalPredictions actual = SurvivalRun.Predict(predictor, table);
        float[][] plans = SurvivalInputs.Plans(model.Plan, table, head.Small.Target.Embedding());
        StepEstimate[][] estimates = SurvivalInputs.Estimates(model.Step, table, plans);
        for (int number = 0; number < table.Answers.Count; number++)
        {
            Assert.All(plans[number].Zip(actual.Plans[number]), pair => Assert.Equal(pair.First, pair.Second, 1e-5 * (10 + Math.Abs(pair.First))));
            Assert.All(estimates[number].Zip(actual.Estimates[number]), pair => Assert.Equal(pair.First.Right, pair.Second.Right, 1e-5 * (10 + Math.Abs(pair.First.Right))));
            Assert.All(estimates[number].Zip(actual.Estimates[number]), pair => Assert.Equal(pair.First.Next, pair.Second.Next, 1e-5 * (10 + Math.Abs(pair.First.Next))));
        }
    }

    [Fact]
    public void Recorded_steps_tell_the_truth_of_greedy_answers_and_the_targets_probabilities_of_sampled_ones()
    {
        using var head = new SmallHead();
        Answer[] answers = [.. StepTables.Answers(head)];
        Assert.Contains(answers, answer => answer.IsSampled);
        StepTable whole = StepTables.Record(head, answers, whole: true), brief = StepTables.Record(head, answers, whole: false);
        using var engine = new LlamaTarget(head.Small.Target.Model, maxRows: 128, maxLogitRows: 128);
        foreach ((Answer answer, AnswerSteps steps, AnswerSteps shorter) in answers.Zip(whole.Answers, brief.Answers))
        {
            Assert.Equal((answer.Job, answer.IsSampled, answer.IsCut), (steps.Job, steps.IsSampled, steps.IsCut));
            for (int index = 0; index < steps.Roots.Length; index++)
            {
                StepRoot root = steps.Roots[index];
                int position = answer.PromptLength + index;
                Assert.Equal((answer.Tokens[position - 1], answer.Tokens[position], MaxDraft), (root.Before, root.Token, root.Steps));
                Assert.Equal(root.Signals, DraftSignals.Of(Logits(engine, answer.Tokens.AsSpan(0, position))));
                DraftStep[] drafted = steps.StepsOf(index).ToArray();
                Assert.All(drafted, step => Assert.Equal(MathF.Log(step.Signals.Top), step.LogProbabilities.First, 1e-4));
                Assert.Equal(drafted[^1].Sum, drafted.Sum(step => step.LogProbabilities.First), 1e-3);
                Assert.Equal(answer.IsSampled ? MaxDraft : Math.Min(root.Run + 1, MaxDraft), shorter.Roots[index].Steps);
                Assert.Equal(drafted[..shorter.Roots[index].Steps], shorter.StepsOf(index).ToArray());
                if (!answer.IsSampled)
                {
                    Assert.Equal(0, root.Temperature);
                    Assert.Equal(root.Run, drafted.TakeWhile(step => step.Truth.First == 1).Count());
                    continue;
                }

                Assert.Equal(index % 2 == 0 ? 0.5f : 1.5f, root.Temperature);
                var sampler = new Sampler(new SamplingOptions { Temperature = root.Temperature });
                double[] probabilities = sampler.Probabilities(Logits(engine, answer.Tokens.AsSpan(0, position + 1)));
                Assert.Contains(probabilities, probability => Math.Abs(probability - drafted[0].Truth.First) < 1e-4);
                Assert.All(drafted, step => Assert.InRange(step.Truth.First + step.Truth.Second + step.Truth.Third + step.Truth.Fourth, 0, 1.0001f));
            }
        }
    }

    [Fact]
    public void Recorded_steps_come_back_from_their_file()
    {
        using var head = new SmallHead();
        StepTable table = StepTables.Record(head, [.. StepTables.Answers(head).Take(5)], whole: false);
        string path = Path.Combine(head.Small.Folder, "steps.safetensors");
        StepFile.Write(path, table, "key");
        Assert.Null(StepFile.TryRead(path, table.Hidden, "another key"));
        Assert.Null(StepFile.TryRead(path + "x", table.Hidden, "key"));
        StepTable read = StepFile.TryRead(path, table.Hidden, "key")!;
        Assert.Equal(table.MaxDraft, read.MaxDraft);
        Assert.Equal(table.Answers.Count, read.Answers.Count);
        foreach ((AnswerSteps expected, AnswerSteps actual) in table.Answers.Zip(read.Answers))
        {
            Assert.Equal(expected.Roots, actual.Roots);
            Assert.Equal(expected.Steps, actual.Steps);
            Assert.Equal(expected.Features, actual.Features);
            Assert.Equal(expected.Hidden, actual.Hidden);
            Assert.Equal((expected.Job, expected.Category, expected.IsLooping, expected.IsCut, expected.IsSampled), (actual.Job, actual.Category, actual.IsLooping, actual.IsCut, actual.IsSampled));
        }
    }

    [Fact]
    public void Training_finds_what_feature_and_output_row_say_and_auto_gains_from_it()
    {
        StepTable table = StepTables.Synthetic(answers: 120, seed: 1), fresh = StepTables.Synthetic(answers: 60, seed: 2);
        float[] embedding = new float[4 * StepTables.Hidden];
        using SurvivalModel model = SurvivalTrainer.Train(
            table, embedding,
            new SurvivalOptions { Width = 16, StepWidth = 16, BatchSize = 128, Epochs = 12, Patience = 12, Rate = 1e-2, Dropout = 0, WeightDecay = 0.01, DraftCost = 0.2, VerifyCost = 0.1 }, (_, _, _) => { });
        float[][] plans = SurvivalInputs.Plans(model.Plan, fresh, embedding);
        var predictions = new SurvivalPredictions(plans, SurvivalInputs.Estimates(model.Step, fresh, plans), (_, _, _) => -5, model.Resolved);
        SurvivalQuality quality = SurvivalReport.Quality(fresh, predictions, null).Single(row => row.Text == "all");
        Assert.InRange(quality.HazardAuc, 0.75, 1);
        Assert.InRange(quality.RightAuc, quality.HazardAuc + 0.05, 1);
        Assert.InRange(quality.HazardLoss, 0, 0.95 * quality.BaseLoss);
        Assert.InRange(model.Resolved, 0.1, 0.95);

        List<SimulationRow> rows = SurvivalReport.Simulate(fresh, predictions, 0.2, 0.1);
        double best = Enumerable.Range(0, MaxDraft + 1).Max(length => Fixed(fresh, length));
        Assert.InRange(rows[0].All, best * 1.01, 10);
        Assert.InRange(rows[1].All, rows[0].All, 10);
        HashSet<(int, int)> visited = SurvivalReport.Visited(fresh, predictions, 0.2, 0.1);
        foreach (Reliability bin in SurvivalReport.ReliabilityTable(fresh, predictions, visited, false).Where(bin => bin.Steps > 150))
        {
            Assert.Equal(bin.Predicted, bin.Observed, 0.15);
        }
    }

    [Fact]
    public void A_logistic_is_found_again()
    {
        var random = new Random(3);
        List<LogisticFit.Point> points = [.. Enumerable.Range(0, 4000).Select(_ =>
        {
            double x = (4 * random.NextDouble()) - 2, y = random.NextDouble();
            return new LogisticFit.Point([x, y, 1], 1 / (1 + Math.Exp(-((1.5 * x) - y + 0.3))), 1);
        })];
        double[] found = LogisticFit.Run(points, [0, 0, 0], pull: 1e-3);
        Assert.Equal([1.5, -1, 0.3], found.Select(value => Math.Round(value, 2)));
        Assert.Equal([7.0, 8], LogisticFit.Run([], [7, 8]));
    }

    [Fact]
    public void The_area_under_the_curve_counts_ties_half()
    {
        Assert.Equal(1, SurvivalReport.Auc([(0.1, 0, 1), (0.9, 1, 1)]));
        Assert.Equal(0.5, SurvivalReport.Auc([(0.5, 0, 1), (0.5, 1, 1)]));
        Assert.Equal(0.75, SurvivalReport.Auc([(0.1, 0, 1), (0.5, 0, 1), (0.5, 1, 2)]));
    }

    private static double Fixed(StepTable table, int length)
    {
        long emitted = 0, rounds = 0;
        foreach (AnswerSteps answer in table.Answers)
        {
            for (int root = 0; root < answer.Roots.Length; rounds++)
            {
                int accepted = Math.Min(length, answer.Roots[root].Run);
                emitted += accepted + 1;
                root += accepted + 1;
            }
        }

        return emitted / (rounds * (1 + (length * 0.3)));
    }

    private static float[] Logits(LlamaTarget engine, ReadOnlySpan<int> tokens)
    {
        using KvCache cache = engine.CreateCache(tokens.Length);
        var rows = new PassRows(128);
        for (int i = 0; i < tokens.Length; i++)
        {
            rows.Add(cache, tokens[i], i - 1);
        }

        engine.Forward(rows, PassRequest.AllLogits);
        return engine.Logits(tokens.Length - 1).ToArray();
    }
}

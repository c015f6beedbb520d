using System.Text.Json.Nodes;
using AdaEagle.Formats;
using AdaEagle.Speculation.Policies;
using AdaEagle.Training.Ldlp;
using AdaEagle.Training.Tests.Eagle;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Ldlp;

public class StopTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Trainer_and_engine_say_the_same(bool eagle3)
    {
        using var head = new SmallHead(eagle3);
        StepTable table = StepTables.Record(head, [.. StepTables.Answers(head).Take(6)], whole: true);
        using var scope = NewDisposeScope();
        using var none = no_grad();
        manual_seed(6);
        using var network = new ResidualMlpModel("", randn(table.Hidden), rand(table.Hidden) + 0.5, 20, StopWeights.UsualBlocks, [0.4f], 3);
        foreach (Tensor parameter in network.Parameters.Values)
        {
            parameter.add_(randn(parameter.shape).mul_(0.1));
        }

        using var model = new StopModel(network, StepTables.MaxDraft);
        string folder = Path.Combine(head.Small.Folder, "stop");
        model.Export(folder, new Dictionary<string, JsonNode?> { ["target_vocabulary"] = head.Small.Target.Tokenizer.Fingerprint }, TensorType.F32);
        using StopWeights weights = StopWeights.Load(folder, head.Small.Target.Model);
        using var engine = new StopHead(weights);
        Assert.Equal((StepTables.MaxDraft, head.Small.Target.Tokenizer.Fingerprint), (weights.MaxDraft, weights.VocabularyFingerprint));
        double[][] actual = StopRun.Predict(engine, table);
        float[] output = new float[table.Hidden];
        foreach ((AnswerSteps answer, double[] predicted) in table.Answers.Zip(actual))
        {
            for (int step = 0; step < answer.Steps.Length; step++)
            {
                answer.ReadHidden(step, output);
                Assert.Equal(network.Forward(tensor(output).reshape(1, -1), 0).sigmoid().item<float>(), predicted[step], 1e-4);
            }
        }

        Assert.True(actual.SelectMany(predicted => predicted).Max() - actual.SelectMany(predicted => predicted).Min() > 0.05);
    }

    [Fact]
    public void Training_finds_what_the_output_row_says()
    {
        (float[] said, float[] right, float[] weights) = Trained(table => table, rejectWeight: 6);
        Assert.InRange(SurvivalReport.Auc(said.Select((p, i) => ((double)p, (double)right[i], (double)weights[i]))), 0.95, 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    public void Where_the_output_row_says_nothing_the_odds_are_those_of_the_data_over_the_weight(double rejectWeight)
    {
        (float[] said, float[] right, float[] weights) = Trained(
            table => new StepTable(table.Hidden, table.MaxDraft, [.. table.Answers.Select(answer => answer with { Hidden = new ushort[answer.Hidden.Length] })]), rejectWeight);
        double share = right.Zip(weights, (t, w) => t * w).Sum() / weights.Sum();
        Assert.InRange(share, 0.4, 0.7);
        Assert.Equal(share / (share + (rejectWeight * (1 - share))), said[0], 0.05);
        Assert.All(said, p => Assert.Equal(said[0], p, 1e-5));
    }

    [Fact]
    public void The_loss_is_cross_entropy_with_weighted_rejections()
    {
        using var scope = NewDisposeScope();
        Tensor logits = tensor(new[] { 0.5f, -1f, 2f }).reshape(-1, 1), truth = tensor(new[] { 1f, 0f, 0.25f }).reshape(-1, 1), weight = tensor(new[] { 1f, 0.5f, 2f }).reshape(-1, 1);
        double expected = 0;
        foreach ((double z, double y, double w) in ((double, double, double)[])[(0.5, 1, 1), (-1, 0, 0.5), (2, 0.25, 2)])
        {
            double p = 1 / (1 + Math.Exp(-z));
            expected -= w * ((y * Math.Log(p)) + (6 * (1 - y) * Math.Log(1 - p)));
        }

        Assert.Equal(expected / 3.5, StopTrainer.Loss(logits, truth, weight, 6).item<float>(), 1e-5);
    }

    [Fact]
    public void Only_steps_that_a_draft_reaches_are_learnt_from()
    {
        StepTable table = StepTables.Synthetic(answers: 5, seed: 3);
        using var scope = NewDisposeScope();
        (Tensor inputs, Tensor truth, Tensor weight) = StopTrainer.Steps(table);
        int expected = table.Answers.Sum(answer => answer.Roots.Sum(root => Math.Min(root.Run + 1, StepTables.MaxDraft)));
        Assert.Equal([expected, StepTables.Hidden], inputs.shape);
        Assert.Equal(table.Answers.Sum(answer => answer.Roots.Sum(root => root.Run)), truth.sum().item<float>());
        Assert.Equal(expected, weight.sum().item<float>());
    }

    [Fact]
    public void Too_few_steps_are_refused()
    {
        InvalidDataException failure = Assert.Throws<InvalidDataException>(() => StopTrainer.Train(StepTables.Synthetic(answers: 11, seed: 1), new StopOptions { BatchSize = 4096 }, (_, _) => { }));
        Assert.Contains("--answers", failure.Message, StringComparison.Ordinal);
    }

    // Of fresh steps: what a head says that was trained on others, the truth, and their weights.
    private static (float[] Said, float[] Right, float[] Weights) Trained(Func<StepTable, StepTable> change, double rejectWeight)
    {
        var options = new StopOptions { Width = 16, BatchSize = 128, Epochs = 12, Patience = 12, Rate = 1e-2, Dropout = 0, WeightDecay = 0.01, RejectWeight = rejectWeight };
        (StopModel model, List<LdlpEpoch> epochs) = StopTrainer.Train(change(StepTables.Synthetic(answers: 120, seed: 1)), options, (_, _) => { });
        using StopModel trained = model;
        Assert.InRange(epochs.Count, 2, 12);
        using var scope = NewDisposeScope();
        using var none = no_grad();
        (Tensor inputs, Tensor truth, Tensor weight) = StopTrainer.Steps(change(StepTables.Synthetic(answers: 60, seed: 2)));
        return ([.. trained.Network.Forward(inputs, 0).sigmoid().data<float>()], [.. truth.data<float>()], [.. weight.data<float>()]);
    }
}

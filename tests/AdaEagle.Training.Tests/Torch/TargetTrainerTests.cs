using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Tokenization;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Torch;

public class TargetTrainerTests
{
    [Fact]
    public void The_loss_falls_on_training_and_on_held_out_text()
    {
        using var run = new SmallRun();
        Dictionary<string, double> before = [];
        using (var untrained = new Training.Torch.LlamaModel(run.Config, ScalarType.Float32, 1))
        {
            foreach ((string category, double loss) in new Validation(run.HeldOut, SmallRun.Length).Measure(untrained, 100))
            {
                before.Add(category, loss);
            }
        }

        double[] losses = run.Train("a", 120, 0.4, look: (_, trainer) =>
        {
            Dictionary<string, double> after = trainer.Validate(100, null)!;
            Assert.Equal(["even", "odd"], after.Keys.Order(StringComparer.Ordinal));
            Assert.All(after, item => Assert.True(item.Value < 0.3 * before[item.Key], $"{item.Key}: {before[item.Key]} before, {item.Value} after"));
            Assert.False(trainer.State.IsConstantPhase);
        });

        Assert.Equal(120, losses.Length);
        Assert.InRange(losses[0], 5, 6.5); // ln 272 = 5.61
        Assert.InRange(losses[^1], 0.01, 1.5);
        Assert.True(new FileInfo(Path.Combine(run.Folder, "a", "loss.png")).Length > 1000);
        Assert.True(TrainingCheckpoint.Describe(Path.Combine(run.Folder, "a", "before-decay.safetensors")).State is { IsConstantPhase: true, Step: 72 });
    }

    [Fact]
    public void A_run_that_was_stopped_and_resumed_is_the_run_that_went_through()
    {
        using var run = new SmallRun();
        double[] through = run.Train("through", 24, 0);
        run.Train("stopped", 10, 0);
        double[] resumed = run.Train("stopped", 14, 0, run.Checkpoint("stopped"));

        Assert.Equal(through, resumed);
        Assert.Equal(Tensors(run.Checkpoint("through")), Tensors(run.Checkpoint("stopped")));
    }

    [Fact]
    public async Task A_run_that_is_told_to_stop_saves_and_says_so()
    {
        using var run = new SmallRun();
        using var model = new Training.Torch.LlamaModel(run.Config, ScalarType.Float32, 1);
        using var trainer = new TargetTrainer(model, run.Text.Batches(SmallRun.BatchSize, SmallRun.Length, 1), null, run.Options("a", 1_000_000, 0), 1, null);
        Task training = Task.Run(trainer.Run, TestContext.Current.CancellationToken);
        while (trainer.State.Step < 3 && !training.IsCompleted)
        {
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        trainer.Stop();

        await Assert.ThrowsAsync<OperationCanceledException>(() => training);
        Assert.Equal(trainer.State, TrainingCheckpoint.Describe(run.Checkpoint("a")).State);
        Assert.True(File.Exists(Path.Combine(run.Folder, "a", "export", "config.json")));
    }

    [Fact]
    public void A_decay_can_be_begun_from_a_checkpoint_and_goes_on_after_a_stop()
    {
        using var run = new SmallRun();
        run.Train("constant", 10, 0);
        run.Train("decay", 5, 1, run.Checkpoint("constant"), look: (_, trainer) =>
        {
            Assert.False(trainer.State.IsConstantPhase);
            Assert.Equal(15, trainer.State.Step);
            Assert.InRange(trainer.State.RateShare, 0.02, 0.3);
        });
        double reached = TrainingCheckpoint.Describe(run.Checkpoint("decay")).State.RateShare;
        run.Train("further", 5, 0, run.Checkpoint("decay"), look: (_, trainer) => Assert.InRange(trainer.State.RateShare, 0, reached));
    }

    [Fact]
    public void Layers_that_are_added_change_nothing_at_first_and_then_learn()
    {
        using var run = new SmallRun();
        run.Train("small", 20, 0);
        ModelConfig grown = run.Config with { LayerCount = 5 };
        using var model = new Training.Torch.LlamaModel(run.Config, ScalarType.Float32, 1);
        TrainingCheckpoint.Load(run.Checkpoint("small"), model, []);
        using var larger = new Training.Torch.LlamaModel(grown, ScalarType.Float32, 1);
        TrainingCheckpoint.Load(run.Checkpoint("small"), larger, []);
        using (NewDisposeScope())
        {
            Tensor inputs = tensor(SmallModels.Tokens(32, SmallRun.Vocabulary)).reshape(1, 32);
            Assert.Equal(model.TokenLosses(inputs, inputs), larger.TokenLosses(inputs, inputs));
        }

        run.Train("large", 5, 0, run.Checkpoint("small"), grown, (trained, _) =>
            Assert.All(trained.Parameters.Where(item => item.Key.EndsWith("o_proj.weight", StringComparison.Ordinal)), item => Assert.True(item.Value.abs().max().item<float>() > 0)));
    }

    [Theory]
    [InlineData(12, 16)]
    [InlineData(2, 5)]
    [InlineData(3, 4)]
    [InlineData(4, 4)]
    public void Every_old_layer_has_one_place_among_the_new(int oldLayers, int layers)
    {
        string?[] places = [.. Enumerable.Range(0, layers).Select(layer => TrainingCheckpoint.OldName($"muon.model.layers.{layer}.mlp.up_proj.weight", oldLayers, layers))];

        Assert.Equal(Enumerable.Range(0, oldLayers).Select(layer => $"muon.model.layers.{layer}.mlp.up_proj.weight"), places.OfType<string>());
        Assert.Equal("model.norm.weight", TrainingCheckpoint.OldName("model.norm.weight", oldLayers, layers));
    }

    [Fact]
    public void The_export_is_a_folder_that_the_engine_runs_to_the_same_logits()
    {
        using var run = new SmallRun();
        run.Train("a", 30, 0.5, look: (trained, _) =>
        {
            string folder = Path.Combine(run.Folder, "a", "export");
            Assert.Equal(run.Config, ModelConfig.Load(folder));
            Assert.Equal(run.Config.VocabularyFingerprint, HuggingFaceTokenizer.Load(folder).Fingerprint);
            Assert.Equal([1, 0], GenerationConfig.Load(folder)!.EosTokens);

            using var none = no_grad();
            using var scope = NewDisposeScope();
            using (ITensorSource source = Checkpoint.Open(folder))
            {
                Assert.Equal(trained.Parameters.Keys.Order(StringComparer.Ordinal), source.Tensors.Keys.Order(StringComparer.Ordinal));
                foreach ((string name, Tensor parameter) in trained.Parameters)
                {
                    // The weights that were written: to compare, the trained ones are rounded the same way.
                    parameter.copy_(parameter.to(ScalarType.BFloat16));
                    Assert.Equal(parameter.data<float>().ToArray(), source.ReadF32(name, parameter.shape));
                }
            }

            int[] ids = [.. run.HeldOut.Tokens.Take(32)];
            float[] expected = trained.Logits(tensor(ids, ScalarType.Int64).reshape(1, 32)).data<float>().ToArray();
            using AdaEagle.Models.LlamaModel engine = AdaEagle.Models.LlamaModel.Load(folder);
            using var target = new LlamaTarget(engine);
            using KvCache cache = target.CreateCache(64);
            var rows = new PassRows(target.MaxRows);
            for (int i = 0; i < ids.Length; i++)
            {
                rows.Add(cache, ids[i], i - 1);
            }

            target.Forward(rows, PassRequest.AllLogits);
            float[] actual = [.. Enumerable.Range(0, ids.Length).SelectMany(row => target.Logits(row).ToArray())];
            Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.Second - pair.First, -2e-3f, 2e-3f));
        });
    }

    [Fact]
    public void Weights_without_a_run_begin_one_where_their_config_lies_beside_them()
    {
        using var run = new SmallRun();
        run.Train("a", 1, 0);

        string weights = Path.Combine(run.Folder, "a", "export", "model.safetensors");
        (ModelConfig config, TrainingState state) = TrainingCheckpoint.Describe(weights, seed: 5);
        Assert.Equal((run.Config.LayerCount, 0, 5), (config.LayerCount, state.Step, state.Seed));
        run.Train("continued", 1, 0, weights);
        Assert.NotEqual(Tensors(weights)["model.embed_tokens.weight"], Tensors(run.Checkpoint("continued"))["model.embed_tokens.weight"]);

        string alone = Path.Combine(run.Folder, "alone.safetensors");
        File.Copy(weights, alone);
        Assert.Contains("no training run", Assert.Throws<ModelFormatException>(() => TrainingCheckpoint.Describe(alone)).Message, StringComparison.Ordinal);
        Assert.Contains("layers", Assert.Throws<ModelFormatException>(() => run.Train("b", 1, 0, run.Checkpoint("a"), run.Config with { LayerCount = 1 })).Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, float[]> Tensors(string path)
    {
        using ITensorSource source = SafeTensors.Open(path);
        return source.Tensors.Keys.ToDictionary(name => name, name => source.ReadF32(name));
    }
}

using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Torch;

public class LlamaModelTests
{
    private const int Length = 32;

    [Fact]
    public void Logits_agree_with_a_scalar_Llama()
    {
        using LlamaModel model = SmallModels.Create(SmallModels.Config, ScalarType.Float32);
        long[] tokens = SmallModels.Tokens(2 * Length, model.Config.VocabularySize);
        using var none = no_grad();
        using var scope = NewDisposeScope();

        float[] actual = model.Logits(tensor(tokens).reshape(2, Length)).data<float>().ToArray();

        var scalar = new ScalarLlama(model.Config, ScalarLlama.WeightsOf(model));
        double[] expected = [.. scalar.Logits(tokens.AsSpan(0, Length)).Concat(scalar.Logits(tokens.AsSpan(Length))).SelectMany(row => row)];
        Assert.InRange(expected.Max() - expected.Min(), 2, 100); // a test on logits that are all alike would see nothing
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.Second - pair.First, -2e-4, 2e-4));
    }

    [Fact]
    public void Gradients_of_every_weight_agree_with_differences_of_the_scalar_loss()
    {
        using LlamaModel model = SmallModels.Create(SmallModels.Config, ScalarType.Float32);
        long[] inputs = SmallModels.Tokens(Length, model.Config.VocabularySize), targets = SmallModels.Tokens(Length, model.Config.VocabularySize, 12);
        using var scope = NewDisposeScope();
        Tensor loss = model.Loss(tensor(inputs).reshape(1, Length), tensor(targets).reshape(1, Length));
        loss.backward();

        Dictionary<string, double[]> weights = ScalarLlama.WeightsOf(model);
        var scalar = new ScalarLlama(model.Config, weights);
        Assert.Equal(scalar.Loss(inputs, targets, Length), loss.item<float>(), 1e-4);
        var random = new Random(5);
        foreach ((string name, Tensor parameter) in model.Parameters)
        {
            // Along a random direction of length one every element takes part.
            double[] direction = [.. weights[name].Select(_ => random.NextDouble() - 0.5)];
            double length = Math.Sqrt(direction.Sum(value => value * value)), step = 1e-4;
            double[] original = weights[name];
            weights[name] = [.. original.Zip(direction, (value, along) => value + step * along / length)];
            double above = scalar.Loss(inputs, targets, Length);
            weights[name] = [.. original.Zip(direction, (value, along) => value - step * along / length)];
            double below = scalar.Loss(inputs, targets, Length);
            weights[name] = original;

            double slope = (above - below) / (2 * step);
            double predicted = parameter.grad!.data<float>().ToArray().Zip(direction, (gradient, along) => gradient * along / length).Sum();
            double size = parameter.grad!.norm().item<float>() / Math.Sqrt(direction.Length);
            Assert.True(Math.Abs(slope - predicted) < 1e-4 + 0.01 * size, $"{name}: the loss rises by {slope}, the gradient says {predicted}");
        }
    }

    [Fact]
    public void BF16_products_give_nearly_the_loss_and_gradients_of_F32()
    {
        using LlamaModel single = SmallModels.Create(SmallModels.Config, ScalarType.Float32), half = SmallModels.Create(SmallModels.Config, ScalarType.BFloat16);
        using var scope = NewDisposeScope();
        Tensor inputs = tensor(SmallModels.Tokens(2 * Length, 48)).reshape(2, Length), targets = tensor(SmallModels.Tokens(2 * Length, 48, 12)).reshape(2, Length);
        Tensor expected = single.Loss(inputs, targets), actual = half.Loss(inputs, targets);
        expected.backward();
        actual.backward();

        Assert.Equal(expected.item<float>(), actual.item<float>(), 0.02f);
        foreach ((string name, Tensor parameter) in single.Parameters)
        {
            Tensor ours = half.Parameters[name].grad!, theirs = parameter.grad!;
            double difference = (ours - theirs).norm().item<float>() / theirs.norm().item<float>();
            Assert.True(difference < 0.08, $"{name}: gradients differ by {difference:P1} of their length");
        }
    }

    [Fact]
    public void Losses_of_tokens_are_what_the_mean_loss_is_the_mean_of()
    {
        using LlamaModel model = SmallModels.Create(SmallModels.Config, ScalarType.Float32);
        using var scope = NewDisposeScope();
        Tensor inputs = tensor(SmallModels.Tokens(Length, 48)).reshape(1, Length), targets = tensor(SmallModels.Tokens(Length, 48, 12)).reshape(1, Length);

        float[] losses = model.TokenLosses(inputs, targets);

        Assert.Equal(Length, losses.Length);
        Assert.Equal(model.Loss(inputs, targets).item<float>(), losses.Average(), 1e-5f);
    }

    [Fact]
    public void A_token_changes_nothing_before_it()
    {
        using LlamaModel model = SmallModels.Create(SmallModels.Config, ScalarType.BFloat16);
        using var scope = NewDisposeScope();
        long[] tokens = SmallModels.Tokens(Length, 48);
        float[] before = model.TokenLosses(tensor(tokens).reshape(1, Length), zeros(1, Length, ScalarType.Int64));
        tokens[20] = (tokens[20] + 1) % 48;
        float[] after = model.TokenLosses(tensor(tokens).reshape(1, Length), zeros(1, Length, ScalarType.Int64));

        Assert.Equal(before[..20], after[..20]);
        Assert.NotEqual(before[20..], after[20..]);
    }

    [Fact]
    public void The_seed_decides_the_weights()
    {
        using LlamaModel first = new(SmallModels.Config, ScalarType.Float32, 1), same = new(SmallModels.Config, ScalarType.Float32, 1), other = new(SmallModels.Config, ScalarType.Float32, 2);
        float[] Query(LlamaModel model) => model.Parameters["model.layers.1.self_attn.q_proj.weight"].data<float>().ToArray();

        Assert.Equal(Query(first), Query(same));
        Assert.NotEqual(Query(first), Query(other));
    }

    [Fact]
    public void What_the_trainer_does_not_have_is_refused()
    {
        Assert.Contains("tied", Refusal(SmallModels.Config with { TieWordEmbeddings = false }), StringComparison.Ordinal);
        Assert.Contains("32", Refusal(SmallModels.Config with { HeadDimension = 24 }), StringComparison.Ordinal);
        Assert.Contains("heads", Refusal(SmallModels.Config with { KeyValueHeadCount = 3 }), StringComparison.Ordinal);
        Assert.Contains("16", Refusal(SmallModels.Config with { IntermediateSize = 100 }), StringComparison.Ordinal);
    }

    private static string Refusal(AdaEagle.Formats.ModelConfig config) =>
        Assert.Throws<ArgumentException>(() => new LlamaModel(config, ScalarType.Float32, 1)).Message;
}

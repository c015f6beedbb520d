using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;

namespace AdaEagle.Tests.Speculation;

/// <summary>What is told of a distribution, and the best of many, against the plainest computation.</summary>
public class DraftSignalsTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 15)]
    [InlineData(4, 16)]
    [InlineData(5, 17)]
    [InlineData(6, 320)]
    [InlineData(7, 1001)]
    public void Signals_are_those_of_the_softmax(int seed, int length)
    {
        var random = new Random(seed);
        foreach (float scale in (float[])[0.01f, 1, 5, 40])
        {
            float[] logits = [.. Enumerable.Range(0, length).Select(_ => scale * ((2 * random.NextSingle()) - 1))];
            if (length > 3)
            {
                logits[random.Next(length)] = float.NegativeInfinity;
            }

            double most = logits.Max(), sum = logits.Sum(logit => Math.Exp(logit - most));
            double[] probabilities = [.. logits.Select(logit => Math.Exp(logit - most) / sum).OrderDescending()];
            var signals = DraftSignals.Of(logits);
            Assert.Equal(probabilities[0], signals.Top, 1e-5);
            Assert.Equal(length > 1 ? probabilities[1] : 0, signals.Second, 1e-5);
            Assert.Equal(probabilities.Sum(p => p > 0 ? -p * Math.Log(p) : 0), signals.Entropy, 1e-4);
            Assert.Equal(signals.Top - signals.Second, signals.Margin);
        }
    }

    [Fact]
    public void Equal_logits_are_as_unsure_as_can_be()
    {
        var signals = DraftSignals.Of(Enumerable.Repeat(3f, 64).ToArray());
        Assert.Equal(1 / 64.0, signals.Top, 1e-6);
        Assert.Equal(0, signals.Margin, 1e-6);
        Assert.Equal(Math.Log(64), signals.Entropy, 1e-5);
    }

    [Fact]
    public void The_best_of_many_come_best_first_and_the_lower_of_equals_first()
    {
        var random = new Random(1);
        var top = new TopTokens();
        for (int i = 0; i < 300; i++)
        {
            // Few different values, so that many are equal.
            float[] logits = [.. Enumerable.Range(0, random.Next(1, 200)).Select(_ => i % 2 == 0 ? random.Next(6) : random.NextSingle())];
            int count = random.Next(1, 40);
            int[] expected = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token).Take(count)];
            Assert.Equal(expected, top.Of(logits, count).ToArray());
        }

        Assert.Equal([2, 0], top.Of([1, float.NaN, 2, float.NegativeInfinity], 3).ToArray());
        Assert.Equal([], top.Of([float.NaN, float.NaN], 3).ToArray());
    }
}

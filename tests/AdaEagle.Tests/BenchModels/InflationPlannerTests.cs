using AdaEagle.Bench.Models;

namespace AdaEagle.Tests.BenchModels;

/// <summary>The shapes that a number of parameters and a draft cost lead to.</summary>
public class InflationPlannerTests
{
    // The shape that the default model is planned to have, and that of the seed model.
    private static readonly DecoderShape Target = new(256, 12, new(4, 2, 64, 768, default, InputNorm: true), 4096, Tied: true);
    private static readonly HeadShape Head = new(256, new(4, 2, 64, 768, default, InputNorm: false), FcBias: true, 4096, OwnEmbedding: true);

    [Theory]
    [InlineData(110e6, 0.02, 256)]
    [InlineData(110e6, 0.05, 256)]
    [InlineData(110e6, 0.1, 256)]
    [InlineData(110e6, 0.2, 256)]
    [InlineData(40e6, 0.05, 256)]
    [InlineData(300e6, 0.05, 256)]
    [InlineData(1.1e9, 0.02, 1024)]
    [InlineData(1.1e9, 0.05, 1024)]
    [InlineData(1.1e9, 0.2, 1024)]
    [InlineData(7e9, 0.05, 4096)]
    public void Parameters_and_draft_cost_are_met_within_two_percent(double parameters, double draftCost, int widest)
    {
        Inflation plan = InflationPlanner.Plan(Target, Head, (long)parameters, draftCost);

        Assert.InRange(plan.Target.Parameters / parameters, 0.98, 1.02);
        Assert.InRange(plan.DraftCost!.Value / draftCost, 0.98, 1.02);
        Assert.InRange(plan.Target.Hidden, 256, widest);
        Assert.Equal(256 << (2 * plan.WidthExponent), plan.Target.Hidden);
        AssertGrown(Target.Layer, plan.Target.Layer);
        AssertGrown(Head.Layer, plan.Head!.Layer);
        Assert.True(plan.Target.Layers >= Target.Layers);
    }

    [Theory]
    [InlineData(256, 1024, 2, 1, 128)]
    [InlineData(320, 1024, 5, 1, 64)]
    [InlineData(256, 704, 4, 4, 64)]
    [InlineData(192, 512, 3, 3, 64)]
    public void Other_shapes_reach_their_figures_too(int hidden, int ffn, int heads, int groups, int headDimension)
    {
        var target = new DecoderShape(hidden, 14, new(heads, groups, headDimension, ffn, default, InputNorm: true), 4096, Tied: false);
        var head = new HeadShape(hidden, target.Layer with { InputNorm = false }, FcBias: false, 4096, OwnEmbedding: false);
        foreach (double parameters in new[] { 60e6, 110e6, 400e6, 1.1e9 })
        {
            Inflation plan = InflationPlanner.Plan(target, head, (long)parameters, 0.05);
            Assert.InRange(plan.Target.Parameters / parameters, 0.98, 1.02);
            Assert.InRange(plan.DraftCost!.Value / 0.05, 0.98, 1.02);
            AssertGrown(target.Layer, plan.Target.Layer);
            AssertGrown(head.Layer, plan.Head!.Layer);
        }
    }

    [Fact]
    public void A_draft_cost_below_the_heads_own_size_leaves_the_head_as_it_is()
    {
        Inflation plan = InflationPlanner.Plan(Target, Head, 110_000_000, 0.005);
        Assert.Equal(Head, plan.Head);
        Assert.Equal(256, plan.Target.Hidden);
        Assert.InRange(plan.Target.Parameters / 110e6, 0.98, 1.02);
        Assert.True(plan.DraftCost > 0.005);
    }

    [Fact]
    public void A_target_without_a_head_is_planned_alone()
    {
        Inflation plan = InflationPlanner.Plan(Target, null, 110_000_000, 0.05);
        Assert.Null(plan.Head);
        Assert.Null(plan.DraftCost);
        Assert.InRange(plan.Target.Parameters / 110e6, 0.98, 1.02);
    }

    [Fact]
    public void A_smaller_model_than_the_original_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => InflationPlanner.Plan(Target, Head, 5_000_000, 0.05));
        Assert.Contains("10.49M", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("110M", 110_000_000)]
    [InlineData("1.1b", 1_100_000_000)]
    [InlineData("640k", 640_000)]
    [InlineData("12345", 12345)]
    public void Sizes_are_read(string text, long expected) => Assert.Equal(expected, Size.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-3M")]
    [InlineData("0")]
    [InlineData("1e9")]
    [InlineData("NaN")]
    [InlineData("5Q")]
    [InlineData("99999999999999999999B")]
    public void Sizes_that_are_none_are_refused(string text) => Assert.Throws<FormatException>(() => Size.Parse(text));

    // Dimensions that quantised formats divide stay divisible, and no query head leaves its KV head.
    private static void AssertGrown(LayerShape before, LayerShape after)
    {
        Assert.Equal(before.HeadDimension, after.HeadDimension);
        Assert.Equal(before.GroupSize, after.GroupSize);
        Assert.True(after.KeyValueHeads >= before.KeyValueHeads && after.Ffn >= before.Ffn);
        foreach ((int old, int grown) in new[] { (before.Ffn, after.Ffn), (before.Heads * before.HeadDimension, after.Heads * after.HeadDimension) })
        {
            if (grown != old)
            {
                Assert.Equal(0, grown % 64);
                Assert.True(old % 256 != 0 || grown % 256 == 0, $"{old} became {grown}.");
            }
        }
    }
}

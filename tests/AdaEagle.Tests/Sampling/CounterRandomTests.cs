using AdaEagle.Sampling;

namespace AdaEagle.Tests.Sampling;

/// <summary>Random numbers that are functions of their coordinates: fixed for good, uniform, and independent along every coordinate.</summary>
public class CounterRandomTests
{
    private const int Count = 100_000;

    [Fact]
    public void Numbers_depend_on_seed_sequence_and_index_alone()
    {
        Assert.Equal(CounterRandom.Uniform(7, 3, 11), CounterRandom.Uniform(7, 3, 11));
        Assert.NotEqual(CounterRandom.Uniform(7, 3, 11), CounterRandom.Uniform(8, 3, 11));
        Assert.NotEqual(CounterRandom.Uniform(7, 3, 11), CounterRandom.Uniform(7, 4, 11));
        Assert.NotEqual(CounterRandom.Uniform(7, 3, 11), CounterRandom.Uniform(7, 3, 12));
        Assert.NotEqual(CounterRandom.Uniform(7, 3, 11), CounterRandom.Uniform(7, 11, 3));
    }

    [Theory]
    // From an implementation in Python: a changed hash would change every seeded output.
    [InlineData(0UL, 0, 0, 0.5026230818294767)]
    [InlineData(7UL, 0, 1, 0.9937378040586425)]
    [InlineData(ulong.MaxValue, -1, long.MaxValue, 0.6074304648527471)]
    [InlineData(42UL, 3, 1000, 0.6587395375266768)]
    public void Numbers_never_change(ulong seed, long sequence, long index, double expected) =>
        Assert.Equal(expected, CounterRandom.Uniform(seed, sequence, index));

    public static TheoryData<string> Coordinates => ["seed", "sequence", "index"];

    [Theory]
    [MemberData(nameof(Coordinates))]
    public void Numbers_are_uniform_and_uncorrelated_along_each_coordinate(string coordinate)
    {
        Func<long, double> number = coordinate switch
        {
            "seed" => i => CounterRandom.Uniform((ulong)i, 5, 9),
            "sequence" => i => CounterRandom.Uniform(5, i, 9),
            _ => i => CounterRandom.Uniform(5, 9, i),
        };
        double[] numbers = [.. Enumerable.Range(0, Count).Select(i => number(i))];
        Assert.All(numbers, value => Assert.InRange(value, 0, Math.BitDecrement(1.0)));

        Assert.InRange(Statistics.GTest(Histogram(numbers, 256), [.. Enumerable.Repeat(1.0 / 256, 256)]), 0, Statistics.CriticalChiSquare(255));
        // Pairs of neighbours, in 16 x 16 cells.
        int[] pairs = new int[256];
        for (int i = 0; i + 1 < Count; i += 2)
        {
            pairs[(16 * (int)(16 * numbers[i])) + (int)(16 * numbers[i + 1])]++;
        }

        Assert.InRange(Statistics.GTest(pairs, [.. Enumerable.Repeat(1.0 / 256, 256)]), 0, Statistics.CriticalChiSquare(255));
        // Low bits too: 53 of them.
        int[] low = Histogram([.. numbers.Select(value => (value * (1 << 20)) % 1)], 64);
        Assert.InRange(Statistics.GTest(low, [.. Enumerable.Repeat(1.0 / 64, 64)]), 0, Statistics.CriticalChiSquare(63));
    }

    private static int[] Histogram(double[] values, int cells)
    {
        int[] counts = new int[cells];
        foreach (double value in values)
        {
            counts[(int)(value * cells)]++;
        }

        return counts;
    }
}

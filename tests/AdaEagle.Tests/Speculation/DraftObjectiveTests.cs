using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>The mathematics of the cost-aware policy: by hand, and against exhaustive search.</summary>
public class DraftObjectiveTests
{
    [Fact]
    public void By_hand_a_step_is_drafted_while_its_chance_exceeds_what_it_costs()
    {
        // A step costs 0.1 tokens, a further row 0.2: a token must be accepted with 0.3 or more. A = 0.9, 0.54, 0.27.
        DraftObjective objective = Objective(4, 0.1, 0.2);
        double[] right = [0.9, 0.6, 0.5, 0.9];
        Assert.Equal(2, objective.Plan(right, 0, []));
        Assert.True(objective.GoesOn([], 0, right[0]));
        Assert.True(objective.GoesOn(right.AsSpan(0, 1), 1, right[1]));
        Assert.False(objective.GoesOn(right.AsSpan(0, 2), 2, right[2]));
        Assert.Equal(3, objective.Keep(right.AsSpan(0, 3))); // once drafted, 0.27 is worth a row
        Assert.Equal(4, objective.Keep(right)); // and so is 0.243
    }

    [Fact]
    public void By_hand_a_step_must_be_worth_more_than_what_is_free()
    {
        // A step costs 0.1 tokens, a further row 0.2. Two steps are worth 0.9 - 0.3 + 0.81 - 0.3 = 1.11.
        DraftObjective objective = Objective(4, 0.1, 0.2);
        objective.Plan([0.9, 0.9], 0, []);
        Assert.True(objective.GoesOn([], 0, 0.9));
        Assert.True(objective.GoesOn([0.7, 0.7], 0, 0.9)); // 0.5 + 0.29
        Assert.False(objective.GoesOn([0.7, 0.7, 0.9, 0.9], 0, 0.9)); // 0.5 + 0.29 + 0.241 + 0.1969
        Assert.False(objective.GoesOn([0.85, 0.85], 0, 0.9)); // 0.65 + 0.5225
        Assert.True(objective.GoesOn([0.85, 0.85], 0, 0.9, [0.95, 0.95])); // 0.6 + 0.655 + 0.61225
        Assert.False(objective.GoesOn([0.9, 0.85, 0.85], 1, 0.1)); // and what is free behind a step
    }

    [Fact]
    public void By_hand_a_poor_token_is_not_verified_and_nothing_is_drafted_where_nothing_pays()
    {
        DraftObjective objective = Objective(3, 0.05, 0.3);
        Assert.Equal(1, objective.Keep([0.8, 0.3, 0.9]));
        Assert.Equal(0, objective.Keep([0.2]));
        Assert.Equal(0, objective.Plan([0.3, 0.9, 0.9], 0, []));
        Assert.False(objective.GoesOn([], 0, 0.3));
    }

    [Fact]
    public void By_hand_a_doubtful_step_pays_if_it_will_be_known_whether_it_is_right()
    {
        // 0.5 against 0.1 + 0.45: not worth it blindly. With s = 1 half the time the token is right for sure and gains 1 - 0.45, otherwise it is dropped.
        DraftObjective objective = Objective(1, 0.1, 0.45);
        objective.Plan([0.5], 0, []);
        Assert.False(objective.GoesOn([], 0, 0.5));
        objective.Plan([0.5], 1, []);
        Assert.True(objective.GoesOn([], 0, 0.5)); // 0.5 x 0.55 > 0.1
        objective.Plan([0.2], 1, []);
        Assert.True(objective.GoesOn([], 0, 0.2)); // 0.2 x 0.55 = 0.11
        Assert.False(objective.GoesOn([], 0, 0.15));
    }

    [Fact]
    public void By_hand_siblings_are_chosen_by_the_chance_of_their_path()
    {
        // Rows cost 0.1. A = 0.8, 0.4. At depth 1 a miss (0.2) is the second best in half the cases: 0.1, not above the cost; at depth 2 (0.4): 0.2 and 0.12.
        DraftObjective objective = Objective(3, 0.05, 0.1, rows: 10);
        DraftLeaf[] leaves = [new(1, 1, 0.45), new(1, 2, 0.2), new(2, 1, 0.5), new(2, 2, 0.3), new(2, 3, 0.1)];
        Assert.Equal(2, objective.Select([0.8, 0.5], leaves, out int chosen));
        Assert.Equal([(2, 1), (2, 2)], leaves[..chosen].Select(leaf => (leaf.Depth, leaf.Rank)));
        Assert.Equal(0.2, leaves[0].Share, 1e-12);

        // A sibling at depth 2 hangs on the token at depth 1, and may stand where the chain's own token does not.
        objective = Objective(3, 0.05, 0.5, rows: 10);
        leaves = [new(2, 1, 0.95)];
        Assert.Equal(1, objective.Select([0.6, 0.02], leaves, out chosen));
        Assert.Equal(1, chosen);
    }

    [Fact]
    public void With_siblings_in_view_a_doubtful_step_is_worth_more()
    {
        DraftObjective objective = Objective(1, 0.2, 0.05, rows: 6);
        objective.Plan([0.2], 0, []);
        Assert.False(objective.GoesOn([], 0, 0.2));
        objective.Plan([0.2], 0, [0.36, 0.15, 0.09]);
        Assert.True(objective.GoesOn([], 0, 0.2)); // 0.15 + 0.8 x 0.36 - 0.05 + 0.8 x 0.15 - 0.05 + … > 0.2
    }

    /// <summary>Open loop: with nothing to be learnt the decisions are the exhaustive argmax.</summary>
    [Fact]
    public void Lengths_are_the_exhaustive_argmax_for_random_chances_and_any_costs()
    {
        var random = new Random(4);
        for (int round = 0; round < 2000; round++)
        {
            int most = random.Next(1, 9);
            double[] verify = Costs(random, most + 1);
            double step = random.NextDouble() * 0.5;
            double[] right = [.. Enumerable.Range(0, most).Select(_ => random.NextDouble())];
            var objective = new DraftObjective(most, most + 1);
            objective.SetCosts(1, step, verify);
            double[] values = [.. Enumerable.Range(0, most + 1).Select(length => Tokens(right, length) - (step * length) - verify[length])];
            Assert.Equal(Array.IndexOf(values, values.Max()), objective.Plan(right, 0, []));
            for (int drafted = 0; drafted <= most; drafted++)
            {
                double[] kept = [.. Enumerable.Range(0, drafted + 1).Select(length => Tokens(right, length) - verify[length])];
                Assert.Equal(Array.IndexOf(kept, kept.Max()), objective.Keep(right.AsSpan(0, drafted)));
            }
        }
    }

    /// <summary>Closed loop: the decision to go on is that of a search through all that may be found out, up to the grid's coarseness.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(1)]
    public void Going_on_is_decided_as_an_exhaustive_search_decides(double resolved)
    {
        var random = new Random(5);
        int decided = 0;
        for (int round = 0; round < 600; round++)
        {
            int most = random.Next(1, 6);
            double slope = random.NextDouble() * 0.4, step = random.NextDouble() * 0.3;
            double[] verify = [.. Enumerable.Range(0, most + 1).Select(rows => 1 + (slope * rows))];
            double[] hazards = [.. Enumerable.Range(0, most).Select(_ => random.NextDouble())];
            var objective = new DraftObjective(most, most + 1);
            objective.SetCosts(2, step / 2, [.. verify.Select(cost => cost / 2)]);
            objective.Plan(hazards, resolved, []);
            int drafted = random.Next(0, most);
            double[] right = [.. Enumerable.Range(0, drafted).Select(_ => 0.5 + (0.5 * random.NextDouble()))];
            double next = random.NextDouble();
            double stop = Enumerable.Range(0, drafted + 1).Max(length => Tokens(right, length) - verify[length]);
            double goesOn = Search(right, next) - step;
            if (Math.Abs(goesOn - stop) > 0.02)
            {
                Assert.Equal(goesOn > stop, objective.GoesOn(right, drafted, next));
                decided++;
            }

            double Search(double[] known, double chance)
            {
                double spread = Math.Sqrt(resolved), value = 0;
                foreach ((double probability, double outcome) in ((double, double)[])[(chance, chance + (spread * (1 - chance))), (1 - chance, chance * (1 - spread))])
                {
                    double[] extended = [.. known, outcome];
                    double best = Enumerable.Range(0, extended.Length + 1).Max(length => Tokens(extended, length) - verify[length]);
                    if (extended.Length < most)
                    {
                        best = Math.Max(best, Search(extended, hazards[extended.Length]) - step);
                    }

                    value += probability * best;
                }

                return value;
            }
        }

        Assert.True(decided > 400);
    }

    [Fact]
    public void Siblings_are_the_exhaustive_argmax()
    {
        var random = new Random(6);
        for (int round = 0; round < 300; round++)
        {
            int drafted = random.Next(0, 4), count = random.Next(0, 6);
            double[] verify = Costs(random, 12);
            double[] right = [.. Enumerable.Range(0, drafted).Select(_ => random.NextDouble())];
            DraftLeaf[] leaves = drafted == 0 ? [] : [.. Enumerable.Range(0, count).Select(i => new DraftLeaf(random.Next(1, drafted + 1), i, random.NextDouble()))];
            double most = double.NegativeInfinity;
            for (int kept = 0; kept <= drafted; kept++)
            {
                for (int set = 0; set < 1 << leaves.Length; set++)
                {
                    DraftLeaf[] chosen = [.. leaves.Where((_, i) => (set >> i & 1) != 0)];
                    if (chosen.All(leaf => leaf.Depth <= kept + 1))
                    {
                        most = Math.Max(most, Value(right, kept, chosen) - verify[kept + chosen.Length]);
                    }
                }
            }

            var objective = new DraftObjective(drafted, 12);
            objective.SetCosts(1, 0.1, verify);
            DraftLeaf[] given = [.. leaves];
            int length = objective.Select(right, given, out int added);
            DraftLeaf[] taken = [.. given[..added].Select(leaf => leaves.Single(other => other.Rank == leaf.Rank))];
            Assert.All(taken, leaf => Assert.InRange(leaf.Depth, 1, length + 1));
            Assert.Equal(most, Value(right, length, taken) - verify[length + added], 1e-9);
        }

        static double Value(double[] right, int kept, DraftLeaf[] leaves) =>
            Tokens(right, kept) + leaves.Sum(leaf => right.Take(leaf.Depth - 1).Aggregate(1.0, (a, b) => a * b) * (1 - right[leaf.Depth - 1]) * leaf.Share);
    }

    private static DraftObjective Objective(int most, double step, double row, int? rows = null)
    {
        var objective = new DraftObjective(most, rows ?? (most + 1));
        objective.SetCosts(1, step, [.. Enumerable.Range(0, rows ?? (most + 1)).Select(further => 1 + (row * further))]);
        return objective;
    }

    // Not even increasing: a pass over more rows may be cheaper, in measurements at least.
    private static double[] Costs(Random random, int count) => [.. Enumerable.Range(0, count).Select(rows => 1 + (0.2 * rows) + (0.3 * random.NextDouble()))];

    private static double Tokens(double[] right, int length)
    {
        double reach = 1, tokens = 0;
        for (int i = 0; i < length; i++)
        {
            tokens += reach *= right[i];
        }

        return tokens;
    }
}

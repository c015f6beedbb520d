using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>Expands, adds and keeps anything that is allowed, and reads what it says it needs, and can't read the rest.</summary>
internal sealed class RandomTreePolicy(int seed, int maxDraft, int maxPool, DraftNeeds needs) : IDraftPolicy
{
    private readonly Random _random = new(seed);

    public string Name => $"random tree:{seed}";

    public int MaxDraft => maxDraft;

    public int MaxPool => maxPool;

    public DraftNeeds Needs => needs;

    public int Plan(in PlanContext context)
    {
        if (needs.HasFlag(DraftNeeds.RootSignals))
        {
            Check(context.RootSignals);
        }

        return _random.Next(8);
    }

    public int NextNodes(DraftTree pool, int planned, Span<Expansion> nodes)
    {
        if (planned == 0 || _random.Next(6) == 0)
        {
            return 0;
        }

        int count = 0;
        for (int node = -1; node < pool.Count && count < nodes.Length; node++)
        {
            if (pool.CanExpand(node))
            {
                if (_random.Next(3) > 0 || (count == 0 && node == pool.Count - 1))
                {
                    nodes[count++] = new Expansion(node, _random.Next(1, 5));
                }
            }
            else if (pool.Expansion(node) >= 0)
            {
                Read(pool, node);
            }
        }

        return count;
    }

    public void AddNodes(DraftTree pool, int longest)
    {
        for (int i = _random.Next(8); i > 0 && pool.Count < pool.Capacity; i--)
        {
            int parent = _random.Next(-1, pool.Count);
            if (pool.Depth(parent) < longest)
            {
                pool.Add(pool.Count > 0 && _random.Next(2) == 0 ? pool.Token(_random.Next(pool.Count)) : _random.Next(5), parent, 0);
            }
        }
    }

    public int SelectNodes(DraftTree pool, int planned, Span<int> keep)
    {
        if (_random.Next(3) == 0)
        {
            return _random.Next(keep.Length + 1);
        }

        int count = 0;
        for (int node = 0; node < pool.Count && count < keep.Length; node++)
        {
            if (_random.Next(4) > 0 && (pool.Parent(node) < 0 || keep[..count].Contains(pool.Parent(node))))
            {
                keep[count++] = node;
            }
        }

        return count;
    }

    public void Observe(in RoundObservation round)
    {
        Assert.InRange(round.Accepted, 0, round.Depth);
        Assert.InRange(round.Depth, 0, round.Drafted);
        Assert.InRange(round.Drafted, 0, round.Pool);
        Assert.InRange(round.Matched, round.Accepted, Math.Min(round.Accepted + 1, round.Depth));
        Assert.InRange(round.Pool, 0, (round.DraftPasses == 0 ? 0 : maxPool + maxDraft) + 8);
    }

    private void Read(DraftTree pool, int node)
    {
        if (needs.HasFlag(DraftNeeds.Signals))
        {
            Check(pool.Signals(node));
        }
        else
        {
            Assert.Throws<InvalidOperationException>(() => pool.Signals(node));
        }

        if (needs.HasFlag(DraftNeeds.Hidden))
        {
            foreach (float value in pool.Hidden(node))
            {
                Assert.True(float.IsFinite(value));
            }
        }
        else
        {
            Assert.Throws<InvalidOperationException>(() => pool.Hidden(node).Length);
        }
    }

    private static void Check(DraftSignals signals)
    {
        Assert.InRange(signals.Top, signals.Second, 1.00001f);
        Assert.InRange(signals.Second, 0, 0.50001f);
        Assert.InRange(signals.Entropy, 0, 20);
    }
}

/// <summary>
/// A drafter that proposes distinct tokens for any node, the right one of a recorded output among them with a set probability, at any rank; now and then
/// fewer than were asked for.
/// </summary>
internal sealed class ScriptedTreeDrafter(int[] prompt, int[] recorded, int vocabulary, double share, Random random) : IDrafter
{
    private int _committed;

    public string Name => "scripted tree";

    public int MaxExpanded => 40;

    public void Reset(int capacity, int firstToken) => _committed = 0;

    public void Commit(ReadOnlySpan<float> state, int nextToken) => _committed++;

    public void Expand(DraftTree draft, ReadOnlySpan<Expansion> nodes, DraftNeeds needs)
    {
        foreach ((int node, int children) in nodes)
        {
            draft.Expand(node);
            if (needs.HasFlag(DraftNeeds.Signals))
            {
                draft.SetSignals(node, new DraftSignals(0.5f, 0.25f, 1));
            }

            if (needs.HasFlag(DraftNeeds.Hidden))
            {
                draft.SetHidden(node, [1, 2, 3]);
            }

            int index = _committed + draft.Depth(node) + 1 - prompt.Length;
            int[] tokens = [.. Enumerable.Range(0, vocabulary)];
            random.Shuffle(tokens);
            int count = random.Next(20) == 0 ? random.Next(children) : Math.Min(children, vocabulary);
            if (index >= 0 && index < recorded.Length && count > 0 && random.NextDouble() < share)
            {
                int at = Array.IndexOf(tokens, recorded[index]), rank = random.Next(count);
                (tokens[at], tokens[rank]) = (tokens[rank], tokens[at]);
            }

            float probability = 0;
            for (int i = 0; i < count; i++)
            {
                probability -= random.Next(3) * 0.25f;
                draft.Add(tokens[i], node, needs.HasFlag(DraftNeeds.LogProbabilities) ? probability : 0);
            }
        }
    }

    public void EndRound()
    {
    }

    public void Dispose()
    {
    }
}

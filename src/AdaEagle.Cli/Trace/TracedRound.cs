using AdaEagle.Generation;
using AdaEagle.Speculation;

namespace AdaEagle.Cli.Trace;

/// <summary>A candidate of a round.</summary>
/// <param name="Node">Its number in the round's pool.</param>
/// <param name="Token">The token.</param>
/// <param name="Parent">The candidate it follows, -1 for the root.</param>
/// <param name="Depth">Tokens from the root to it.</param>
/// <param name="LogProbability">The drafter's ln p of the token alone.</param>
/// <param name="PathLogProbability">The sum of them from the root on.</param>
/// <param name="IsVerified">True if the target saw it.</param>
/// <param name="IsAccepted">True if it became part of the output.</param>
internal sealed record TracedNode(int Node, int Token, int Parent, int Depth, float LogProbability, float PathLogProbability, bool IsVerified, bool IsAccepted);

/// <summary>One round, kept.</summary>
/// <param name="Root">The token it starts from, sampled last.</param>
/// <param name="Planned">The predicted length, or what else the policy's plan means.</param>
/// <param name="Nodes">All candidates, by number.</param>
/// <param name="Emitted">What went to the output: the accepted tokens, and the target's own, if nothing cut it off.</param>
/// <param name="PlanTime">Time in the policy's plan.</param>
/// <param name="DraftTime">Time in the drafter.</param>
/// <param name="VerifyTime">Time in the target.</param>
internal sealed record TracedRound(int Root, int Planned, IReadOnlyList<TracedNode> Nodes, IReadOnlyList<int> Emitted, TimeSpan PlanTime, TimeSpan DraftTime, TimeSpan VerifyTime)
{
    /// <summary>Tokens verified beside the root.</summary>
    public int Verified => Nodes.Count(node => node.IsVerified);

    /// <summary>Drafted tokens accepted.</summary>
    public int Accepted => Nodes.Count(node => node.IsAccepted);

    /// <summary>Length of the longest path that was verified.</summary>
    public int Depth => Nodes.Where(node => node.IsVerified).Select(node => node.Depth).DefaultIfEmpty().Max();

    /// <summary>The token that the target said itself; null where the output was cut off before it.</summary>
    public int? Own => Emitted.Count > Accepted ? Emitted[Accepted] : null;

    /// <summary>Keeps a round; <paramref name="root"/> is the last token before it.</summary>
    public static TracedRound Of(in RoundView round, int root)
    {
        DraftTree pool = round.Pool;
        var nodes = new TracedNode[pool.Count];
        for (int node = 0; node < nodes.Length; node++)
        {
            nodes[node] = new TracedNode(
                node, pool.Token(node), pool.Parent(node), pool.Depth(node), pool.LogProbability(node), pool.CumulativeLogProbability(node), round.Verified.Contains(node), round.Accepted.Contains(node));
        }

        return new TracedRound(root, round.Planned, nodes, round.Emitted.ToArray(), round.PlanTime, round.DraftTime, round.VerifyTime);
    }
}

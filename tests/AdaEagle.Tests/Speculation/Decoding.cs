using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>A way to decode: a prompt, how tokens are chosen, and where the output ends.</summary>
internal sealed record DecodingTask(int[] Prompt, SamplingOptions Sampling, int MaxTokens, int[] EndTokens)
{
    public bool Ends(int token) => Array.IndexOf(EndTokens, token) >= 0;
}

/// <summary>Decoding to its end, plainly and with speculation.</summary>
internal static class Decoding
{
    /// <summary>
    /// What the output must be: plain decoding in its plainest form. One row a pass, and of the engine only the pass and the sampler.
    /// </summary>
    public static int[] Plain(LlamaTarget target, DecodingTask task)
    {
        using KvCache cache = target.CreateCache(task.Prompt.Length + task.MaxTokens);
        var rows = new PassRows(1);
        var sampler = new Sampler(task.Sampling);
        var output = new List<int>();
        for (int position = 0; ; position++)
        {
            rows.Clear();
            rows.Add(cache, position < task.Prompt.Length ? task.Prompt[position] : output[position - task.Prompt.Length]);
            target.Forward(rows, PassRequest.AllLogits);
            cache.CommitFirst(1);
            if (position < task.Prompt.Length - 1)
            {
                continue;
            }

            int token = sampler.Sample(target.Logits(0), output.Count);
            output.Add(token);
            if (task.Ends(token) || output.Count == task.MaxTokens)
            {
                return [.. output];
            }
        }
    }

    /// <summary>Speculative decoding; the state is checked after every round.</summary>
    /// <param name="decoder">The decoder.</param>
    /// <param name="task">What to decode.</param>
    /// <param name="drafter">The drafter; null for plain decoding by the same decoder.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="budget">A round's budget, given what is left; by default all of it.</param>
    /// <param name="onRound">Sees every round.</param>
    public static int[] Speculative(
        SpeculativeDecoder decoder, DecodingTask task, IDrafter? drafter, IDraftPolicy? policy, Func<int, int>? budget = null, Action<RoundRecord>? onRound = null)
    {
        var output = new List<int> { decoder.Prefill(task.Prompt, task.MaxTokens, new Sampler(task.Sampling), task.Ends, drafter, policy, cancellation: TestContext.Current.CancellationToken) };
        decoder.CheckIntegrity(task.Prompt.Length);
        int accepted = 0, rounds = 0;
        while (!task.Ends(output[^1]) && output.Count < task.MaxTokens)
        {
            int left = task.MaxTokens - output.Count;
            int most = budget?.Invoke(left) ?? left;
            ReadOnlySpan<int> emitted = decoder.Round(most, out RoundRecord record);
            decoder.CheckIntegrity(task.Prompt.Length);
            Assert.InRange(emitted.Length, 1, most);
            Assert.Equal(emitted.Length, record.Emitted);
            Assert.Equal(record.Accepted + 1, record.Emitted);
            Assert.InRange(record.Accepted, 0, record.Drafted);
            Assert.InRange(record.Drafted, 0, decoder.MaxDraft);
            Assert.InRange(decoder.LastDraft.LongestPath, record.Accepted, Math.Min(Math.Min(most - 1, decoder.MaxDraft), record.Drafted));
            for (int i = 0; i < emitted.Length - 1; i++)
            {
                Assert.False(task.Ends(emitted[i]), "Something follows an end token.");
            }

            output.AddRange(emitted);
            accepted += record.Accepted;
            rounds++;
            onRound?.Invoke(record);
        }

        Assert.Equal((output.Count, rounds + 1, accepted), (decoder.Generated, decoder.Passes, decoder.Accepted));
        Assert.Equal(accepted + rounds + 1, output.Count);
        return [.. output];
    }
}

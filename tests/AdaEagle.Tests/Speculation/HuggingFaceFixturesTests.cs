using System.Globalization;
using System.Text.Json;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Sampling;
using AdaEagle.Speculation;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Tests.Speculation;

/// <summary>
/// Agreement with Hugging Face's assisted generation and prompt lookup, round by round: what was asked for, drafted and accepted. There the first token after the prompt is
/// drafted too; here the prompt's last token plays the first generated one, so that the rounds are the same.
/// </summary>
public class HuggingFaceFixturesTests(ITestOutputHelper output)
{
    private const int MaxDraft = 48;
    private const float Tolerance = 1e-5f;

    [Fact]
    public void Assisted_generation_has_the_rounds_of_hugging_face()
    {
        string folder = Folder();
        using JsonDocument document = Read(folder);
        using LlamaModel model = LlamaModel.Load(Path.Combine(folder, "target"));
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(model, pool, maxLogitRows: MaxDraft + 1);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        int rounds = 0;
        foreach (JsonElement assisted in document.RootElement.GetProperty("assisted").EnumerateArray())
        {
            string name = assisted.GetProperty("name").GetString()!;
            using LlamaModel assistant = LlamaModel.Load(Path.Combine(folder, assisted.GetProperty("assistant").GetString()!));
            using var drafter = new ModelDrafter(assistant, model, pool, MaxDraft);
            HuggingFacePolicy? shared = null;
            var ends = new List<int>();
            foreach (JsonElement call in assisted.GetProperty("calls").EnumerateArray())
            {
                ends.Clear();
                ends.AddRange(EndTokens(call));
                HuggingFacePolicy policy = shared ?? Policy(assisted, ends);
                shared = assisted.GetProperty("calls_share_state").GetBoolean() ? policy : null;
                // What the policy's numbers are before and after each round, and the probabilities, are compared with the recorded ones.
                rounds += Play(decoder, drafter, policy, call, assisted.GetProperty("max_new_tokens").GetInt32(), name, new Watch(name, policy));
                Assert.True(
                    call.GetProperty("num_assistant_tokens_kept") is not { ValueKind: JsonValueKind.Number } kept
                    || !assisted.GetProperty("num_assistant_tokens_schedule").GetString()!.Equals("heuristic", StringComparison.Ordinal) || kept.GetInt32() == policy.Tokens, name);
            }
        }

        output.WriteLine($"{rounds} rounds");
        Fixtures.RequireCases("drafters/hf-assisted", rounds);
    }

    [Fact]
    public void Prompt_lookup_has_the_rounds_of_hugging_face()
    {
        string folder = Folder();
        using JsonDocument document = Read(folder);
        using LlamaModel model = LlamaModel.Load(Path.Combine(folder, "target"));
        using var pool = new WorkerPool(1);
        using var target = new LlamaTarget(model, pool, maxLogitRows: MaxDraft + 1);
        using var decoder = new SpeculativeDecoder(target, MaxDraft);
        int rounds = 0;
        foreach (JsonElement lookup in document.RootElement.GetProperty("prompt_lookup").EnumerateArray())
        {
            int most = lookup.GetProperty("prompt_lookup_num_tokens").GetInt32();
            int longest = lookup.GetProperty("max_matching_ngram_size") is { ValueKind: JsonValueKind.Number } size ? size.GetInt32() : NgramDrafter.UsualLongestNgram;
            foreach (JsonElement call in lookup.GetProperty("calls").EnumerateArray())
            {
                using var drafter = new NgramDrafter(most, longest, EndTokens(call));
                rounds += Play(decoder, drafter, new FixedLengthPolicy(MaxDraft), call, lookup.GetProperty("max_new_tokens").GetInt32(), lookup.GetProperty("name").GetString()!, null);
            }
        }

        Fixtures.RequireCases("drafters/hf-assisted", rounds);
    }

    private static string Folder() => Path.Combine(Fixtures.Folder("drafters"), "hf-assisted");

    private static JsonDocument Read(string folder) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));

    private static int[] EndTokens(JsonElement call) => call.GetProperty("eos_token_id") is { ValueKind: JsonValueKind.Number } end ? [end.GetInt32()] : [];

    private static HuggingFacePolicy Policy(JsonElement assisted, List<int> ends)
    {
        string schedule = assisted.GetProperty("num_assistant_tokens_schedule").GetString()!;
        return new HuggingFacePolicy(
            "hf",
            new HuggingFaceRules
            {
                Tokens = assisted.GetProperty("num_assistant_tokens").GetInt32(),
                Heuristic = schedule.StartsWith("heuristic", StringComparison.Ordinal),
                Transient = schedule == "heuristic_transient",
                Confidence = assisted.GetProperty("assistant_confidence_threshold").GetSingle(),
                Adaptive = assisted.GetProperty("adaptive_threshold").GetBoolean(),
            },
            MaxDraft, ends);
    }

    /// <summary>Decodes and compares every round; returns their number.</summary>
    private static int Play(SpeculativeDecoder decoder, IDrafter drafter, IDraftPolicy policy, JsonElement call, int maxNewTokens, string name, Watch? watch)
    {
        int[] prompt = call.Ints("prompt_ids"), tokens = call.Ints("tokens"), ends = EndTokens(call);
        // The root of the first round is the prompt's last token.
        int root = decoder.Prefill(prompt.AsSpan(0, prompt.Length - 1), maxNewTokens + 1, new FirstTokenSampler(prompt[^1]), token => ends.Contains(token), drafter, policy, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(prompt[^1], root);
        var made = new List<int>();
        int round = 0;
        foreach (JsonElement expected in call.GetProperty("rounds").EnumerateArray())
        {
            string where = string.Create(CultureInfo.InvariantCulture, $"{name}, round {round++}");
            Assert.Equal(expected.GetProperty("known_tokens").GetInt32(), prompt.Length + made.Count);
            watch?.Before(expected, where);
            int left = maxNewTokens - made.Count;
            int[] emitted = [.. decoder.Round(left, out RoundRecord record)];
            int[] drafted = expected.Ints("drafted");
            // Hugging Face drafts past the last token, too, and accepts none of it.
            drafted = drafted[..Math.Min(drafted.Length, left - 1)];
            Assert.True(drafted.SequenceEqual(Enumerable.Range(0, decoder.LastDraft.Count).Select(decoder.LastDraft.Token)), $"{where}: [{string.Join(", ", drafted)}] was to be drafted");
            Assert.True(expected.GetProperty("accepted").GetInt32() == record.Accepted, $"{where}: {record.Accepted} accepted");
            Assert.Equal(expected.Ints("emitted"), emitted);
            watch?.After(expected, decoder.LastDraft, where);
            made.AddRange(emitted);
        }

        Assert.Equal(tokens, made);
        return round;
    }

    /// <summary>Compares a policy's own numbers with the recorded ones.</summary>
    private sealed class Watch(string name, HuggingFacePolicy policy)
    {
        public void Before(JsonElement round, string where)
        {
            // The first plan of a call is what begins it anew.
            if (!where.EndsWith("round 0", StringComparison.Ordinal))
            {
                Assert.True(round.GetProperty("num_assistant_tokens").GetInt32() == policy.Tokens, $"{where}: {policy.Tokens} tokens");
                Close(Number(round.GetProperty("threshold")), policy.Threshold, $"{where}: threshold before");
            }
        }

        public void After(JsonElement round, DraftTree draft, string where)
        {
            Assert.True(round.GetProperty("num_assistant_tokens_after").GetInt32() == policy.Tokens, $"{where}: {policy.Tokens} tokens afterwards");
            if (round.TryGetProperty("threshold_after", out JsonElement threshold))
            {
                Close(Number(threshold), policy.Threshold, $"{where}: threshold after");
            }

            if (policy.Threshold > 0)
            {
                float[] probabilities = round.Floats("drafted_prob");
                for (int i = 0; i < draft.Count; i++)
                {
                    Close(probabilities[i], MathF.Exp(draft.LogProbability(i)), $"{name}: {where}: probability of token {i}");
                }
            }
        }

        private static float Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetSingle() : float.PositiveInfinity;

        private static void Close(float expected, float actual, string what) =>
            Assert.True(expected == actual || Math.Abs(expected - actual) <= Tolerance, $"{what}: {actual} instead of {expected}");
    }

    /// <summary>Greedy, but for the first token.</summary>
    private sealed class FirstTokenSampler(int first) : ISampler
    {
        public bool IsGreedy => false;

        public int Sample(ReadOnlySpan<float> logits, int index)
        {
            int best = 0;
            for (int token = 1; token < logits.Length; token++)
            {
                best = logits[token] > logits[best] ? token : best;
            }

            return index == 0 ? first : best;
        }
    }
}

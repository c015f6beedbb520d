using AdaEagle.Models;
using AdaEagle.Tokenization;

namespace AdaEagle.Generation;

/// <summary>Nats and tokens of some text under a model.</summary>
/// <param name="Nats">Sum of -ln p over the scored tokens.</param>
/// <param name="Tokens">Tokens scored: all but the first of each text.</param>
internal readonly record struct TextLoss(double Nats, long Tokens)
{
    /// <summary>e to the mean loss.</summary>
    public double Perplexity => Math.Exp(Nats / Tokens);

    public static TextLoss operator +(TextLoss left, TextLoss right) => Add(left, right);

    public static TextLoss Add(TextLoss left, TextLoss right) => new(left.Nats + right.Nats, left.Tokens + right.Tokens);
}

/// <summary>Measures how well a model predicts text: passes of many rows with the logits of all. Not thread-safe.</summary>
internal sealed unsafe class TextScorer : IDisposable
{
    private const int Rows = 128;
    private readonly LanguageModel _model;
    private readonly LlamaTarget _target;
    private readonly PassRows _rows = new(Rows);

    public TextScorer(LanguageModel model)
    {
        _model = model;
        _target = new LlamaTarget(model.Target, model.Pool, Rows, Rows);
    }

    /// <summary>Most tokens of a text that are scored: the model's context.</summary>
    public int Context => _target.MaxPositions;

    /// <summary>A dialogue as the model reads it, or its text where the model has no chat template.</summary>
    public int[] Encode(IReadOnlyList<ChatMessage> messages) => _model.Template is { } template
        ? _model.Tokenizer.Encode(template.Render(messages, addGenerationPrompt: false))
        : Encode(string.Join("\n\n", messages.Select(message => message.Content)));

    /// <summary>A plain text.</summary>
    public int[] Encode(string text) => _model.Tokenizer.EncodeOrdinary(text);

    /// <summary>The loss of tokens 1, 2, … given those before them; what is beyond the model's context is left out.</summary>
    public TextLoss Score(ReadOnlySpan<int> tokens)
    {
        tokens = tokens[..Math.Min(tokens.Length, Context)];
        if (tokens.Length < 2)
        {
            return default;
        }

        using KvCache cache = _target.CreateCache(tokens.Length);
        double nats = 0;
        for (int first = 0; first < tokens.Length - 1;)
        {
            _rows.Clear();
            int count = Math.Min(Rows, tokens.Length - 1 - first);
            for (int row = 0; row < count; row++)
            {
                _rows.Add(cache, tokens[first + row], row - 1);
            }

            _target.Forward(_rows, PassRequest.AllLogits);
            for (int row = 0; row < count; row++)
            {
                nats += Loss(_target.Logits(row), tokens[first + row + 1]);
            }

            cache.CommitFirst(count);
            first += count;
        }

        return new TextLoss(nats, tokens.Length - 1);
    }

    public void Dispose() => _target.Dispose();

    private static double Loss(ReadOnlySpan<float> logits, int token)
    {
        float largest = logits[0];
        foreach (float logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        return Math.Log(sum) + largest - logits[token];
    }
}

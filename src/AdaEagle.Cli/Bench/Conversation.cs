using AdaEagle.Generation;
using AdaEagle.Tokenization;

namespace AdaEagle.Cli.Bench;

/// <summary>One question's dialogue with the model: turn by turn, its own answers fed back.</summary>
internal sealed class Conversation(LanguageModel model, bool raw)
{
    private static readonly GenerationOptions s_raw = new() { Raw = true };

    private readonly List<ChatMessage> _messages = [];
    private string _text = "";

    private bool IsRaw => raw || model.Template is null;

    /// <summary>The tokens of the dialogue with this turn at its end.</summary>
    public IReadOnlyList<int> Ask(string turn)
    {
        if (IsRaw)
        {
            _text += turn;
            return model.Encode(_text, s_raw);
        }

        _messages.Add(new ChatMessage("user", turn));
        return model.EncodeChat(_messages);
    }

    /// <summary>What the model said.</summary>
    public void Answer(string text)
    {
        _text += text;
        _messages.Add(new ChatMessage("assistant", text));
    }
}

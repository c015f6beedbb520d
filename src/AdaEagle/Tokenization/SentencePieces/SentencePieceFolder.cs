using System.Globalization;
using AdaEagle.Formats;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>What a Hugging Face folder says about its <c>tokenizer.model</c>.</summary>
/// <param name="AddsBegin">A begin token is put in front (<c>add_bos_token</c>, true unless told otherwise).</param>
/// <param name="AddsEnd">An end token is put behind (<c>add_eos_token</c>).</param>
/// <param name="Added">Tokens beyond the model's own (<c>added_tokens.json</c>, <c>added_tokens_decoder</c>).</param>
internal sealed record SentencePieceFolder(bool AddsBegin, bool AddsEnd, IReadOnlyList<AddedToken> Added)
{
    // Ids may leave a gap behind the model's own, but memory is taken by the highest.
    private const int SpareIds = 65_536;

    private const string AsPublished = "Give the folder as its makers published it";

    /// <summary>Nothing around the text, no tokens beyond the model's.</summary>
    public static SentencePieceFolder None { get; } = new(false, false, []);

    public static SentencePieceFolder Read(string folder, SentencePieceModel model)
    {
        Dictionary<int, AddedToken> added = [];
        HashSet<string> texts = [.. model.Pieces.Select(piece => piece.Text)];
        string addedPath = Path.Combine(folder, "added_tokens.json");
        if (File.Exists(addedPath))
        {
            JsonConfig json = JsonConfig.Load(addedPath);
            foreach ((string text, int id) in json.AllInts(0, model.Pieces.Count + SpareIds))
            {
                Add(json, text, new AddedToken(id, text, Special: true, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false));
            }
        }

        string configPath = Path.Combine(folder, "tokenizer_config.json");
        JsonConfig? config = File.Exists(configPath) ? JsonConfig.Load(configPath, JsonConfig.IndexLimit) : null;
        if (config?.Object("added_tokens_decoder") is { } decoder)
        {
            foreach (string key in decoder.Keys())
            {
                JsonConfig token = decoder.Object(key) ?? throw decoder.Fault(key, "the token is missing", AsPublished);
                if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id > model.Pieces.Count + SpareIds)
                {
                    throw decoder.Fault(key, "it is not an id, or far too high", AsPublished);
                }

                string content = token.Text("content") ?? throw token.Fault("content", "the key is missing", AsPublished);
                Add(token, "content", new AddedToken(
                    id, content, token.Flag("special") ?? false, token.Flag("single_word") ?? false, token.Flag("lstrip") ?? false, token.Flag("rstrip") ?? false, Normalized: false));
            }
        }

        return new SentencePieceFolder(config?.Flag("add_bos_token") ?? true, config?.Flag("add_eos_token") ?? false, [.. added.Values]);

        void Add(JsonConfig at, string key, AddedToken token)
        {
            if (token.Id < model.Pieces.Count)
            {
                // The model's own piece: its type says what it is.
                return;
            }

            if (token.Content.Length is 0 or > AddedTokens.Longest)
            {
                throw at.Fault(key, $"an added token of {token.Content.Length} characters; 1 to {AddedTokens.Longest} are possible", AsPublished);
            }

            if (added.TryGetValue(token.Id, out AddedToken? known) ? known.Content != token.Content : !texts.Add(token.Content))
            {
                throw at.Fault(key, $"the token '{token.Content}' or its id {token.Id} is there twice", AsPublished);
            }

            added[token.Id] = token;
        }
    }
}

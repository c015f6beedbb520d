using System.Collections.Frozen;
using System.Text;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Merging;
using AdaEagle.Tokenization.SentencePieces;

namespace AdaEagle.Tokenization.Gguf;

/// <summary>The tokens and merges of a <see cref="GgufVocabulary"/>, checked.</summary>
internal sealed class GgufTokens
{
    /// <summary>The kind of vocabulary that is byte-level BPE.</summary>
    public const string ByteLevel = "gpt2";

    /// <summary>The kind that is SentencePiece with scores.</summary>
    public const string Scores = "llama";

    private const string AsPublished = "Fetch the file again, or make it anew with its converter";

    /// <summary>Tokens that end a generation, whatever the file says about them; they count as control tokens.</summary>
    private static readonly FrozenSet<string> _ends = FrozenSet.Create(
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
        "<|end_of_text|>", "<end_of_utterance>", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");

    private readonly GgufVocabulary _source;
    private readonly string _file;

    private GgufTokens(GgufVocabulary source, string file)
    {
        _source = source;
        _file = file;
        Dictionary<string, int> ids = [];
        for (int id = 0; id < source.Tokens.Count; id++)
        {
            // Converters fill the vocabulary up to the model's with unused tokens, which no tokenizer.json has.
            if (source.Tokens[id].Length > 0 && Type(id) != PieceType.Unused && !ids.TryAdd(source.Tokens[id], id))
            {
                throw Fault("tokens", $"'{source.Tokens[id]}' has the ids {ids[source.Tokens[id]]} and {id}");
            }
        }

        if (ids.Count == 0)
        {
            throw Fault("tokens", "there are no tokens");
        }

        Vocabulary = new Vocabulary(ids, OfType(ids, PieceType.Control, PieceType.Unknown), [], ToBytes, OfType(ids, PieceType.Byte));
        Merges = source.Model == ByteLevel ? ReadMerges() : [];
        EndTokens = [.. ids.Where(token => _ends.Contains(token.Key)).Select(token => token.Value)
            .Concat(new[] { source.EndToken, source.EndOfTurnToken }.OfType<int>()).Distinct().Order()];
    }

    public Vocabulary Vocabulary { get; }

    /// <summary>Merges by rank, none twice.</summary>
    public IReadOnlyList<(int Left, int Right, int Result)> Merges { get; }

    /// <summary>Tokens that end a generation.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>Tokens that are found in text before anything else; user-defined ones even where special tokens are not recognised.</summary>
    public IEnumerable<(string Text, int Id, bool Special)> Special => All()
        .Where(token => Type(token.Id) is PieceType.Control or PieceType.Unknown or PieceType.UserDefined)
        .Select(token => (token.Text, token.Id, Type(token.Id) != PieceType.UserDefined));

    /// <summary>All tokens with their scores.</summary>
    public IEnumerable<(string Text, float Score)> Scored => All().Select(token => (token.Text, _source.Scores?[token.Id] ?? 0));

    public static GgufTokens Read(GgufVocabulary source, string file)
    {
        if (source.Model is not (ByteLevel or Scores))
        {
            throw new ModelFormatException(
                file, "tokenizer.ggml.model", $"the tokenizer '{source.Model}' is not supported", $"Supported are {ByteLevel} (byte-level BPE) and {Scores} (SentencePiece with scores)");
        }

        int count = source.Tokens.Count;
        if (source.Types is { } types && types.Count != count)
        {
            throw new ModelFormatException(file, "tokenizer.ggml.token_type", $"there are {types.Count} types for {count} tokens", AsPublished);
        }

        if (source.Scores is { } scores && (scores.Count != count || !scores.All(float.IsFinite)))
        {
            throw new ModelFormatException(file, "tokenizer.ggml.scores", $"there are not {count} finite scores, one for each token", AsPublished);
        }

        if (source.Tokens.Where((text, id) => text.Length > AddedTokens.Longest && source.Types?[id] is 2 or 3 or 4).FirstOrDefault() is { } tooLong)
        {
            throw new ModelFormatException(file, "tokenizer.ggml.tokens", $"a special token of {tooLong.Length} characters; {AddedTokens.Longest} are the most", AsPublished);
        }

        return new GgufTokens(source, file);
    }

    private IEnumerable<(string Text, int Id)> All() => _source.Tokens.Select((text, id) => (text, id)).Where(token => Vocabulary.Contains(token.id));

    private PieceType Type(int id) => _ends.Contains(_source.Tokens[id]) ? PieceType.Control : (PieceType)(_source.Types?[id] ?? (int)PieceType.Normal);

    private HashSet<int> OfType(Dictionary<string, int> ids, params PieceType[] types) => [.. ids.Values.Where(id => types.Contains(Type(id)))];

    private byte[] ToBytes(int id, string text) => Type(id) switch
    {
        PieceType.Byte when ByteTokens.TryParse(text, out byte value) => [value],
        PieceType.Control or PieceType.Unknown or PieceType.UserDefined => Encoding.UTF8.GetBytes(text),
        PieceType.Normal when _source.Model == ByteLevel => ByteAlphabet.ToBytes(text),
        PieceType.Normal => Encoding.UTF8.GetBytes(text.Replace('\u2581', ' ')),
        _ => [],
    };

    private List<(int Left, int Right, int Result)> ReadMerges()
    {
        IReadOnlyList<string> source = _source.Merges ?? throw Fault("merges", "the key is missing");
        List<(int, int, int)> merges = new(source.Count);
        HashSet<(int, int)> seen = [];
        foreach (string merge in source)
        {
            int space = merge.Length == 0 ? -1 : merge.IndexOf(' ', 1);
            if (space < 0)
            {
                throw Fault("merges", $"merge {merges.Count} is not of two tokens");
            }

            (int left, int right) = (Find(merge[..space]), Find(merge[(space + 1)..]));
            if (seen.Add((left, right)))
            {
                merges.Add((left, right, Find(merge.Remove(space, 1))));
            }
        }

        return merges;

        int Find(string text) => Vocabulary.TryGetId(text, out int id) ? id : throw Fault("merges", $"merge {merges.Count} names '{text}', which is not a token");
    }

    private ModelFormatException Fault(string key, string problem) => new(_file, $"tokenizer.ggml.{key}", problem, AsPublished);
}

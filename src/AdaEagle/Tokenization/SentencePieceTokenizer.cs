using System.Text;
using AdaEagle.Formats;
using AdaEagle.Tokenization.Merging;
using AdaEagle.Tokenization.SentencePieces;

namespace AdaEagle.Tokenization;

/// <summary>
/// The tokenizer that a SentencePiece <c>.model</c> file describes (BPE or unigram). Plain text gives the very ids of the sentencepiece
/// library. Immutable, safe to use from many threads.
/// </summary>
/// <remarks>
/// Where special tokens written in a text are recognised (<see cref="ITokenizer.Encode"/>), the text is cut at them first, and every stretch between them is
/// encoded as the library would, with a dummy prefix of its own if the model adds one: so do llama.cpp and the slow tokenizers of older
/// transformers. transformers 5 rebuilds the model as another tokenizer, which leaves the prefix out in front of spaces and after special tokens.
/// The special tokens are the model's control pieces and the folder's added tokens; the unknown piece is not one, and decodes to what the model says (<c> ⁇ </c>).
/// </remarks>
public sealed class SentencePieceTokenizer : Tokenizer
{
    internal const string FileName = "tokenizer.model";

    private readonly SentencePieceEncoder _encoder;
    private readonly AddedTokens _special;

    internal SentencePieceTokenizer(SentencePieceModel model, SentencePieceFolder folder)
        : base(ReadVocabulary(model, folder), [])
    {
        _encoder = new SentencePieceEncoder(model);
        _special = new AddedTokens(
            model.Pieces.Select((piece, id) => (piece, id))
                .Where(item => item.piece.Type == PieceType.Control)
                .Select(item => new AddedToken(item.id, item.piece.Text, Special: true, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false))
                .Concat(folder.Added),
            content => content);
        Prefix = folder.AddsBegin && model.BeginId is { } begin ? [begin] : [];
        Suffix = folder.AddsEnd && model.EndId is { } end ? [end] : [];
        Decoding = new DecodingRules(
            model.RemoveExtraSpaces ? LeadingSpace.OfEveryPiece : model.AddDummyPrefix ? LeadingSpace.OfPiece : LeadingSpace.Stays,
            BrokenBytes.OneEachByte,
            UnknownToken: model.UnknownId);
    }

    /// <summary>Loads <c>tokenizer.model</c> of a Hugging Face folder, with what <c>tokenizer_config.json</c> and <c>added_tokens.json</c> say about it.</summary>
    /// <exception cref="ModelFormatException">A file is absent, broken, or of a kind that is not supported.</exception>
    public static SentencePieceTokenizer Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        SentencePieceModel model = ReadModel(path);
        return new SentencePieceTokenizer(model, SentencePieceFolder.Read(folder, model));
    }

    /// <summary>Loads a <c>.model</c> file by itself, whatever its name: no special tokens are put around texts.</summary>
    /// <exception cref="ModelFormatException">The file is absent, broken, or of a kind that is not supported.</exception>
    public static SentencePieceTokenizer LoadFile(string path) => new(ReadModel(path), SentencePieceFolder.None);

    /// <summary>Builds the tokenizer from the bytes of a <c>.model</c> file; <paramref name="file"/> is its name, for messages.</summary>
    /// <exception cref="ModelFormatException">The bytes are broken, or of a kind that is not supported.</exception>
    public static SentencePieceTokenizer Parse(ReadOnlySpan<byte> bytes, string file) => new(SentencePieceModelReader.Read(bytes, file), SentencePieceFolder.None);

    /// <summary>What a text is after normalisation, with the dummy prefix and spaces as U+2581: the library's <c>normalize</c>.</summary>
    internal string Normalize(string text) => _encoder.Normalize(text);

    private protected override void Encode(string text, bool recogniseSpecial, List<int> output)
    {
        foreach ((Piece piece, AddedToken? token) in _special.Cut(text, recogniseSpecial))
        {
            if (token is not null)
            {
                output.Add(token.Id);
            }
            else
            {
                _encoder.Encode(text.Substring(piece.Start, piece.Length), output);
            }
        }
    }

    private static SentencePieceModel ReadModel(string path) =>
        SentencePieceModelReader.Read(RandomAccessFile.ReadAll(path, SentencePieceModelReader.LongestFile), path);

    private static Vocabulary ReadVocabulary(SentencePieceModel model, SentencePieceFolder folder)
    {
        var ids = model.Pieces.Select((piece, id) => KeyValuePair.Create(piece.Text, id)).ToDictionary();
        HashSet<int> special = [.. OfType(PieceType.Control)];
        foreach (AddedToken token in folder.Added)
        {
            ids.TryAdd(token.Content, token.Id);
            if (token.Special)
            {
                special.Add(token.Id);
            }
        }

        return new Vocabulary(ids, special, [], ToBytes, [.. OfType(PieceType.Byte)]);

        IEnumerable<int> OfType(PieceType type) => Enumerable.Range(0, model.Pieces.Count).Where(id => model.Pieces[id].Type == type);

        byte[] ToBytes(int id, string text)
        {
            PieceType? type = id < model.Pieces.Count ? model.Pieces[id].Type : null;
            return type switch
            {
                PieceType.Byte when ByteTokens.TryParse(text, out byte value) => [value],
                PieceType.Unknown => Encoding.UTF8.GetBytes(model.UnknownSurface),
                PieceType.Control or null => Encoding.UTF8.GetBytes(text),
                _ => Encoding.UTF8.GetBytes(text.Replace('\u2581', ' ')),
            };
        }
    }
}

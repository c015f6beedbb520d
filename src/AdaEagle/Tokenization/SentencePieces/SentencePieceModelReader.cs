using System.Text;
using AdaEagle.Formats;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>
/// Reads a <c>.model</c> file of SentencePiece: a protocol buffer <c>ModelProto</c> (sentencepiece_model.proto), everything checked.
/// </summary>
internal static class SentencePieceModelReader
{
    /// <summary>The longest file; the largest known ones have some 5 MB.</summary>
    public const int LongestFile = 64 << 20;

    /// <summary>The longest piece in UTF-16 units, which bounds the work at one place; SentencePiece makes 16 unless told otherwise.</summary>
    public const int LongestPiece = 512;

    private const string AsPublished = "Give the .model file as SentencePiece wrote it";

    /// <summary>Reads the bytes of a file.</summary>
    /// <exception cref="ModelFormatException">They are broken, or of a kind that is not supported.</exception>
    public static SentencePieceModel Read(ReadOnlySpan<byte> bytes, string file)
    {
        List<SentencePiece> pieces = [];
        var options = new Options();
        try
        {
            ProtoReader model = new(bytes);
            while (model.Next())
            {
                switch (model.Field)
                {
                    case 1:
                        pieces.Add(ReadPiece(model.Bytes()));
                        break;
                    case 2:
                        options.ReadTrainer(model.Bytes());
                        break;
                    case 3:
                        options.ReadNormalizer(model.Bytes());
                        break;
                    case 5:
                        options.ReadDenormalizer(model.Bytes());
                        break;
                    default:
                        model.Skip();
                        break;
                }
            }
        }
        catch (ProtoException e)
        {
            throw new ModelFormatException(file, null, $"it is not a SentencePiece model ({e.Message})", AsPublished, e);
        }

        CheckPieces(pieces, file);
        return options.Build(pieces, file);
    }

    private static SentencePiece ReadPiece(ReadOnlySpan<byte> message)
    {
        ProtoReader reader = new(message);
        (string text, float score, PieceType type) = ("", 0, PieceType.Normal);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = ReadText(reader.Bytes());
                    break;
                case 2:
                    score = reader.Single();
                    break;
                case 3:
                    type = (PieceType)reader.Int();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new SentencePiece(text, score, type);
    }

    private static string ReadText(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return StrictUtf8.Encoding.GetString(utf8);
        }
        catch (DecoderFallbackException)
        {
            throw new ProtoException("a text in it is not UTF-8");
        }
    }

    private static void CheckPieces(List<SentencePiece> pieces, string file)
    {
        HashSet<string> texts = [];
        for (int id = 0; id < pieces.Count; id++)
        {
            (string text, float score, PieceType type) = pieces[id];
            string? problem = text.Length switch
            {
                0 => "it is empty",
                > LongestPiece => $"it has {text.Length} characters; {LongestPiece} are the most",
                _ when !float.IsFinite(score) => "its score is not a finite number",
                _ when !Enum.IsDefined(type) => $"its type {(int)type} is not known",
                _ when type == PieceType.Byte && !Merging.ByteTokens.TryParse(text, out _) => $"'{text}' is said to stand for a byte, and does not name one",
                _ when !texts.Add(text) => $"'{text}' is there twice",
                _ => null,
            };
            if (problem is not null)
            {
                throw new ModelFormatException(file, $"piece {id}", problem, AsPublished);
            }
        }

        if (pieces.Count(piece => piece.Type == PieceType.Unknown) != 1)
        {
            throw new ModelFormatException(file, null, "it has not exactly one unknown piece", AsPublished);
        }
    }

    /// <summary>The fields of <c>TrainerSpec</c> and <c>NormalizerSpec</c> that count, as they come; a message may come in parts.</summary>
    private sealed class Options
    {
        private int _kind = (int)SentencePieceKind.Unigram;
        private bool _byteFallback;
        private bool _spaceAsSuffix;
        private int _begin = 1;
        private int _end = 2;
        private string _unknownSurface = " \u2047 ";
        private byte[] _map = [];
        private bool _addDummyPrefix = true;
        private bool _removeExtraSpaces = true;
        private bool _escapeSpaces = true;
        private bool _denormalizes;

        public void ReadTrainer(ReadOnlySpan<byte> message)
        {
            ProtoReader reader = new(message);
            while (reader.Next())
            {
                switch (reader.Field)
                {
                    case 3:
                        _kind = reader.Int();
                        break;
                    case 24:
                        _spaceAsSuffix = reader.Flag();
                        break;
                    case 35:
                        _byteFallback = reader.Flag();
                        break;
                    case 41:
                        _begin = reader.Int();
                        break;
                    case 42:
                        _end = reader.Int();
                        break;
                    case 44:
                        _unknownSurface = ReadText(reader.Bytes());
                        break;
                    default:
                        reader.Skip();
                        break;
                }
            }
        }

        public void ReadNormalizer(ReadOnlySpan<byte> message)
        {
            ProtoReader reader = new(message);
            while (reader.Next())
            {
                switch (reader.Field)
                {
                    case 2:
                        _map = reader.Bytes().ToArray();
                        break;
                    case 3:
                        _addDummyPrefix = reader.Flag();
                        break;
                    case 4:
                        _removeExtraSpaces = reader.Flag();
                        break;
                    case 5:
                        _escapeSpaces = reader.Flag();
                        break;
                    default:
                        reader.Skip();
                        break;
                }
            }
        }

        public void ReadDenormalizer(ReadOnlySpan<byte> message)
        {
            ProtoReader reader = new(message);
            while (reader.Next())
            {
                if (reader.Field == 2)
                {
                    _denormalizes |= reader.Bytes().Length > 0;
                }
                else
                {
                    reader.Skip();
                }
            }
        }

        public SentencePieceModel Build(List<SentencePiece> pieces, string file)
        {
            if (!Enum.IsDefined((SentencePieceKind)_kind))
            {
                throw new ModelFormatException(file, "model_type", $"the model type {_kind} is not supported", "Supported are unigram (1) and bpe (2)");
            }

            if (_denormalizes)
            {
                throw new ModelFormatException(file, "denormalizer_spec", "rules for decoding are not supported", "Use a model without them, as nearly all are");
            }

            if (_byteFallback && pieces.Count(piece => piece.Type == PieceType.Byte) != 256)
            {
                throw new ModelFormatException(file, "byte_fallback", "it asks for 256 byte pieces, and they are not all there", AsPublished);
            }

            return new SentencePieceModel
            {
                Pieces = pieces,
                Kind = (SentencePieceKind)_kind,
                ByteFallback = _byteFallback,
                UnknownId = pieces.FindIndex(piece => piece.Type == PieceType.Unknown),
                BeginId = Control(pieces, _begin),
                EndId = Control(pieces, _end),
                UnknownSurface = _unknownSurface,
                Map = _map.Length == 0 ? null : CharacterMap.Read(_map, file),
                AddDummyPrefix = _addDummyPrefix,
                RemoveExtraSpaces = _removeExtraSpaces,
                EscapeSpaces = _escapeSpaces,
                SpaceAsSuffix = _spaceAsSuffix,
            };
        }

        private static int? Control(List<SentencePiece> pieces, int id) =>
            (uint)id < (uint)pieces.Count && pieces[id].Type == PieceType.Control ? id : null;
    }
}

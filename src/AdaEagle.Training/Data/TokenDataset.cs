using System.Collections.Frozen;
using System.Text;
using AdaEagle.Tokenization;

namespace AdaEagle.Training.Data;

/// <summary>
/// A corpus as token ids: documents tokenised once, back to back. A dialogue is what the chat template renders; raw text is preceded by
/// the template's begin token, and the begin token of the document after it ends it. Immutable.
/// </summary>
public sealed class TokenDataset
{
    private TokenDataset(int[] tokens, DocumentSpan[] documents)
    {
        Tokens = tokens;
        Documents = documents;
    }

    /// <summary>All documents' ids, back to back.</summary>
    public int[] Tokens { get; }

    /// <summary>The documents in order; together they cover <see cref="Tokens"/>.</summary>
    public IReadOnlyList<DocumentSpan> Documents { get; }

    /// <summary>The categories that occur, in the order of their first documents.</summary>
    public IReadOnlyList<string> Categories => [.. Documents.Select(document => document.Category).Distinct()];

    /// <summary>
    /// Tokenises documents on all processors; the order stays. Throws <see cref="InvalidDataException"/> for a dialogue that contains a special token as
    /// text (it would end turns), and for raw text where the template knows no begin or end token.
    /// </summary>
    public static TokenDataset Build(IEnumerable<CorpusDocument> documents, ITokenizer tokenizer, ChatTemplate template)
    {
        FrozenSet<string> specialTokens = SpecialTexts(tokenizer);
        var tokenised = ParallelWork.Run(() => documents.AsParallel().AsOrdered()
            .Select(document => (document.Category, Ids: Tokenise(document, tokenizer, template, specialTokens))).ToArray());
        long total = tokenised.Sum(document => (long)document.Ids.Length);
        if (total > Array.MaxLength)
        {
            throw new InvalidDataException($"The corpus has {total} tokens, more than {Array.MaxLength}. Train on a part of it.");
        }

        int[] tokens = new int[total];
        var spans = new DocumentSpan[tokenised.Length];
        int start = 0;
        for (int i = 0; i < tokenised.Length; i++)
        {
            (string category, int[] ids) = tokenised[i];
            ids.CopyTo(tokens, start);
            spans[i] = new DocumentSpan(category, start, ids.Length);
            start += ids.Length;
        }

        return new TokenDataset(tokens, spans);
    }

    /// <summary>The ids of one document.</summary>
    public ReadOnlySpan<int> this[DocumentSpan document] => Tokens.AsSpan(document.Start, document.Length);

    /// <summary>The documents of one category.</summary>
    public TokenDataset Category(string category)
    {
        DocumentSpan[] chosen = [.. Documents.Where(document => document.Category == category)];
        int[] tokens = new int[chosen.Sum(document => document.Length)];
        int start = 0;
        for (int i = 0; i < chosen.Length; i++)
        {
            this[chosen[i]].CopyTo(tokens.AsSpan(start));
            chosen[i] = chosen[i] with { Start = start };
            start += chosen[i].Length;
        }

        return new TokenDataset(tokens, chosen);
    }

    /// <summary>Endless training batches in an order that the seed decides.</summary>
    public TokenBatches Batches(int batchSize, int length, int seed) => new(this, batchSize, length, seed);

    /// <summary>How many rows of <paramref name="length"/> predictions the documents give in their order (validation).</summary>
    public int RowCount(int length) => Math.Max(0, Tokens.Length - 1) / length;

    /// <summary>Row <paramref name="row"/> of <see cref="RowCount"/>: <c>length</c> inputs and the last one's successor, length + 1 ids.</summary>
    public ReadOnlySpan<int> Row(int row, int length) => Tokens.AsSpan(checked(row * length), length + 1);

    private static int[] Tokenise(CorpusDocument document, ITokenizer tokenizer, ChatTemplate template, FrozenSet<string> specialTokens)
    {
        if (document.Messages is null)
        {
            return [BeginToken(tokenizer, template), .. tokenizer.EncodeOrdinary(document.Text ?? "")];
        }

        foreach (CorpusMessage message in document.Messages)
        {
            if (specialTokens.FirstOrDefault(token => message.Content.Contains(token, StringComparison.Ordinal)) is { } token)
            {
                throw new InvalidDataException(
                    $"The special token {token} stands in a message of the corpus (subject \"{Corpus.Subject(document)}\"). Take the document out, or write the token differently.");
            }
        }

        return tokenizer.Encode(template.Render([.. document.Messages.Select(message => new ChatMessage(message.Role, message.Content))], addGenerationPrompt: false));
    }

    private static int BeginToken(ITokenizer tokenizer, ChatTemplate template)
    {
        foreach (string name in (string[])["bos_token", "eos_token"])
        {
            if (template.SpecialTokens.TryGetValue(name, out string? token) && tokenizer.TryGetId(token, out int id))
            {
                return id;
            }
        }

        throw new InvalidDataException("The tokenizer has no begin token for raw text. Name one as \"bos_token\" in tokenizer_config.json.");
    }

    private static FrozenSet<string> SpecialTexts(ITokenizer tokenizer) =>
        Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.IsSpecial).Select(id => Encoding.UTF8.GetString(tokenizer.TokenBytes(id)))
            .Where(text => text.Length > 0).ToFrozenSet();
}

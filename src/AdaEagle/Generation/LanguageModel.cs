using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tokenization;

namespace AdaEagle.Generation;

/// <summary>
/// A model folder, loaded: target, tokenizer, chat template, and where present draft head and draft length predictor. Thread-safe: several
/// generations may run at once; they share the weights and take turns pass by pass.
/// </summary>
public sealed class LanguageModel : IDisposable
{
    private readonly ConcurrentBag<GenerationSession> _idle = [];
    private readonly bool _ownsPool;
    private volatile bool _disposed;

    private LanguageModel(string folder, LlamaModel target, ITokenizer tokenizer, ChatTemplate? template, EagleHead? head, LdlpWeights? predictor, WorkerPool pool, bool ownsPool)
    {
        Folder = folder;
        Target = target;
        Tokenizer = tokenizer;
        Template = template;
        Head = head;
        Predictor = predictor;
        Pool = pool;
        _ownsPool = ownsPool;
        GenerationConfig? generation = GenerationConfig.Load(folder);
        EndTokens = [.. target.Config.EosTokens.Union(generation?.EosTokens ?? [])];
        Warnings = [.. target.Warnings, .. (head?.Warnings ?? []).Select(warning => $"draft head: {warning}"), .. Mismatches()];
    }

    /// <summary>The folder it was loaded from.</summary>
    public string Folder { get; }

    /// <summary>The model whose output counts.</summary>
    public LlamaModel Target { get; }

    /// <summary>The tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The chat template, if the folder has one.</summary>
    public ChatTemplate? Template { get; }

    /// <summary>The draft head, if there is one.</summary>
    public EagleHead? Head { get; }

    /// <summary>The draft length predictor, if there is one.</summary>
    public LdlpWeights? Predictor { get; }

    /// <summary>Tokens that end an output.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>What is worth knowing though it runs: weights that are kept in another format than the file's, a head trained on another vocabulary.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The policy of generations that name none: what decoded fastest so far (docs/experiments.md); plain decoding without a draft head.</summary>
    public string DefaultPolicy => Head is null ? DraftPolicies.Plain : "threshold:-2";

    internal WorkerPool Pool { get; }

    /// <summary>Loads a Hugging Face folder; <c>eagle/</c> and <c>ldlp/</c> in it, or the folders that the options name, are loaded too.</summary>
    /// <exception cref="ModelFormatException">Something in it can't be used; the message names file, place and remedy.</exception>
    public static LanguageModel Load(string folder, LoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        options ??= new LoadOptions();
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(folder, null, "there is no such folder", "name a folder in Hugging Face's layout: config.json, model.safetensors, tokenizer.json");
        }

        ITokenizer tokenizer = Tokenizers.Load(folder);
        ChatTemplate? template = ChatTemplate.Load(folder);
        LlamaModel target = LlamaModel.Load(folder, options.Weights, options.Path, options.Cache, options.Quantize);
        EagleHead? head = null;
        LdlpWeights? predictor = null;
        try
        {
            if (tokenizer.VocabularySize > target.Config.VocabularySize)
            {
                throw new ModelFormatException(
                    Path.Combine(folder, "tokenizer.json"), null, $"has {tokenizer.VocabularySize} tokens, the model {target.Config.VocabularySize}", "tokenizer and model do not belong together");
            }

            if (PartFolder(folder, options.DraftFolder, "eagle") is { } draft)
            {
                head = EagleHead.Load(draft, target, options.Weights, options.Quantize);
            }

            if (PartFolder(folder, options.PredictorFolder, "ldlp") is { } ldlp)
            {
                predictor = LdlpWeights.Load(ldlp, target);
            }

            bool own = options.Threads > 0;
            return new LanguageModel(folder, target, tokenizer, template, head, predictor, own ? new WorkerPool(options.Threads) : WorkerPool.Shared, own);
        }
        catch
        {
            predictor?.Dispose();
            head?.Dispose();
            target.Dispose();
            throw;
        }
    }

    /// <summary>Answers a prompt.</summary>
    /// <param name="prompt">A user's message, or a raw text where the options say so.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="cancellation">Observed between passes; the model stays usable.</param>
    public Task<GenerationResult> GenerateAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default) =>
        Task.Run(() => Generate(prompt, options, cancellation), cancellation);

    /// <summary>Answers a prompt on the calling thread.</summary>
    public GenerationResult Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default) =>
        Generate(Encode(prompt, options ?? new GenerationOptions()), options, null, cancellation);

    /// <summary>Continues tokens on the calling thread; <paramref name="onUpdate"/> is called for every token.</summary>
    public GenerationResult Generate(IReadOnlyList<int> prompt, GenerationOptions? options = null, Action<GenerationUpdate>? onUpdate = null, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        GenerationSession session = _idle.TryTake(out GenerationSession? idle) ? idle : new GenerationSession(this);
        try
        {
            return session.Generate(prompt, options ?? new GenerationOptions(), onUpdate, cancellation);
        }
        finally
        {
            _idle.Add(session);
        }
    }

    /// <summary>Answers a prompt as a stream of pieces; the last one holds the result.</summary>
    public IAsyncEnumerable<GenerationUpdate> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default) =>
        StreamAsync(Encode(prompt, options ?? new GenerationOptions()), options, cancellation);

    /// <summary>Continues tokens as a stream of pieces; the last one holds the result.</summary>
    public async IAsyncEnumerable<GenerationUpdate> StreamAsync(
        IReadOnlyList<int> prompt, GenerationOptions? options = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        // Leaving the loop early cancels the generation too.
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var pieces = Channel.CreateUnbounded<GenerationUpdate>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        Task work = Task.Run(
            () =>
            {
                try
                {
                    Generate(prompt, options, update => pieces.Writer.TryWrite(update), leaving.Token);
                    pieces.Writer.Complete();
                }
                catch (Exception failure)
                {
                    pieces.Writer.Complete(failure);
                }
            },
            CancellationToken.None);
        try
        {
            await foreach (GenerationUpdate piece in pieces.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
            {
                yield return piece;
            }
        }
        finally
        {
            await leaving.CancelAsync().ConfigureAwait(false);
            await work.ConfigureAwait(false);
        }
    }

    /// <summary>The tokens of a prompt: through the chat template, if the folder has one and the options don't say raw.</summary>
    public IReadOnlyList<int> Encode(string prompt, GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(options);
        return options.Raw || Template is null ? EncodeRaw(prompt) : EncodeChat([new ChatMessage("user", prompt)]);
    }

    /// <summary>The tokens of a dialogue, ready for the assistant's answer.</summary>
    public IReadOnlyList<int> EncodeChat(IReadOnlyList<ChatMessage> messages)
    {
        if (Template is null)
        {
            throw new InvalidOperationException($"{Folder} has no chat template (chat_template in tokenizer_config.json): use raw prompts.");
        }

        return Tokenizer.Encode(Template.Render(messages, addGenerationPrompt: true));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryTake(out GenerationSession? session))
        {
            session.Dispose();
        }

        Predictor?.Dispose();
        Head?.Dispose();
        Target.Dispose();
        if (_ownsPool)
        {
            Pool.Dispose();
        }
    }

    private static string? PartFolder(string folder, string? named, string usual)
    {
        if (named is not null)
        {
            return Directory.Exists(named) ? named : throw new ModelFormatException(named, null, "there is no such folder", "name the folder that holds config.json and the weights");
        }

        string inside = Path.Combine(folder, usual);
        return Directory.Exists(inside) ? inside : null;
    }

    // A raw text begins as the model's texts did in training: with the begin token, where the tokenizer itself adds none.
    private int[] EncodeRaw(string prompt)
    {
        int[] tokens = Tokenizer.Encode(prompt, addSpecialTokens: true);
        if (Target.Config.BosToken is not { } begin || (tokens.Length > 0 && tokens[0] == begin))
        {
            return tokens.Length > 0 ? tokens : throw new ArgumentException("The prompt is empty.", nameof(prompt));
        }

        return [begin, .. tokens];
    }

    private IEnumerable<string> Mismatches()
    {
        if (Head?.Config.VocabularyFingerprint is { } head && head != Tokenizer.Fingerprint)
        {
            yield return "The draft head was trained with another vocabulary than this model's: its proposals will hardly be accepted.";
        }

        if (Predictor?.VocabularyFingerprint is { } predictor && predictor != Tokenizer.Fingerprint)
        {
            yield return "The draft length predictor was trained with another vocabulary than this model's: its lengths mean little.";
        }

        if (Predictor is not null && Head is null)
        {
            yield return "There is a draft length predictor but no draft head: decoding is plain.";
        }
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Speculation.Drafting;
using AdaEagle.Speculation.Policies;
using AdaEagle.Tokenization;

namespace AdaEagle.Generation;

/// <summary>
/// A model folder or GGUF file, loaded: target, tokenizer, chat template, and where present draft head and draft length predictor. Thread-safe: several
/// generations may run at once; they share the weights and take turns pass by pass.
/// </summary>
public sealed class LanguageModel : IDisposable
{
    private readonly ConcurrentBag<GenerationSession> _idle = [];
    private readonly bool _ownsPool;
    private volatile bool _disposed;

    private LanguageModel(
        string folder, ModelSource source, EagleHead? head, LlamaModel? draftModel, LdlpWeights? predictor, SurvivalWeights? survival, StopWeights? stop, string? drafter, string? costsFile,
        WorkerPool pool, bool ownsPool)
    {
        Folder = folder;
        Target = source.Target;
        Tokenizer = source.Tokenizer;
        Template = source.Template;
        Head = head;
        DraftModel = draftModel;
        Predictor = predictor;
        DefaultDrafter = drafter ?? (head is null ? null : Drafters.Eagle);
        Survival = survival;
        Stop = stop;
        CostsFile = costsFile;
        Pool = pool;
        _ownsPool = ownsPool;
        EndTokens = source.EndTokens;
        Warnings = [
            .. Target.Warnings, .. (head?.Warnings ?? []).Select(warning => $"draft head: {warning}"), .. (draftModel?.Warnings ?? []).Select(warning => $"draft model: {warning}"),
            .. Mismatches(),
        ];
    }

    /// <summary>The folder or file it was loaded from.</summary>
    public string Folder { get; }

    /// <summary>The model whose output counts.</summary>
    public LlamaModel Target { get; }

    /// <summary>The tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The chat template, if there is one.</summary>
    public ChatTemplate? Template { get; }

    /// <summary>The draft head, if there is one.</summary>
    public EagleHead? Head { get; }

    /// <summary>The draft model, where <see cref="LoadOptions.Drafter"/> asked for one.</summary>
    public LlamaModel? DraftModel { get; }

    /// <summary>What drafts where a generation names nothing else; null where there is nothing: decoding is plain then.</summary>
    public string? DefaultDrafter { get; }

    /// <summary>The draft length predictor, if there is one.</summary>
    public LdlpWeights? Predictor { get; }

    /// <summary>The survival predictor, for the policy <c>auto</c>, if there is one.</summary>
    public SurvivalWeights? Survival { get; }

    /// <summary>The stop head, for the policy <c>specdec++</c>, if there is one.</summary>
    public StopWeights? Stop { get; }

    /// <summary>What the last generation with <c>auto</c> took parts of a round to cost; null before one.</summary>
    public DraftCosts? Costs { get; internal set; }

    /// <summary>Tokens that end an output.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>What is worth knowing though it runs: weights that are kept in another format than the file's, a head trained on another vocabulary.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The policy of generations that name none: what decoded fastest so far (docs/experiments.md); plain decoding without a drafter.</summary>
    public string DefaultPolicy => DefaultDrafter is null ? DraftPolicies.Plain : PolicyFor(DefaultDrafter);

    internal WorkerPool Pool { get; }

    /// <summary>The file of frozen costs, if there is one.</summary>
    internal string? CostsFile { get; }

    /// <summary>
    /// Loads a Hugging Face folder, or a GGUF file with its tokenizer and chat template. <c>eagle/</c>, <c>ldlp/</c>, <c>survival/</c> and <c>stop/</c> in a folder, or those that
    /// the options name, are loaded too.
    /// </summary>
    /// <exception cref="ModelFormatException">Something in it can't be used; the message names file, place and remedy.</exception>
    public static LanguageModel Load(string path, LoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new LoadOptions();
        var source = ModelSource.Load(path, options);
        LlamaModel target = source.Target;
        EagleHead? head = null;
        LlamaModel? draftModel = null;
        LdlpWeights? predictor = null;
        SurvivalWeights? survival = null;
        StopWeights? stop = null;
        try
        {
            bool second = options.Drafter == Drafters.Model;
            if (second)
            {
                draftModel = LoadDraftModel(options, source.Tokenizer);
            }

            if (PartFolder(path, second ? null : options.DraftFolder, "eagle") is { } draft)
            {
                head = EagleHead.Load(draft, target, options.Weights, options.QuantizeDraft ?? options.Quantize);
            }

            if (PartFolder(path, options.PredictorFolder, "ldlp") is { } ldlp)
            {
                predictor = LdlpWeights.Load(ldlp, target);
            }

            if (PartFolder(path, options.SurvivalFolder, "survival") is { } distribution)
            {
                survival = SurvivalWeights.Load(distribution, target);
            }

            if (PartFolder(path, options.StopFolder, "stop") is { } stopFolder)
            {
                stop = StopWeights.Load(stopFolder, target);
            }

            bool own = options.Threads > 0;
            return new LanguageModel(
                path, source, head, draftModel, predictor, survival, stop, options.Drafter, options.CostsFile, own ? new WorkerPool(options.Threads) : WorkerPool.Shared, own);
        }
        catch
        {
            stop?.Dispose();
            survival?.Dispose();
            predictor?.Dispose();
            draftModel?.Dispose();
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

    /// <summary>The tokens of a prompt: through the chat template, if there is one and the options don't say raw.</summary>
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
            throw new InvalidOperationException($"{Folder} has no chat template (chat_template in tokenizer_config.json, tokenizer.chat_template in a GGUF file): use raw prompts.");
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

        Stop?.Dispose();
        Survival?.Dispose();
        Predictor?.Dispose();
        DraftModel?.Dispose();
        Head?.Dispose();
        Target.Dispose();
        if (_ownsPool)
        {
            Pool.Dispose();
        }
    }

    /// <summary>The policy of generations that name a drafter and no policy. Prompt lookup stops by itself, and has no probabilities to stop it by; <c>auto</c> needs a predictor to be ahead from the start.</summary>
    internal string PolicyFor(string drafter) => drafter switch
    {
        Drafters.Eagle when Survival is not null => AutoPolicy.PolicyName,
        _ when drafter.StartsWith(Drafters.Ngram, StringComparison.Ordinal) => string.Create(CultureInfo.InvariantCulture, $"fixed:{GenerationSession.MaxDraft}"),
        _ => "threshold:-2",
    };

    // A model with another vocabulary would propose ids that mean something else: it is refused, not warned of.
    private static LlamaModel LoadDraftModel(LoadOptions options, ITokenizer tokenizer)
    {
        string path = options.DraftFolder ?? throw new ArgumentException($"Drafter '{Drafters.Model}' needs a draft model: name its folder or GGUF file with --draft.");
        var source = ModelSource.Load(path, options with { Quantize = options.QuantizeDraft ?? options.Quantize });
        if (source.Tokenizer.Fingerprint == tokenizer.Fingerprint)
        {
            return source.Target;
        }

        source.Target.Dispose();
        throw new ModelFormatException(
            path, "tokenizer", $"the draft model has another vocabulary (fingerprint {source.Tokenizer.Fingerprint}) than the model that it drafts for ({tokenizer.Fingerprint})",
            "use a draft model of the same family, with the same tokenizer");
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

        if (Survival?.VocabularyFingerprint is { } survival && survival != Tokenizer.Fingerprint)
        {
            yield return "The survival predictor was trained with another vocabulary than this model's: its chances mean little.";
        }

        if (Stop?.VocabularyFingerprint is { } stop && stop != Tokenizer.Fingerprint)
        {
            yield return "The stop head was trained with another vocabulary than this model's: its chances mean little.";
        }

        if (Predictor is not null && DefaultDrafter is null)
        {
            yield return "There is a draft length predictor but no draft head: decoding is plain.";
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using AdaEagle.Training.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>How a target is trained.</summary>
internal sealed record TargetOptions
{
    /// <summary>Folder of checkpoints, log, picture and <c>export</c>.</summary>
    public required string Folder { get; init; }

    /// <summary>Folder of the tokenizer, copied into every export.</summary>
    public required string TokenizerFolder { get; init; }

    /// <summary>Steps of this run; null where <see cref="Minutes"/> bounds it.</summary>
    public long? Steps { get; init; }

    /// <summary>Wall-clock time of this run; null where <see cref="Steps"/> bounds it.</summary>
    public double? Minutes { get; init; }

    public double DecayShare { get; init; } = 0.4;

    public double Rate { get; init; } = 3e-3;

    public int WarmUpSteps { get; init; } = 60;

    public double CheckpointMinutes { get; init; } = 4;

    public double ValidationMinutes { get; init; } = 10;

    /// <summary>Rows a category that a validation on the way looks at; the last one sees all.</summary>
    public int ValidationRows { get; init; } = 32;
}

/// <summary>
/// Trains a target: Muon for the matrices of layers, AdamW for embedding and norms, gradients clipped to norm 1. Writes
/// <c>checkpoint.safetensors</c> and <c>export/</c> every few minutes and when told to stop, <c>before-decay.safetensors</c> before the rate first falls,
/// <c>log.jsonl</c> and <c>loss.png</c>.
/// </summary>
internal sealed class TargetTrainer : IDisposable
{
    private const double MatrixWeightDecay = 0.1;
    private const double GradientNorm = 1;

    private readonly LlamaModel _model;
    private readonly TokenBatches _batches;
    private readonly Validation? _validation;
    private readonly TargetOptions _options;
    private readonly IOptimizer[] _optimizers;
    private readonly RateSchedule _schedule;
    private readonly MemoryWatch _memory = new();
    private readonly Stopwatch _watch = new();
    private TrainingState _state;
    private long _firstStep;
    private bool _hasDecayBegun;
    private volatile bool _isStopped;

    /// <param name="model">The model, initialised; filled from the checkpoint if there is one.</param>
    /// <param name="batches">The training text.</param>
    /// <param name="validation">The held-out text, if any.</param>
    /// <param name="options">How to train.</param>
    /// <param name="seed">Seed of the run, noted in its checkpoints.</param>
    /// <param name="checkpoint">Path of a checkpoint to go on from; null to begin anew.</param>
    public TargetTrainer(LlamaModel model, TokenBatches batches, Validation? validation, TargetOptions options, int seed, string? checkpoint)
    {
        (_model, _batches, _validation, _options) = (model, batches, validation, options);
        _optimizers =
        [
            new Muon(model.Parameters.Where(IsLayerMatrix), model.ProductType, MatrixWeightDecay),
            new AdamW(model.Parameters.Where(item => !IsLayerMatrix(item)), 0.9, 0.98, weightDecay: 0),
        ];
        _state = new TrainingState(0, 0, 0, seed, 1);
        if (checkpoint is not null)
        {
            _state = TrainingCheckpoint.Describe(checkpoint, seed).State;
            TrainingCheckpoint.Load(checkpoint, model, _optimizers);
        }

        _schedule = new RateSchedule(options.WarmUpSteps, _state.IsConstantPhase ? options.DecayShare : 1, _state.RateShare);
    }

    /// <summary>Where the run stands.</summary>
    public TrainingState State => _state;

    private string CheckpointPath => Path.Combine(_options.Folder, "checkpoint.safetensors");

    /// <summary>Share of this run's steps or time that is used.</summary>
    private double BudgetUsed => _options.Steps is { } steps ? (double)(_state.Step - _firstStep) / steps : _watch.Elapsed.TotalMinutes / _options.Minutes!.Value;

    /// <summary>Trains until the budget is used or a signal asks to stop (then throws <see cref="OperationCanceledException"/>, all saved).</summary>
    public void Run()
    {
        Directory.CreateDirectory(_options.Folder);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        var log = new TrainingLog(Path.Combine(_options.Folder, "log.jsonl"), _state.Step);
        _firstStep = _state.Step;
        _watch.Start();
        var checkpointed = Stopwatch.StartNew();
        var validated = Stopwatch.StartNew();
        TrainingProgress? progress = _options.Steps is { } steps ? new TrainingProgress("target", _firstStep + steps) : null;
        try
        {
            while (BudgetUsed < 1 && !_isStopped)
            {
                if (!_hasDecayBegun && _schedule.IsDecaying(BudgetUsed) && _state.IsConstantPhase)
                {
                    _hasDecayBegun = true;
                    TrainingCheckpoint.Save(Path.Combine(_options.Folder, "before-decay.safetensors"), _model, _optimizers, _state);
                    progress?.Log(FormattableString.Invariant($"step {_state.Step}: the rate falls from here on; before-decay.safetensors can be trained further"));
                }

                long start = Stopwatch.GetTimestamp();
                (double loss, double share) = Step();
                double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (progress is null && _state.Step - _firstStep >= 8)
                {
                    progress = new TrainingProgress("target", EstimateSteps(seconds));
                }

                progress?.Report(_state.Step, loss, (long)_batches.BatchSize * _batches.Length);
                bool isDue = validated.Elapsed.TotalMinutes >= _options.ValidationMinutes && BudgetUsed < 1;
                Dictionary<string, double>? losses = isDue ? Validate(_options.ValidationRows, progress) : null;
                log.Add(new TrainingLogEntry(_state.Step, _state.Tokens, loss, _options.Rate * share, seconds, losses));
                if (isDue)
                {
                    log.Draw(Path.Combine(_options.Folder, "loss.png"), "Target training");
                    validated.Restart();
                }

                if (checkpointed.Elapsed.TotalMinutes >= _options.CheckpointMinutes)
                {
                    Save();
                    _memory.Check(_state.Step);
                    checkpointed.Restart();
                }
            }

            Save();
            if (_isStopped)
            {
                throw new OperationCanceledException("stopped");
            }

            if (Validate(int.MaxValue, progress) is { } last && log.Entries is [.., var entry])
            {
                log.Add(entry with { Validation = last });
            }

            log.Draw(Path.Combine(_options.Folder, "loss.png"), "Target training");
        }
        finally
        {
            progress?.Dispose();
        }
    }

    /// <summary>Ends <see cref="Run"/> after the step it is in, with everything saved; may be called from any thread.</summary>
    internal void Stop() => _isStopped = true;

    /// <summary>One step on the next batch; the loss, and the share of the peak rate.</summary>
    internal (double Loss, double RateShare) Step()
    {
        double loss;
        double share = _schedule.At(_state.Step, BudgetUsed);
        using (var scope = NewDisposeScope())
        {
            (Tensor inputs, Tensor targets) = NextBatch();
            Tensor mean = _model.Loss(inputs, targets);
            loss = mean.item<float>();
            mean.backward();
            Gradients.Clip(_model.Parameters.Values, GradientNorm);
            foreach (IOptimizer optimizer in _optimizers)
            {
                optimizer.Step(_options.Rate * share);
            }

            Gradients.Clear(_model.Parameters.Values);
        }

        if (!double.IsFinite(loss))
        {
            throw new InvalidDataException($"The loss of step {_state.Step} is not a number. Go on from the last checkpoint with a lower --rate.");
        }

        // Nodes of the gradient graph hold their tensors until they are finalised, and the collector does not see how large those are.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        bool isDecaying = _schedule.IsDecaying(BudgetUsed);
        _state = _state with
        {
            Step = _state.Step + 1,
            Batch = _state.Batch + 1,
            Tokens = _state.Tokens + (long)_batches.BatchSize * _batches.Length,
            RateShare = isDecaying ? Math.Min(share, _state.RateShare) : _state.RateShare,
        };
        return (loss, share);
    }

    /// <summary>Losses in nats a token of the categories; null without validation text.</summary>
    internal Dictionary<string, double>? Validate(int rows, TrainingProgress? progress)
    {
        if (_validation is null)
        {
            return null;
        }

        IReadOnlyList<(string Category, double Loss)> losses = _validation.Measure(_model, rows);
        progress?.Log(string.Create(CultureInfo.InvariantCulture,
            $"step {_state.Step}, {_state.Tokens / 1e6:0.00} M tokens, validation: {string.Join(", ", losses.Select(item => string.Create(CultureInfo.InvariantCulture, $"{item.Category} {item.Loss:0.000}")))}"));
        return losses.ToDictionary(item => item.Category, item => item.Loss);
    }

    /// <summary>Writes the checkpoint and the export.</summary>
    internal void Save()
    {
        Directory.CreateDirectory(_options.Folder);
        TrainingCheckpoint.Save(CheckpointPath, _model, _optimizers, _state);
        TargetExport.Write(Path.Combine(_options.Folder, "export"), _model, _options.TokenizerFolder);
    }

    private (Tensor Inputs, Tensor Targets) NextBatch()
    {
        int count = _batches.BatchSize * _batches.Length;
        int[] inputs = new int[count], targets = new int[count];
        _batches.Read(_state.Batch, inputs, targets);
        return (tensor(inputs, ScalarType.Int64).reshape(_batches.BatchSize, _batches.Length), tensor(targets, ScalarType.Int64).reshape(_batches.BatchSize, _batches.Length));
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        Stop();
    }

    private long EstimateSteps(double secondsPerStep) => _state.Step + (long)Math.Max(1, (_options.Minutes!.Value - _watch.Elapsed.TotalMinutes) * 60 / secondsPerStep);

    private static bool IsLayerMatrix(KeyValuePair<string, Tensor> item) => item.Key.StartsWith("model.layers.", StringComparison.Ordinal) && item.Value.dim() == 2;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IOptimizer optimizer in _optimizers)
        {
            optimizer.Dispose();
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Eagle;

/// <summary>How a head is trained.</summary>
internal sealed record EagleOptions
{
    /// <summary>Folder of checkpoint, log, picture and <c>export</c>.</summary>
    public required string Folder { get; init; }

    /// <summary>Steps of this run; null where <see cref="Minutes"/> bounds it.</summary>
    public long? Steps { get; init; }

    /// <summary>Wall-clock time of this run; null where <see cref="Steps"/> bounds it.</summary>
    public double? Minutes { get; init; }

    /// <summary>Draft steps that are trained: 1 is EAGLE-1's own training, more are the training-time test of HASS and EAGLE-3.</summary>
    public int Unroll { get; init; } = 3;

    /// <summary>Weight of draft step k is this to the power of k.</summary>
    public double StepWeight { get; init; } = 0.8;

    /// <summary>Weight of the smooth L1 loss between predicted and true feature.</summary>
    public double FeatureWeight { get; init; } = 0.5;

    /// <summary>Uniform noise on the features, as a share of their root mean square.</summary>
    public double Noise { get; init; } = 0.1;

    public double Rate { get; init; } = 2e-3;

    public int WarmUpSteps { get; init; } = 30;

    public double DecayShare { get; init; } = 0.8;

    /// <summary>True: Muon for the layer's matrices; otherwise AdamW for everything.</summary>
    public bool UseMuon { get; init; }

    public int Seed { get; init; } = 1;

    public double CheckpointMinutes { get; init; } = 3;

    public double ValidationMinutes { get; init; } = 8;

    /// <summary>Answers that a validation on the way looks at.</summary>
    public int ValidationAnswers { get; init; } = 48;
}

/// <summary>
/// Trains a draft head on the target's own answers: soft cross-entropy against the target's distribution and, where the head predicts features (EAGLE-1), smooth L1
/// against them, over one or more draft steps. In draft step k the states are step k - 1's outputs, and the attention sees what a draft's k-th token sees.
/// The distribution is that over the tokens that the head can propose; rows whose best token is none of them count with nothing (EAGLE-3, <c>traineagle3</c>).
/// </summary>
internal sealed class EagleTrainer : IDisposable
{
    private const double GradientNorm = 0.5;

    private readonly HeadModel _model;
    private readonly PackedAnswers _answers;
    private readonly EagleOptions _options;
    private readonly Func<HeadModel, int, List<AcceptanceRow>?> _validate;
    private readonly IOptimizer[] _optimizers;
    private readonly RateSchedule _schedule;
    private readonly MemoryWatch _memory = new();
    private readonly Stopwatch _watch = new();
    private TrainingState _state;
    private long _firstStep;
    private volatile bool _isStopped;

    /// <param name="model">The head.</param>
    /// <param name="answers">What it is trained on.</param>
    /// <param name="options">How.</param>
    /// <param name="validate">Exports the head and measures it on at most so many answers; null where there are none.</param>
    /// <param name="checkpoint">Path of a checkpoint to go on from; null to begin anew.</param>
    public EagleTrainer(HeadModel model, PackedAnswers answers, EagleOptions options, Func<HeadModel, int, List<AcceptanceRow>?> validate, string? checkpoint)
    {
        (_model, _answers, _options, _validate) = (model, answers, options, validate);
        // An LM head is a table of tokens, not a matrix in Muon's sense.
        static bool IsMatrix(KeyValuePair<string, Tensor> item) => item.Value.dim() == 2 && item.Key != "lm_head.weight";
        _optimizers = options.UseMuon
            ?
            [
                new Muon(model.Parameters.Where(IsMatrix), model.ProductType, weightDecay: 0.01),
                new AdamW(model.Parameters.Where(item => !IsMatrix(item)), 0.9, 0.98, weightDecay: 0),
            ]
            : [new AdamW(model.Parameters, 0.9, 0.98, weightDecay: 0.01)];
        _state = new TrainingState(0, 0, 0, options.Seed, 1);
        if (checkpoint is not null)
        {
            _state = EagleFiles.Load(checkpoint, model, _optimizers);
        }

        _schedule = new RateSchedule(options.WarmUpSteps, _state.IsConstantPhase ? options.DecayShare : 1, _state.RateShare);
    }

    public TrainingState State => _state;

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
        TrainingProgress? progress = _options.Steps is { } steps ? new TrainingProgress("eagle", _firstStep + steps) : null;
        try
        {
            var said = Stopwatch.StartNew();
            while (BudgetUsed < 1 && !_isStopped)
            {
                long start = Stopwatch.GetTimestamp();
                double share = _schedule.At(_state.Step, BudgetUsed);
                (double loss, int tokens, DraftLossParts parts) = Step(_options.Rate * share);
                double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (progress is null && _state.Step - _firstStep >= 8)
                {
                    long left = (long)Math.Max(1, (_options.Minutes!.Value - _watch.Elapsed.TotalMinutes) * 60 / seconds);
                    progress = new TrainingProgress("eagle", _state.Step + left);
                }

                progress?.Report(_state.Step, loss, tokens);
                if (said.Elapsed.TotalSeconds >= 30)
                {
                    said.Restart();
                    progress?.Log($"step {_state.Step}: {Describe(parts)}");
                }

                bool isDue = validated.Elapsed.TotalMinutes >= _options.ValidationMinutes && BudgetUsed < 1;
                log.Add(new TrainingLogEntry(_state.Step, _state.Tokens, loss, _options.Rate * share, seconds, isDue ? Validate(_options.ValidationAnswers, progress) : null));
                if (isDue)
                {
                    log.Draw(Path.Combine(_options.Folder, "loss.png"), "EAGLE head");
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

            log.Draw(Path.Combine(_options.Folder, "loss.png"), "EAGLE head");
        }
        finally
        {
            progress?.Dispose();
        }
    }

    /// <summary>One step at this rate: the loss, the answer tokens of the batch, and the losses of the draft steps.</summary>
    internal (double Loss, int Tokens, DraftLossParts Parts) Step(double rate)
    {
        var parts = new DraftLossParts(_options.Unroll);
        double loss;
        int tokens;
        long next;
        using (var scope = NewDisposeScope())
        {
            (PackedBatch batch, next) = _answers.Read(_state.Batch);
            tokens = batch.AnswerTokens;
            Tensor mean = Loss(batch, parts);
            loss = mean.item<float>();
            mean.backward();
            Gradients.Clip(_model.Parameters.Values, GradientNorm);
            foreach (IOptimizer optimizer in _optimizers)
            {
                optimizer.Step(rate);
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
        double share = _schedule.At(_state.Step, BudgetUsed);
        _state = _state with
        {
            Step = _state.Step + 1,
            Batch = next,
            Tokens = _state.Tokens + tokens,
            RateShare = _schedule.IsDecaying(BudgetUsed) ? Math.Min(share, _state.RateShare) : _state.RateShare,
        };
        return (loss, tokens, parts);
    }

    /// <summary>The training loss of a batch, F32 [].</summary>
    internal Tensor Loss(PackedBatch batch, DraftLossParts parts)
    {
        int pairs = batch.Tokens.Length;
        Tensor states = batch.States;
        if (_options.Noise > 0)
        {
            states = states + (rand(states.shape, ScalarType.Float32) * 2 - 1) * (_model.StateScale * _options.Noise);
        }

        bool[]? counts = _model.CanPropose(batch.Teachers);

        double all = Enumerable.Range(0, _options.Unroll).Sum(step => Math.Pow(_options.StepWeight, step));
        Tensor chainTokens = tensor(batch.ChainRows.Select(row => batch.Tokens[row]).ToArray());
        var earlier = new List<(Tensor Keys, Tensor Values)>();
        var predicted = new List<Tensor>();
        var compared = new List<DraftStepRows>();
        Tensor total = zeros(1, ScalarType.Float32).squeeze();
        Tensor last = states;
        for (int step = 0; step < _options.Unroll; step++)
        {
            (Tensor output, (Tensor Keys, Tensor Values) own) = step == 0
                ? _model.Forward(states, tensor(batch.Tokens), [.. Enumerable.Range(0, pairs)], batch.Spans, earlier)
                : _model.Forward(last.index_select(0, tensor(batch.Before(inChain: step > 1))), chainTokens, batch.ChainRows, batch.ChainSpans, earlier);
            earlier.Add(own);
            last = output;
            (int[] rows, int[] teachers) = batch.Counting(step);
            double weight = Math.Pow(_options.StepWeight, step) / all;
            // The mean is over all rows, those included that count with nothing.
            float rowWeight = (float)(weight / rows.Length);
            if (counts is not null)
            {
                rows = [.. rows.Where((_, place) => counts[teachers[place]])];
                teachers = [.. teachers.Where(teacher => counts[teacher])];
            }

            Tensor counting = output.index_select(0, tensor(rows, ScalarType.Int64));
            if (_model.PredictsFeatures)
            {
                Tensor wanted = batch.Teachers.index_select(0, tensor(teachers, ScalarType.Int64));
                total = total + nn.functional.smooth_l1_loss(counting, wanted) * (_options.FeatureWeight * weight);
            }

            predicted.Add(counting);
            compared.Add(new DraftStepRows(teachers, rowWeight));
        }

        (Tensor scored, Tensor lmHead) = _model.Scoring(cat(predicted));
        return total + DraftLossOperation.apply(scored, batch.Teachers.to(_model.ProductType), _model.TeacherLmHead, lmHead, compared.ToArray(), parts);
    }

    /// <summary>Writes the checkpoint and the export.</summary>
    internal void Save()
    {
        Directory.CreateDirectory(_options.Folder);
        EagleFiles.Save(Path.Combine(_options.Folder, "checkpoint.safetensors"), _model, _optimizers, _state);
        EagleFiles.Export(Path.Combine(_options.Folder, "export"), _model);
    }

    /// <summary>Acceptance at position 1 by category, for the log; the whole table goes to stderr.</summary>
    private Dictionary<string, double>? Validate(int answers, TrainingProgress? progress)
    {
        if (_validate(_model, answers) is not { } rows)
        {
            return null;
        }

        progress?.Log($"step {_state.Step}, {(_state.Tokens / 1e6).ToString("0.00", CultureInfo.InvariantCulture)} M answer tokens; drafts on validation answers:\n{Acceptance.Table(rows)}");
        return rows.Where(row => row.Roots > 0).ToDictionary(row => $"{row.Text}, mean run length", row => row.Mean);
    }

    private static string Describe(DraftLossParts parts) => string.Join(", ", parts.Rows.Select((rows, step) => string.Create(CultureInfo.InvariantCulture,
        $"draft step {step + 1}: cross-entropy {parts.Losses[step] / rows:0.000}, agrees {(double)parts.Agreed[step] / rows:0.000}")));

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        _isStopped = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IOptimizer optimizer in _optimizers)
        {
            optimizer.Dispose();
        }
    }
}

using AdaEagle.Generation;
using AdaEagle.Speculation.Oracle;
using AdaEagle.Speculation.Policies;

namespace AdaEagle.Cli.Bench.Tune;

/// <summary>Answers prompts once, records every root's chain, measures what rounds cost, and replays rules over what was recorded.</summary>
internal sealed class Tuner : IDisposable
{
    private const int CalibrationTokens = 96, CalibrationRounds = 12;

    private readonly LanguageModel _model;
    private readonly GenerationSession _session;
    private readonly List<RecordedChains> _outputs = [];

    /// <summary>Makes it for drafts of at most <paramref name="maxDraft"/> tokens.</summary>
    public Tuner(LanguageModel model, int maxDraft)
    {
        _model = model;
        _session = new GenerationSession(model);
        MaxDraft = maxDraft;
    }

    /// <summary>k_max of every rule.</summary>
    public int MaxDraft { get; }

    /// <summary>Outputs recorded.</summary>
    public int Outputs => _outputs.Count;

    /// <summary>Tokens in them.</summary>
    public long Tokens => _outputs.Sum(output => output.Roots.Count + 1L);

    /// <summary>Measures what rounds of every draft length cost, over ordinary prompts.</summary>
    public RoundCosts Calibrate(IEnumerable<IReadOnlyList<int>> prompts, CancellationToken cancellation)
    {
        var calibration = new CostCalibration(MaxDraft);
        var options = new GenerationOptions { MaxTokens = CalibrationTokens, StopAtEndToken = false };
        foreach (IReadOnlyList<int> prompt in prompts)
        {
            _session.Generate(prompt, options, calibration, null, cancellation);
            calibration.EndSequence();
            if (calibration.Fewest >= CalibrationRounds)
            {
                break;
            }
        }

        return calibration.Result();
    }

    /// <summary>Answers a prompt plainly and records its chains.</summary>
    public void Record(RunRecorder recorder, IReadOnlyList<int> prompt, GenerationOptions options, CancellationToken cancellation)
    {
        GenerationResult result = _session.Generate(prompt, options, (IDraftPolicy?)null, null, cancellation);
        int most = Math.Min(options.MaxTokens, _model.Target.Config.MaxPositions - prompt.Count);
        bool endToken = options.StopAtEndToken && _model.EndTokens.Contains(result.Tokens[^1]);
        _outputs.Add(recorder.RecordChains(prompt, result.Tokens, most, endToken, cancellation));
    }

    /// <summary>A recorder of what the model's drafter proposes.</summary>
    public RunRecorder Recorder() => new(_model.Target, _session.Drafter(null)!, _model.Pool, MaxDraft);

    /// <summary>Tokens per second of one who knows every run length.</summary>
    public double Oracle(RoundCosts costs) => OraclePlan.Find([.. _outputs.Select(output => output.Runs())], costs, MaxDraft).TokensPerSecond;

    /// <summary>Replays a setting; null where it can't be made here: a rule that the model lacks the parts for, a length beyond k_max.</summary>
    public SettingJson? Replay(string name, RoundCosts costs)
    {
        ChainPolicy policy;
        try
        {
            if (DraftPolicies.Create(name, _session.PolicyResources with { MaxDraft = MaxDraft }) is not ChainPolicy chain)
            {
                return null;
            }

            policy = chain;
        }
        catch (ArgumentException)
        {
            return null;
        }

        var replay = new ChainReplay(costs);
        PricedReplay[] outputs = [.. _outputs.Select(output => replay.Play(output, policy))];
        double seconds = outputs.Sum(output => output.Seconds);
        int emitted = outputs.Sum(output => output.Rounds.Emitted), passes = outputs.Sum(output => output.Rounds.Passes), rounds = passes - outputs.Length;
        double rate = (emitted - outputs.Length) / Math.Max(seconds, 1e-12);
        return new SettingJson(name, rate, rate * costs.Round(0), (double)emitted / passes, (double)outputs.Sum(output => output.Rounds.Drafted) / Math.Max(rounds, 1));
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}

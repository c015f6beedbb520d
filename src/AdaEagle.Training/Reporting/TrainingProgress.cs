namespace AdaEagle.Training;

/// <summary>
/// Shows a training run on stderr: a live bar with step, loss, tokens a second and time left on a terminal, a plain line every few
/// seconds where stderr is redirected (or the terminal has no control sequences). Call it from the training loop's thread.
/// </summary>
public sealed class TrainingProgress : IDisposable
{
    public TrainingProgress(string title, long steps) => throw new NotImplementedException($"{title} {steps}");

    /// <summary>Says that <paramref name="step"/> steps are done, the last of them with this loss (nats a token) over so many tokens.</summary>
    public void Report(long step, double loss, long tokens) => throw new NotImplementedException($"{this}{step}{loss}{tokens}");

    /// <summary>Writes a line that stays (a validation result, a checkpoint's path).</summary>
    public void Log(string line) => throw new NotImplementedException($"{this}{line}");

    public void Dispose() { }
}

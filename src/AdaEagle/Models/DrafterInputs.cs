namespace AdaEagle.Models;

/// <summary>
/// What a drafter reads of the target at every committed position: its feature, or its residual streams at some boundaries, side by side.
/// The passes of a round ask the target for it, and the round hands it over with the token that followed. Immutable.
/// </summary>
public sealed class DrafterInputs
{
    private readonly int[] _boundaries;

    private DrafterInputs(int[] boundaries) => _boundaries = boundaries;

    /// <summary>The feature: the last hidden state after the final norm.</summary>
    public static DrafterInputs Feature { get; } = new([]);

    /// <summary>Boundaries in the order in which they are read; empty where it is the feature.</summary>
    public IReadOnlyList<int> Boundaries => _boundaries;

    /// <summary>The residual streams after these numbers of layers, in this order.</summary>
    public static DrafterInputs Residuals(params ReadOnlySpan<int> boundaries) => boundaries.Length > 0
        ? new(boundaries.ToArray())
        : throw new ArgumentException("At least one boundary is read.", nameof(boundaries));

    /// <summary>Numbers per position, of a target whose residual stream is <paramref name="hidden"/> wide.</summary>
    public int Width(int hidden) => checked(hidden * Math.Max(_boundaries.Length, 1));

    /// <summary>What a pass is to give back for them: <paramref name="request"/> and the boundaries.</summary>
    public PassRequest In(PassRequest request) => _boundaries.Length == 0 ? request : request with { Boundaries = _boundaries };

    /// <summary>The inputs at a row of the target's last pass; boundaries are put side by side in <paramref name="scratch"/>.</summary>
    public ReadOnlySpan<float> At(ITarget target, int row, Span<float> scratch)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (_boundaries.Length == 0)
        {
            return target.Feature(row);
        }

        int hidden = target.HiddenSize;
        for (int i = 0; i < _boundaries.Length; i++)
        {
            target.Boundary(_boundaries[i], row).CopyTo(scratch[(i * hidden)..]);
        }

        return scratch[..Width(hidden)];
    }
}

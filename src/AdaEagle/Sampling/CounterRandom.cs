namespace AdaEagle.Sampling;

/// <summary>Random numbers without state: each is a hash of its coordinates (three rounds of SplitMix64's finaliser).</summary>
public static class CounterRandom
{
    /// <summary>A number in [0, 1) with 53 random bits, for the token <paramref name="index"/> of sequence <paramref name="sequence"/>.</summary>
    public static double Uniform(ulong seed, long sequence, long index)
    {
        ulong bits = Mix(Mix(Mix(seed + 0x9E3779B97F4A7C15) ^ (ulong)sequence) ^ (ulong)index);
        return (bits >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

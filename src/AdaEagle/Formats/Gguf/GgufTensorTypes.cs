namespace AdaEagle.Formats;

/// <summary>The numbers by which GGUF files name number formats (ggml's <c>ggml_type</c>).</summary>
internal static class GgufTensorTypes
{
    private static readonly (int Number, TensorType Type)[] s_known =
    [
        (0, TensorType.F32), (1, TensorType.F16), (2, TensorType.Q4_0), (3, TensorType.Q4_1), (6, TensorType.Q5_0), (7, TensorType.Q5_1),
        (8, TensorType.Q8_0), (10, TensorType.Q2_K), (11, TensorType.Q3_K), (12, TensorType.Q4_K), (13, TensorType.Q5_K), (14, TensorType.Q6_K),
        (20, TensorType.IQ4_NL), (23, TensorType.IQ4_XS), (24, TensorType.I8), (25, TensorType.I16), (26, TensorType.I32), (27, TensorType.I64),
        (28, TensorType.F64), (30, TensorType.BF16), (39, TensorType.MXFP4),
    ];

    // What else exists or existed, to be refused by name.
    private static readonly Dictionary<uint, string> s_others = new()
    {
        [4] = "Q4_2, which is no longer part of the format", [5] = "Q4_3, which is no longer part of the format", [9] = "Q8_1", [15] = "Q8_K", [16] = "IQ2_XXS",
        [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [21] = "IQ3_S", [22] = "IQ2_S", [29] = "IQ1_M", [31] = "Q4_0_4_4, which is no longer part of the format",
        [32] = "Q4_0_4_8, which is no longer part of the format", [33] = "Q4_0_8_8, which is no longer part of the format", [34] = "TQ1_0", [35] = "TQ2_0",
        [36] = "IQ4_NL_4_4, which is no longer part of the format", [37] = "IQ4_NL_4_8, which is no longer part of the format",
        [38] = "IQ4_NL_8_8, which is no longer part of the format", [40] = "NVFP4",
    };

    /// <summary>The formats that can be read, for messages.</summary>
    public static string Supported { get; } = string.Join(", ", s_known.Select(k => k.Type));

    /// <summary>The format of that number; null if it is not supported.</summary>
    public static TensorType? Find(uint number)
    {
        foreach ((int known, TensorType type) in s_known)
        {
            if (known == number)
            {
                return type;
            }
        }

        return null;
    }

    /// <summary>A number that is not supported, by name where it has one.</summary>
    public static string NameOf(uint number) => s_others.TryGetValue(number, out string? name) ? name : $"number {number}, which is unknown";

    /// <summary>The number of a format.</summary>
    /// <exception cref="ArgumentException">GGUF has no such format.</exception>
    public static uint NumberOf(TensorType type)
    {
        foreach ((int number, TensorType known) in s_known)
        {
            if (known == type)
            {
                return (uint)number;
            }
        }

        throw new ArgumentException($"A GGUF file cannot hold {type}.", nameof(type));
    }
}

namespace AdaEagle.Formats;

/// <summary>Names of tensors in GGUF files and in Hugging Face checkpoints, for the architectures llama, qwen2 and qwen3.</summary>
internal static class GgufNames
{
    public const string Embedding = "token_embd.weight";
    public const string Output = "output.weight";

    /// <summary>Divisors of RoPE's frequencies, which Hugging Face has in the configuration.</summary>
    public const string RopeFactors = "rope_freqs.weight";

    private const string GgufLayer = "blk.";
    private const string FaceLayer = "model.layers.";

    private static readonly (string Gguf, string Face)[] s_whole =
    [
        (Embedding, "model.embed_tokens.weight"), ("output_norm.weight", "model.norm.weight"), (Output, "lm_head.weight"),
    ];

    // Behind the layer's number, without .weight or .bias.
    private static readonly (string Gguf, string Face)[] s_layer =
    [
        ("attn_norm", "input_layernorm"), ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"), ("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm"),
        ("ffn_norm", "post_attention_layernorm"), ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
    ];

    /// <summary>The name in a Hugging Face checkpoint; null if the architectures have no such tensor.</summary>
    public static string? ToFace(string gguf) => Translate(gguf, GgufLayer, FaceLayer, s_whole, s_layer);

    /// <summary>The name in a GGUF file; null if the architectures have no such tensor.</summary>
    public static string? ToGguf(string face) => Translate(
        face, FaceLayer, GgufLayer, s_whole.Select(pair => (pair.Face, pair.Gguf)), s_layer.Select(pair => (pair.Face, pair.Gguf)));

    /// <summary>True for the query and key projections (name in the GGUF file), whose rows are ordered for interleaved RoPE in architecture llama.</summary>
    public static bool IsQueryOrKey(string gguf) =>
        gguf.StartsWith(GgufLayer, StringComparison.Ordinal) && gguf.Split('.') is [_, _, "attn_q" or "attn_k", _];

    private static string? Translate(string name, string from, string to, IEnumerable<(string From, string To)> whole, IEnumerable<(string From, string To)> layer)
    {
        if (!name.StartsWith(from, StringComparison.Ordinal))
        {
            return whole.FirstOrDefault(pair => pair.From == name).To;
        }

        int dot = name.IndexOf('.', from.Length);
        int kind = name.LastIndexOf('.');
        if (dot < 0 || kind <= dot || !name.AsSpan(from.Length, dot - from.Length).IsNumber() || name[kind..] is not (".weight" or ".bias"))
        {
            return null;
        }

        string? part = layer.FirstOrDefault(pair => pair.From == name[(dot + 1)..kind]).To;
        return part is null ? null : $"{to}{name[from.Length..dot]}.{part}{name[kind..]}";
    }

    private static bool IsNumber(this ReadOnlySpan<char> text) => text.Length > 0 && text.IndexOfAnyExceptInRange('0', '9') < 0;
}

using AdaEagle.Formats;
using AdaEagle.Kernels;
using AdaEagle.Models;

namespace AdaEagle.Tests.Models;

/// <summary>Small random models on disk, and the plainest ways to run one.</summary>
internal static class TinyModels
{
    /// <summary>A configuration with few parameters; vary it with <c>with</c>.</summary>
    public static ModelConfig Config { get; } = new()
    {
        ModelType = "llama", Architectures = ["LlamaForCausalLM"], HiddenSize = 48, IntermediateSize = 80, LayerCount = 3, HeadCount = 4,
        KeyValueHeadCount = 2, HeadDimension = 12, VocabularySize = 61, MaxPositions = 256, NormEpsilon = 1e-5f, TieWordEmbeddings = true,
        EosTokens = [1], StoredType = TensorType.F32,
    };

    /// <summary>
    /// Writes a random model, and where <paramref name="head"/> is given an EAGLE head beside it, EAGLE-3 if it has that layout's keys; returns the folder. With small weights the next
    /// token hangs mostly on the last one; a head with <paramref name="mimicry"/> then passes its embedding on, as the target does, and is often right.
    /// </summary>
    public static string Write(ModelConfig config, int seed, TensorType type = TensorType.F32, ModelConfig? head = null, float scale = 0.35f, bool headEmbedding = false, float mimicry = 0)
    {
        string folder = Directory.CreateTempSubdirectory("adaeagle-").FullName;
        WriteInto(folder, config, seed, type, head, scale, headEmbedding, mimicry);
        return folder;
    }

    /// <summary><see cref="Write"/> into a folder that is there.</summary>
    public static void WriteInto(
        string folder, ModelConfig config, int seed, TensorType type = TensorType.F32, ModelConfig? head = null, float scale = 0.35f, bool headEmbedding = false, float mimicry = 0)
    {
        var random = new Random(seed);
        WriteModel(folder, config, LlamaTensors(config, random, type, scale));
        if (head is not null)
        {
            IEnumerable<TensorData> tensors = head.Eagle3 is null
                ? HeadTensors(head, random, type, scale, headEmbedding, mimicry)
                : Eagle3Tensors(head, config, random, type, scale, headEmbedding);
            WriteModel(Path.Combine(folder, "eagle"), head, tensors);
        }
    }

    /// <summary>A random model in memory, and its head: <see cref="Write"/>, loaded, the folder deleted.</summary>
    public static TinyPair Load(
        ModelConfig config, int seed, TensorType type = TensorType.F32, ModelConfig? head = null, float scale = 0.35f, bool headEmbedding = false,
        float mimicry = 0, KernelPath? path = null, CacheFormat cache = CacheFormat.F32)
    {
        string folder = Write(config, seed, type, head, scale, headEmbedding, mimicry);
        try
        {
            LlamaModel target = LlamaModel.Load(folder, path: path, cache: cache);
            return new TinyPair(target, head is null ? null : EagleHead.Load(Path.Combine(folder, "eagle"), target));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Logits of every position, in one pass.</summary>
    public static float[][] Logits(LlamaModel model, ReadOnlySpan<int> tokens)
    {
        using var target = new LlamaTarget(model);
        using KvCache cache = target.CreateCache(tokens.Length);
        var rows = new PassRows(target.MaxRows);
        foreach (int token in tokens)
        {
            rows.Add(cache, token, rows.Count - 1);
        }

        target.Forward(rows, PassRequest.AllLogits);
        return [.. Enumerable.Range(0, rows.Count).Select(row => target.Logits(row).ToArray())];
    }

    /// <summary>Plain greedy decoding, one row a pass.</summary>
    public static int[] Greedy(LlamaTarget target, ReadOnlySpan<int> prompt, int count)
    {
        using KvCache cache = target.CreateCache(prompt.Length + count);
        var rows = new PassRows(target.MaxRows);
        int[] output = new int[count];
        for (int i = 0; i < prompt.Length + count - 1; i++)
        {
            rows.Clear();
            rows.Add(cache, i < prompt.Length ? prompt[i] : output[i - prompt.Length]);
            target.Forward(rows, PassRequest.AllLogits);
            cache.CommitFirst(1);
            if (i >= prompt.Length - 1)
            {
                output[i - prompt.Length + 1] = target.ArgMax(0);
            }
        }

        return output;
    }

    private static void WriteModel(string folder, ModelConfig config, IEnumerable<TensorData> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJson());
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }

    private static IEnumerable<TensorData> LlamaTensors(ModelConfig config, Random random, TensorType type, float scale)
    {
        yield return Tensor("model.embed_tokens.weight", random, type, 1f, config.VocabularySize, config.HiddenSize);
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            foreach (TensorData tensor in LayerTensors(config, $"model.layers.{layer}.", random, type, scale, inputNorm: true))
            {
                yield return tensor;
            }
        }

        yield return Norm("model.norm.weight", random, type, config.HiddenSize);
        if (!config.TieWordEmbeddings)
        {
            yield return Tensor("lm_head.weight", random, type, scale, config.VocabularySize, config.HiddenSize);
        }
    }

    private static IEnumerable<TensorData> HeadTensors(ModelConfig head, Random random, TensorType type, float scale, bool embedding, float mimicry)
    {
        float[] fuse = Values(random, scale, 2 * head.HiddenSize * head.HiddenSize);
        for (int i = 0; i < head.HiddenSize; i++)
        {
            fuse[(2 * head.HiddenSize * i) + i] += mimicry;
        }

        yield return TensorData.FromF32("fc.weight", [head.HiddenSize, 2 * head.HiddenSize], fuse, type);
        if (head.FcBias != false)
        {
            yield return Tensor("fc.bias", random, type, scale, head.HiddenSize);
        }

        foreach (TensorData tensor in LayerTensors(head, "layers.0.", random, type, scale, inputNorm: false))
        {
            yield return tensor;
        }

        if (embedding)
        {
            yield return Tensor("embed_tokens.weight", random, type, 1f, head.VocabularySize, head.HiddenSize);
        }
    }

    private static IEnumerable<TensorData> Eagle3Tensors(ModelConfig head, ModelConfig target, Random random, TensorType type, float scale, bool embedding)
    {
        Eagle3Config eagle = head.Eagle3!;
        int boundaries = eagle.Boundaries?.Length ?? 3, state = target.HiddenSize, proposed = eagle.DraftVocabularySize ?? head.VocabularySize;
        yield return Tensor("fc.weight", random, type, scale, head.HiddenSize, boundaries * state);
        if (eagle.NormBeforeFc)
        {
            yield return Norm("input_norm.weight", random, type, boundaries * state);
        }

        for (int i = 0; i < boundaries && eagle.FcNorm; i++)
        {
            yield return Norm($"fc_norm.{i}.weight", random, type, state);
        }

        for (int layer = 0; layer < head.LayerCount; layer++)
        {
            string prefix = layer > 0 || eagle.Speculators ? $"layers.{layer}." : "midlayer.";
            foreach (TensorData tensor in LayerTensors(head, prefix, random, type, scale, inputNorm: true, stateNorm: layer == 0))
            {
                yield return tensor;
            }
        }

        yield return Norm("norm.weight", random, type, head.HiddenSize);
        yield return Tensor("lm_head.weight", random, type, 2 * scale, proposed, head.HiddenSize);
        if (embedding || head.HiddenSize != state)
        {
            yield return Tensor("embed_tokens.weight", random, type, 1f, head.VocabularySize, head.HiddenSize);
        }

        if (proposed < head.VocabularySize)
        {
            int[] tokens = [.. Enumerable.Range(0, head.VocabularySize).OrderBy(_ => random.Next()).Take(proposed).Order()];
            yield return new TensorData("d2t", TensorType.I64, [proposed], System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>([.. tokens.Select((token, rank) => (long)(token - rank))]).ToArray());
            yield return new TensorData("t2d", TensorType.Bool, [head.VocabularySize], Enumerable.Range(0, head.VocabularySize).Select(token => (byte)(tokens.Contains(token) ? 1 : 0)).ToArray());
        }
    }

    private static IEnumerable<TensorData> LayerTensors(ModelConfig config, string prefix, Random random, TensorType type, float scale, bool inputNorm, bool stateNorm = false)
    {
        int hidden = config.HiddenSize, query = config.HeadCount * config.HeadDimension, keyValue = config.KeyValueHeadCount * config.HeadDimension;
        if (inputNorm)
        {
            yield return Norm(prefix + "input_layernorm.weight", random, type, hidden);
        }

        if (stateNorm)
        {
            yield return Norm(prefix + "hidden_norm.weight", random, type, hidden);
        }

        if (inputNorm && config.ModelType == "qwen3")
        {
            yield return Norm(prefix + "self_attn.q_norm.weight", random, type, config.HeadDimension);
            yield return Norm(prefix + "self_attn.k_norm.weight", random, type, config.HeadDimension);
        }

        bool queryKeyValue = config.QkvBias || (inputNorm && config.ModelType switch { "qwen2" => true, "mistral" => false, _ => config.AttentionBias });
        bool output = config.AttentionBias && config.ModelType is "llama" or "qwen3", mlp = config.MlpBias && config.ModelType == "llama";
        (string Name, int Rows, int Columns, bool Bias)[] matrices =
        [
            ("self_attn.q_proj", query, stateNorm ? 2 * hidden : hidden, queryKeyValue),
            ("self_attn.k_proj", keyValue, stateNorm ? 2 * hidden : hidden, queryKeyValue),
            ("self_attn.v_proj", keyValue, stateNorm ? 2 * hidden : hidden, queryKeyValue),
            ("self_attn.o_proj", hidden, query, output),
            ("mlp.gate_proj", config.IntermediateSize, hidden, mlp),
            ("mlp.up_proj", config.IntermediateSize, hidden, mlp),
            ("mlp.down_proj", hidden, config.IntermediateSize, mlp),
        ];
        foreach ((string name, int rows, int columns, bool bias) in matrices)
        {
            yield return Tensor($"{prefix}{name}.weight", random, type, scale, rows, columns);
            if (bias)
            {
                yield return Tensor($"{prefix}{name}.bias", random, type, scale, rows);
            }
        }

        yield return Norm(prefix + "post_attention_layernorm.weight", random, type, hidden);
    }

    private static TensorData Norm(string name, Random random, TensorType type, int length) =>
        TensorData.FromF32(name, [length], [.. Enumerable.Range(0, length).Select(_ => 0.5f + random.NextSingle())], type);

    private static TensorData Tensor(string name, Random random, TensorType type, float scale, params long[] shape)
    {
        long count = shape.Aggregate(1L, (a, b) => a * b);
        return TensorData.FromF32(name, shape, Values(random, scale, (int)count), type);
    }

    private static float[] Values(Random random, float scale, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => ((2 * random.NextSingle()) - 1) * scale)];
}

/// <summary>A target, and its head if it has one.</summary>
internal sealed record TinyPair(LlamaModel Target, EagleHead? OptionalHead) : IDisposable
{
    public EagleHead Head => OptionalHead ?? throw new InvalidOperationException("This model was made without a head.");

    public void Dispose()
    {
        OptionalHead?.Dispose();
        Target.Dispose();
    }
}

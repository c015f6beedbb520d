using AdaEagle.Formats;
using static AdaEagle.Tests.BenchModels.Arithmetic;

namespace AdaEagle.Tests.BenchModels;

/// <summary>A Llama decoder, its EAGLE-1 head and its LDLP in scalar code, read from a model folder: slow, short, and sharing nothing with the engine.</summary>
internal sealed class ReferenceModel : IDisposable
{
    private readonly ModelConfig _config;
    private readonly Tensors _tensors;
    private readonly ModelConfig? _headConfig;
    private readonly Tensors? _head;
    private readonly Tensors? _predictor;
    private readonly float[] _embedding;

    public ReferenceModel(string folder, string? headFolder = null)
    {
        headFolder ??= Path.Combine(folder, "eagle");
        _config = ModelConfig.Load(folder);
        _tensors = new(folder);
        _embedding = _tensors["model.embed_tokens.weight"];
        if (Directory.Exists(headFolder))
        {
            _headConfig = ModelConfig.Load(headFolder);
            _head = new(headFolder);
        }

        string predictorFolder = Path.Combine(folder, "ldlp");
        _predictor = Directory.Exists(predictorFolder) ? new(predictorFolder) : null;
    }

    public bool HasHead => _head is not null;

    public bool HasPredictor => _predictor is not null;

    /// <summary>Features (after the final norm) of all tokens.</summary>
    public float[][] Features(int[] tokens)
    {
        float[][] residual = [.. tokens.Select(token => Embed(_embedding, token))];
        for (int layer = 0; layer < _config.LayerCount; layer++)
        {
            residual = Layer(residual, _config, _tensors, $"model.layers.{layer}.", Window(_config, layer));
        }

        float[] norm = _tensors["model.norm.weight"];
        return [.. residual.Select(row => Norm(row, norm, _config.NormEpsilon))];
    }

    /// <summary>Logits of one feature, or of one head output.</summary>
    public float[] Logits(float[] feature) => Linear(_config.TieWordEmbeddings ? _embedding : _tensors["lm_head.weight"], null, feature);

    /// <summary>The head's outputs: row i sees feature i and the token after it.</summary>
    public float[][] Draft(float[][] features, int[] nextTokens)
    {
        float[] embedding = _head!.Find("embed_tokens.weight") ?? _embedding;
        float[] weight = _head["fc.weight"];
        float[][] fused = [.. features.Select((feature, i) => Linear(weight, _head.Find("fc.bias"), [.. Embed(embedding, nextTokens[i]), .. feature]))];
        return Layer(fused, _headConfig!, _head, "layers.0.", int.MaxValue);
    }

    /// <summary>The LDLP's number for one position.</summary>
    public float Predict(int token, float[] feature)
    {
        float[] y = Linear(_predictor!["input.weight"], _predictor["input.bias"], [.. Embed(_embedding, token), .. feature]);
        for (int block = 0; _predictor.Find($"blocks.{block}.weight") is { } weight; block++)
        {
            float[] z = Linear(weight, _predictor[$"blocks.{block}.bias"], y);
            y = [.. y.Select((value, k) => value + Silu(z[k]))];
        }

        return Linear(_predictor["output.weight"], _predictor["output.bias"], y)[0];
    }

    public void Dispose()
    {
        _tensors.Dispose();
        _head?.Dispose();
        _predictor?.Dispose();
    }

    // A layer without input norm (an EAGLE-1 head's first) feeds attention with the residual stream itself.
    private static float[][] Layer(float[][] residual, ModelConfig config, Tensors tensors, string prefix, int window)
    {
        float[]? Weight(string name) => tensors.Find(prefix + name);
        float[] Apply(string name, float[] x) => Linear(Weight(name + ".weight")!, Weight(name + ".bias"), x);

        float[] HeadNorm(string name, float[] heads) => Weight(name) is not { } weight ? heads
            : [.. heads.Chunk(config.HeadDimension).SelectMany(head => Norm(head, weight, config.NormEpsilon))];

        float[][] input = Weight("input_layernorm.weight") is { } norm ? [.. residual.Select(row => Norm(row, norm, config.NormEpsilon))] : residual;
        float[][] queries = [.. input.Select((row, position) => Rotated(HeadNorm("self_attn.q_norm.weight", Apply("self_attn.q_proj", row)), position, config))];
        float[][] keys = [.. input.Select((row, position) => Rotated(HeadNorm("self_attn.k_norm.weight", Apply("self_attn.k_proj", row)), position, config))];
        float[][] values = [.. input.Select(row => Apply("self_attn.v_proj", row))];
        float[] postNorm = Weight("post_attention_layernorm.weight")!;
        return [.. residual.Select((row, position) =>
        {
            float[] attended = Add(row, Apply("self_attn.o_proj", Attend(queries[position], keys, values, position, config, window)));
            float[] normed = Norm(attended, postNorm, config.NormEpsilon);
            float[] gate = Apply("mlp.gate_proj", normed), up = Apply("mlp.up_proj", normed);
            return Add(attended, Apply("mlp.down_proj", [.. gate.Select((value, k) => Silu(value) * up[k])]));
        })];
    }

    private static float[] Attend(float[] query, float[][] keys, float[][] values, int position, ModelConfig config, int window)
    {
        int width = config.HeadDimension;
        int first = Math.Max(0, position - window + 1);
        var output = new float[query.Length];
        for (int head = 0; head < config.HeadCount; head++)
        {
            int shared = head / (config.HeadCount / config.KeyValueHeadCount) * width;
            float[] scores = [.. keys.Take(position + 1).Skip(first).Select(key => Dot(query.AsSpan(head * width, width), key.AsSpan(shared, width)) / MathF.Sqrt(width))];
            float most = scores.Max();
            float[] shares = [.. scores.Select(score => MathF.Exp(score - most))];
            float sum = 0;
            foreach (float share in shares)
            {
                sum += share;
            }

            for (int k = 0; k < width; k++)
            {
                float mixed = 0;
                for (int other = first; other <= position; other++)
                {
                    mixed = MathF.FusedMultiplyAdd(shares[other - first], values[other][shared + k], mixed);
                }

                output[(head * width) + k] = mixed / sum;
            }
        }

        return output;
    }

    private static int Window(ModelConfig config, int layer) => config.ModelType switch
    {
        "mistral" => config.SlidingWindow ?? int.MaxValue,
        "qwen2" or "qwen3" when config.UseSlidingWindow && layer >= (config.MaxWindowLayers ?? 28) => config.SlidingWindow ?? 4096,
        _ => int.MaxValue,
    };

    private static float[] Rotated(float[] heads, int position, ModelConfig config)
    {
        double stretch = config.RopeScaling?.Kind == "linear" ? config.RopeScaling.Factor : 1;
        for (int first = 0; first < heads.Length; first += config.HeadDimension)
        {
            Rotate(heads.AsSpan(first, config.HeadDimension), position, config.RopeTheta, stretch);
        }

        return heads;
    }

    private float[] Embed(float[] embedding, int token) => embedding.AsSpan(token * _config.HiddenSize, _config.HiddenSize).ToArray();

    // Each tensor is widened once.
    private sealed class Tensors(string folder) : IDisposable
    {
        private readonly ITensorSource _source = Checkpoint.Open(folder);
        private readonly Dictionary<string, float[]> _read = [];

        public float[] this[string name] => Find(name) ?? throw new InvalidDataException($"{folder} has no {name}.");

        public float[]? Find(string name)
        {
            if (!_read.TryGetValue(name, out float[]? values) && _source.Tensors.ContainsKey(name))
            {
                values = _source.ReadF32(name);
                _read.Add(name, values);
            }

            return values;
        }

        public void Dispose() => _source.Dispose();
    }
}

using AdaEagle.Formats;
using TorchSharp;

namespace AdaEagle.Training.Tests.Torch;

/// <summary>Hugging Face's LlamaForCausalLM written down once more, in double precision and one number at a time: what the trainer is checked against.</summary>
internal sealed class ScalarLlama(ModelConfig config, IReadOnlyDictionary<string, double[]> weights)
{
    public static Dictionary<string, double[]> WeightsOf(AdaEagle.Training.Torch.LlamaModel model) =>
        model.Parameters.ToDictionary(item => item.Key, item => item.Value.detach().data<float>().Select(value => (double)value).ToArray());

    /// <summary>Logits after every token.</summary>
    public double[][] Logits(ReadOnlySpan<long> tokens)
    {
        double[] embedding = weights["model.embed_tokens.weight"];
        int hidden = config.HiddenSize;
        var rows = new double[tokens.Length][];
        for (int position = 0; position < tokens.Length; position++)
        {
            rows[position] = embedding[((int)tokens[position] * hidden)..(((int)tokens[position] + 1) * hidden)];
        }

        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            double[][] attended = Attention([.. rows.Select(row => Norm(row, weights[prefix + "input_layernorm.weight"]))], prefix + "self_attn.");
            for (int position = 0; position < rows.Length; position++)
            {
                rows[position] = Add(rows[position], attended[position]);
                double[] normed = Norm(rows[position], weights[prefix + "post_attention_layernorm.weight"]);
                double[] gate = Product(weights[prefix + "mlp.gate_proj.weight"], normed), up = Product(weights[prefix + "mlp.up_proj.weight"], normed);
                double[] inner = [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)];
                rows[position] = Add(rows[position], Product(weights[prefix + "mlp.down_proj.weight"], inner));
            }
        }

        return [.. rows.Select(row => Product(embedding, Norm(row, weights["model.norm.weight"])))];
    }

    /// <summary>Mean cross-entropy in nats.</summary>
    public double Loss(long[] inputs, long[] targets, int length)
    {
        double total = 0;
        for (int start = 0; start < inputs.Length; start += length)
        {
            double[][] logits = Logits(inputs.AsSpan(start, length));
            for (int position = 0; position < length; position++)
            {
                double greatest = logits[position].Max();
                total += greatest + Math.Log(logits[position].Sum(logit => Math.Exp(logit - greatest))) - logits[position][targets[start + position]];
            }
        }

        return total / inputs.Length;
    }

    private double[][] Attention(double[][] rows, string prefix)
    {
        int dimension = config.HeadDimension, group = config.HeadCount / config.KeyValueHeadCount;
        double[][] queries = [.. rows.Select((row, position) => Rotate(Product(weights[prefix + "q_proj.weight"], row), position))];
        double[][] keys = [.. rows.Select((row, position) => Rotate(Product(weights[prefix + "k_proj.weight"], row), position))];
        double[][] values = [.. rows.Select(row => Product(weights[prefix + "v_proj.weight"], row))];
        var results = new double[rows.Length][];
        for (int position = 0; position < rows.Length; position++)
        {
            double[] joined = new double[config.HeadCount * dimension];
            for (int head = 0; head < config.HeadCount; head++)
            {
                int shared = head / group * dimension;
                double[] scores = [.. Enumerable.Range(0, position + 1).Select(other => Enumerable.Range(0, dimension)
                    .Sum(i => queries[position][head * dimension + i] * keys[other][shared + i]) / Math.Sqrt(dimension))];
                double greatest = scores.Max(), sum = scores.Sum(score => Math.Exp(score - greatest));
                for (int other = 0; other <= position; other++)
                {
                    for (int i = 0; i < dimension; i++)
                    {
                        joined[head * dimension + i] += Math.Exp(scores[other] - greatest) / sum * values[other][shared + i];
                    }
                }
            }

            results[position] = Product(weights[prefix + "o_proj.weight"], joined);
        }

        return results;
    }

    private double[] Rotate(double[] row, int position)
    {
        int dimension = config.HeadDimension, half = dimension / 2;
        double[] result = new double[row.Length];
        for (int start = 0; start < row.Length; start += dimension)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position / Math.Pow(config.RopeTheta, 2.0 * i / dimension);
                (double first, double second) = (row[start + i], row[start + half + i]);
                result[start + i] = first * Math.Cos(angle) - second * Math.Sin(angle);
                result[start + half + i] = second * Math.Cos(angle) + first * Math.Sin(angle);
            }
        }

        return result;
    }

    private double[] Norm(double[] row, double[] weight)
    {
        double scale = 1 / Math.Sqrt(row.Sum(value => value * value) / row.Length + config.NormEpsilon);
        return [.. row.Zip(weight, (value, factor) => value * scale * factor)];
    }

    private static double[] Product(double[] matrix, double[] row)
    {
        double[] result = new double[matrix.Length / row.Length];
        for (int i = 0; i < result.Length; i++)
        {
            for (int j = 0; j < row.Length; j++)
            {
                result[i] += matrix[i * row.Length + j] * row[j];
            }
        }

        return result;
    }

    private static double[] Add(double[] left, double[] right) => [.. left.Zip(right, (l, r) => l + r)];
}

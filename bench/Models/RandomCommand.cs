using System.CommandLine;
using System.Globalization;
using AdaEagle.Formats;

namespace AdaEagle.Bench.Models;

/// <summary>The command <c>random</c>.</summary>
internal static class RandomCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var parameters = Options.Size("--parameters", "Take an ordinary shape of about that many parameters, such as 110M or 1.1B; the options below change single dimensions.", required: false);
        var hidden = Options.Dimension("--hidden", "Width of the residual stream.");
        var layers = Options.Dimension("--layers", "Decoder layers.");
        var heads = Options.Dimension("--heads", "Query heads.");
        var groups = Options.Dimension("--kv-heads", "Key/value heads; as many as --heads if absent.");
        var headDimension = Options.Dimension("--head-dim", "Width of a head; --hidden / --heads if absent.");
        var ffn = Options.Dimension("--ffn", "Neurons of an MLP.");
        var vocabulary = Options.Dimension("--vocabulary", "Vocabulary size; 4096 if absent.");
        var tied = new Option<bool>("--tied") { Description = "The LM head is the embedding." };
        var attentionBias = new Option<bool>("--attention-bias") { Description = "Biases in attention." };
        var mlpBias = new Option<bool>("--mlp-bias") { Description = "Biases in the MLP." };
        var eagle = new Option<bool>("--eagle") { Description = "Write an EAGLE-1 head of the same layer shape into eagle/." };
        var tokenizer = new Option<string?>("--tokenizer") { Description = "Model folder to copy tokenizer, template and end tokens from." };
        var type = new Option<string>("--type") { Description = "Number format.", DefaultValueFactory = _ => "bf16" };
        type.AcceptOnlyFromAmong("bf16", "f16", "f32");
        var output = Options.Output();
        var seed = Options.Seed();
        var command = new Command("random", "Makes a Llama model of a given shape with random weights.")
        {
            parameters, hidden, layers, heads, groups, headDimension, ffn, vocabulary, tied, attentionBias, mlpBias, eagle, tokenizer, type, output, seed,
        };
        command.SetAction(arguments =>
        {
            int words = arguments.GetValue(vocabulary) ?? 4096;
            long? size = arguments.GetResult(parameters) is null ? null : arguments.GetValue(parameters);
            DecoderShape? ordinary = size is { } wanted ? OrdinaryShape.Of(wanted, words, arguments.GetValue(tied)) : null;
            int Given(Option<int?> option, int? otherwise) => arguments.GetValue(option) ?? otherwise
                ?? throw new ArgumentException($"{option.Name} is missing: give it, or --parameters for an ordinary shape.");

            int width = Given(hidden, ordinary?.Hidden);
            int queries = Given(heads, ordinary?.Layer.Heads);
            int shared = arguments.GetValue(groups) ?? (arguments.GetValue(heads) is null ? ordinary?.Layer.KeyValueHeads : null) ?? queries;
            int perHead = arguments.GetValue(headDimension) ?? (arguments.GetValue(heads) is null && arguments.GetValue(hidden) is null ? ordinary?.Layer.HeadDimension : null) ?? (width / queries);
            if (queries % shared != 0 || perHead < 2 || perHead % 2 != 0)
            {
                throw new ArgumentException($"{queries} heads of width {perHead} over {shared} key/value heads is no attention: --kv-heads divides --heads, and --head-dim is even.");
            }

            var biases = new Biases(arguments.GetValue(attentionBias), arguments.GetValue(attentionBias), arguments.GetValue(mlpBias));
            var layer = new LayerShape(queries, shared, perHead, Given(ffn, ordinary?.Layer.Ffn), biases, InputNorm: true);
            var target = new DecoderShape(width, Given(layers, ordinary?.Layers), layer, words, arguments.GetValue(tied));
            HeadShape? head = arguments.GetValue(eagle)
                ? new HeadShape(width, layer with { Biases = default, InputNorm = false }, FcBias: true, words, OwnEmbedding: false)
                : null;
            Write(target, head, arguments.GetRequiredValue(output), Enum.Parse<TensorType>(arguments.GetRequiredValue(type), ignoreCase: true), arguments.GetValue(seed), arguments.GetValue(tokenizer));
        });
        return command;
    }

    private static void Write(DecoderShape target, HeadShape? head, string output, TensorType type, ulong seed, string? tokenizer)
    {
        long bytes = RandomModel.ByteLength(target, head, type);
        string folder = Options.PrepareOutput(output, bytes);
        ModelConfig? tokens = null;
        if (tokenizer is not null)
        {
            tokens = ModelConfig.Load(tokenizer);
            CarriedFiles.Copy(tokenizer, folder);
        }

        using (var progress = new WriteProgress(bytes))
        {
            RandomModel.Write(folder, target, head, type, seed, tokens, progress.Add);
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{target.Parameters:N0} parameters: hidden {target.Hidden}, {target.Layers} layers, {target.Layer.Heads} heads / {target.Layer.KeyValueHeads} key/value heads of {target.Layer.HeadDimension}, ffn {target.Layer.Ffn}, vocabulary {target.Vocabulary}; a pass streams {target.Streamed:N0}"));
        if (head is not null)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"draft cost {(double)head.Streamed / target.Streamed:F4}"));
        }
    }
}

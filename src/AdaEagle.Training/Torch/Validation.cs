using AdaEagle.Training.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Torch;

/// <summary>Held-out text in rows, a set a category.</summary>
internal sealed class Validation
{
    private const int BatchSize = 8;
    private readonly List<(string Category, TokenDataset Text)> _categories;
    private readonly int _length;

    /// <exception cref="InvalidDataException">No category fills a row.</exception>
    public Validation(TokenDataset text, int length)
    {
        _length = length;
        _categories = [.. text.Categories.Select(category => (category, text.Category(category))).Where(item => item.Item2.RowCount(length) > 0)];
        if (_categories.Count == 0)
        {
            throw new InvalidDataException($"No category of the validation documents has {length + 1} tokens. Give more documents, or shorter rows (--length).");
        }
    }

    /// <summary>Mean loss in nats a token of each category, over at most <paramref name="rows"/> rows spread over its text.</summary>
    public IReadOnlyList<(string Category, double Loss)> Measure(LlamaModel model, int rows) =>
        [.. _categories.Select(item => (item.Category, Measure(model, item.Text, Math.Min(rows, item.Text.RowCount(_length)))))];

    private double Measure(LlamaModel model, TokenDataset text, int rows)
    {
        double total = 0;
        int available = text.RowCount(_length);
        for (int start = 0; start < rows; start += BatchSize)
        {
            int count = Math.Min(BatchSize, rows - start);
            var inputs = new long[count * _length];
            var targets = new long[count * _length];
            for (int row = 0; row < count; row++)
            {
                ReadOnlySpan<int> ids = text.Row((int)((long)(start + row) * available / rows), _length);
                for (int position = 0; position < _length; position++)
                {
                    inputs[row * _length + position] = ids[position];
                    targets[row * _length + position] = ids[position + 1];
                }
            }

            using var scope = NewDisposeScope();
            total += model.TokenLosses(tensor(inputs).reshape(count, _length), tensor(targets).reshape(count, _length)).Sum(loss => (double)loss);
        }

        return total / ((double)rows * _length);
    }
}

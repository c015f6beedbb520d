namespace AdaEagle.Training.Ldlp;

/// <summary>Logistic regression of a few coefficients by Newton's method, with a pull towards where it starts: calibration, and siblings.</summary>
internal static class LogisticFit
{
    private const int Iterations = 30;

    /// <summary>One observation: its inputs (the constant among them), the probability that it says, and its weight.</summary>
    public readonly record struct Point(double[] Inputs, double Truth, double Weight);

    /// <summary>The coefficients with the least weighted cross-entropy, plus pull / 2 times the squared distance from <paramref name="start"/>.</summary>
    public static double[] Run(IReadOnlyList<Point> points, double[] start, double pull = 1)
    {
        int count = start.Length;
        double[] coefficients = [.. start];
        for (int iteration = 0; iteration < Iterations; iteration++)
        {
            double[] gradient = [.. coefficients.Select((value, i) => pull * (value - start[i]))];
            double[,] curvature = new double[count, count];
            for (int i = 0; i < count; i++)
            {
                curvature[i, i] = pull;
            }

            foreach (Point point in points)
            {
                double logit = 0;
                for (int i = 0; i < count; i++)
                {
                    logit += coefficients[i] * point.Inputs[i];
                }

                double probability = 1 / (1 + Math.Exp(-logit)), slope = point.Weight * probability * (1 - probability);
                for (int i = 0; i < count; i++)
                {
                    gradient[i] += point.Weight * (probability - point.Truth) * point.Inputs[i];
                    for (int j = 0; j < count; j++)
                    {
                        curvature[i, j] += slope * point.Inputs[i] * point.Inputs[j];
                    }
                }
            }

            double[] change = Solve(curvature, gradient);
            double length = Math.Sqrt(change.Sum(value => value * value)), held = Math.Min(1, 4 / Math.Max(length, 1e-30));
            for (int i = 0; i < count; i++)
            {
                coefficients[i] -= held * change[i];
            }

            if (length < 1e-9)
            {
                break;
            }
        }

        return coefficients;
    }

    // Gaussian elimination; the matrix is positive definite.
    private static double[] Solve(double[,] matrix, double[] right)
    {
        int count = right.Length;
        double[] values = [.. right];
        for (int column = 0; column < count; column++)
        {
            for (int row = column + 1; row < count; row++)
            {
                double factor = matrix[row, column] / matrix[column, column];
                for (int k = column; k < count; k++)
                {
                    matrix[row, k] -= factor * matrix[column, k];
                }

                values[row] -= factor * values[column];
            }
        }

        for (int row = count - 1; row >= 0; row--)
        {
            for (int k = row + 1; k < count; k++)
            {
                values[row] -= matrix[row, k] * values[k];
            }

            values[row] /= matrix[row, row];
        }

        return values;
    }
}

namespace AdaEagle.Tokenization.Jinja;

/// <summary>Python's <c>sorted</c>: stable, by <c>&lt;</c> alone. (.NET's own sort wraps the errors of a comparison.)</summary>
internal static class Sorting
{
    public static T[] Sort<T>(Interpreter run, IReadOnlyList<T> items, Func<T, Value> key, bool reverse = false)
    {
        run.Budget.Items(2L * items.Count);
        (Value Key, T Item)[] sorted = [.. items.Select(item => (key(item), item))];
        if (reverse)
        {
            // Equal items keep their order in a reversed sort, too.
            Array.Reverse(sorted);
        }

        MergeSort(run, sorted, new (Value, T)[sorted.Length], 0, sorted.Length);
        if (reverse)
        {
            Array.Reverse(sorted);
        }

        return [.. sorted.Select(pair => pair.Item)];
    }

    private static void MergeSort<T>(Interpreter run, (Value Key, T Item)[] items, (Value Key, T Item)[] spare, int start, int end)
    {
        if (end - start < 2)
        {
            return;
        }

        int middle = (start + end) / 2;
        MergeSort(run, items, spare, start, middle);
        MergeSort(run, items, spare, middle, end);
        Array.Copy(items, start, spare, start, end - start);
        for (int left = start, right = middle, at = start; at < end; at++)
        {
            bool takesRight = left == middle || (right < end && run.Comparer.IsLess(spare[right].Key, spare[left].Key));
            items[at] = takesRight ? spare[right++] : spare[left++];
        }
    }
}

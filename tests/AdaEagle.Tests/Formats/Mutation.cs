using AdaEagle.Formats;

namespace AdaEagle.Tests.Formats;

/// <summary>Damages good files in the ways that break parsers, reproducibly, and says what a reader may do then.</summary>
internal static class Mutation
{
    // No case of these tests has a megabyte; a reader that believes a length in the file would need far more.
    private const long AllocationLimit = 32 << 20;

    private static readonly ulong[] Interesting =
        [0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 100_000_001, 1UL << 40, 1UL << 62, (1UL << 63) - 1, 1UL << 63, ulong.MaxValue];

    private static readonly string[] Tokens =
        ["{", "}", "[", "]", ",", ":", "\"", "-", "0", "1", "9", "e9", "1e999", "4.0", "null", "true", "\\ud800", "\\u0000", "18446744073709551616", "9223372036854775807", "{\"a\":", "[[[[[[[[", "  ", "\0"];

    /// <summary>A damaged copy: one to four changes.</summary>
    public static byte[] Apply(byte[] original, Random random)
    {
        List<byte> bytes = [.. original];
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            Change(bytes, random);
        }

        return [.. bytes];
    }

    /// <summary>
    /// Runs a reader on bad input: it may succeed (true) or throw a <see cref="ModelFormatException"/> (false), nothing else, and may not allocate
    /// without bound.
    /// </summary>
    public static bool Survives(Action read, string what)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool succeeded = true;
        try
        {
            read();
        }
        catch (ModelFormatException e)
        {
            succeeded = false;
            Assert.True(e.Message.Length < 4000, $"{what}: a message of {e.Message.Length} characters");
        }
        catch (Exception e)
        {
            Assert.Fail($"{what}: {e}");
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < AllocationLimit, $"{what}: {allocated} bytes allocated");
        return succeeded;
    }

    /// <summary>Reads every byte of every tensor.</summary>
    public static void ReadEverything(ITensorSource source)
    {
        foreach (TensorInfo tensor in source.Tensors.Values)
        {
            byte[] bytes = new byte[tensor.ByteLength];
            source.Read(tensor.Name, 0, bytes);
        }
    }

    private static void Change(List<byte> bytes, Random random)
    {
        int at = random.Next(bytes.Count + 1);
        switch (random.Next(9))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at));
                break;
            case 3:
                bytes.InsertRange(at, Enumerable.Range(0, random.Next(1, 20)).Select(_ => (byte)random.Next(256)));
                break;
            case 4:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 5:
                int length = Math.Min(random.Next(1, 60), bytes.Count - at);
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 6:
                byte[] number = BitConverter.GetBytes(Interesting[random.Next(Interesting.Length)]);
                int width = Math.Min(1 << random.Next(4), bytes.Count - at);
                for (int i = 0; i < width; i++)
                {
                    bytes[at + i] = number[i];
                }

                break;
            case 7:
                bytes.InsertRange(at, System.Text.Encoding.UTF8.GetBytes(Tokens[random.Next(Tokens.Length)]));
                break;
            default:
                ReplaceNumber(bytes, at, random);
                break;
        }
    }

    // The decimal number at or after a place becomes another.
    private static void ReplaceNumber(List<byte> bytes, int at, Random random)
    {
        int start = bytes.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9');
        if (start < 0)
        {
            return;
        }

        int end = start;
        while (end < bytes.Count && bytes[end] is >= (byte)'0' and <= (byte)'9')
        {
            end++;
        }

        bytes.RemoveRange(start, end - start);
        bytes.InsertRange(start, System.Text.Encoding.ASCII.GetBytes(Interesting[random.Next(Interesting.Length)].ToString()));
    }
}

using System.Diagnostics;
using System.Globalization;

namespace AdaEagle.Bench.Peers;

/// <summary>llama.cpp in the harness' process (peer.cpp), spoken to line by line.</summary>
internal sealed class PeerProcess : IEngine
{
    private readonly Process _process;

    /// <summary>Starts the harness and waits for the model.</summary>
    public PeerProcess(string harness, string model, int threads, int positions, bool float32)
    {
        Harness = harness;
        _process = Process.Start(new ProcessStartInfo(harness, [model, Text(threads), Text(positions), float32 ? "f32" : "f16"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        }) ?? throw new IOException($"{harness} did not start.");
        string first = Answer();
        if (first != "ready")
        {
            throw new IOException($"{harness}: {first}");
        }
    }

    /// <summary>The program.</summary>
    public string Harness { get; }

    /// <summary>What runs.</summary>
    public string Description => Ask("info");

    public void Context(int positions) => Ask($"context {Text(positions)}");

    public double Prompt(int tokens) => Seconds($"prompt {Text(tokens)}");

    public double Decode(int tokens) => Seconds($"decode {Text(tokens)}");

    public double Pass(int rows) => Seconds($"pass {Text(rows)}");

    public int[] Greedy(ReadOnlySpan<int> prompt, int tokens) =>
        [.. Ask($"greedy {Text(tokens)} {string.Join(' ', prompt.ToArray())}").Split(' ').Select(id => int.Parse(id, CultureInfo.InvariantCulture))];

    /// <summary>The logits after some tokens.</summary>
    public float[] Logits(ReadOnlySpan<int> tokens) =>
        [.. Ask($"logits {string.Join(' ', tokens.ToArray())}").Split(' ').Select(logit => float.Parse(logit, CultureInfo.InvariantCulture))];

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.StandardInput.WriteLine("quit");
            _process.StandardInput.Close();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private double Seconds(string command) => double.Parse(Ask(command), CultureInfo.InvariantCulture);

    private string Ask(string command)
    {
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
        string answer = Answer();
        return answer.StartsWith("error ", StringComparison.Ordinal) ? throw new IOException($"{Harness}, '{command.Split(' ')[0]}': {answer["error ".Length..]}") : answer;
    }

    private string Answer() => _process.StandardOutput.ReadLine() ?? throw new IOException($"{Harness} ended without an answer.");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

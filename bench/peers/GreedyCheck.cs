using System.Globalization;
using System.Text.Json.Serialization;
using AdaEagle.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Bench.Peers;

/// <summary>Whether both engines choose the same tokens.</summary>
/// <param name="Model">The file's name.</param>
/// <param name="Prompts">How many prompts were continued.</param>
/// <param name="Tokens">By how many tokens each.</param>
/// <param name="Equal">How many gave the same tokens to the end.</param>
/// <param name="LargestMargin">Of the first differences, llama.cpp's largest distance between its best and its second logit; null without one.</param>
internal sealed record GreedyResult(string Model, int Prompts, int Tokens, int Equal, double? LargestMargin)
{
    /// <summary>In words.</summary>
    [JsonIgnore]
    public string Text => string.Create(
        CultureInfo.InvariantCulture,
        $"{Model}: greedy tokens of {Equal} of {Prompts} prompts equal over {Tokens} tokens{(LargestMargin is { } margin ? $"; the others part at top-2 margins of {margin:0.000} at most" : "")}");
}

/// <summary>Continues prompts with both engines.</summary>
internal static class GreedyCheck
{
    private static readonly string[] _questions =
    [
        "How do I list hidden files?", "How can I find large files in a folder?", "Show me how to unpack a tar archive.", "What does git rebase do?", "How do I read a file line by line in C#?",
        "Explain the difference between a list and an array.", "How do I stop a process in PowerShell?", "What is ownership in Rust?", "How do I count the lines of a file?", "How can I rename many files at once?",
        "What does the async keyword do?", "How do I copy a folder to another machine?", "Tom has 3 apples and buys 12 more. How many has he?", "How do I search text in files?", "What is a dictionary in .NET?",
        "How do I compress a folder?", "Explain what a pointer is.", "How do I see which ports are open?", "What is the capital of France?", "Write a function that adds two numbers.",
    ];

    /// <summary>Compares.</summary>
    /// <param name="path">The model, whose own tokenizer and template make the prompts.</param>
    /// <param name="ours">Our engine.</param>
    /// <param name="theirs">llama.cpp.</param>
    /// <param name="prompts">How many prompts, twenty at most.</param>
    /// <param name="tokens">By how many tokens each is continued.</param>
    /// <param name="goesOn">Asked before each prompt but the first few: a large model's random weights need no more of it.</param>
    public static GreedyResult Run(string path, AdaEagleEngine ours, PeerProcess theirs, int prompts, int tokens, Func<bool> goesOn)
    {
        const int Fewest = 4;
        int equal = 0, done = 0;
        double? largest = null;
        foreach (int[] prompt in Prompts(path).Take(prompts))
        {
            if (done >= Fewest && !goesOn())
            {
                break;
            }

            done++;
            int[] a = ours.Greedy(prompt, tokens);
            int[] b = theirs.Greedy(prompt, tokens);
            int same = a.Zip(b).TakeWhile(pair => pair.First == pair.Second).Count();
            if (same == tokens)
            {
                equal++;
                continue;
            }

            float[] logits = [.. theirs.Logits([.. prompt, .. b[..same]]).OrderDescending().Take(2)];
            largest = Math.Max(largest ?? 0, logits[0] - logits[1]);
        }

        return new GreedyResult(Path.GetFileNameWithoutExtension(path), done, tokens, equal, largest);
    }

    private static IEnumerable<int[]> Prompts(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        GgufTokenizer tokenizer = GgufTokenizer.Load(file);
        ChatTemplate? template = ChatTemplate.Load(file);
        return [.. _questions.Select(question => template is null
            ? tokenizer.Encode(question, addSpecialTokens: true)
            : tokenizer.Encode(template.Render([new ChatMessage("user", question)])))];
    }
}

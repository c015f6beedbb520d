using System.Text;
using System.Text.RegularExpressions;

namespace AdaEagle.Training.Data;

/// <summary>
/// What a document is about, so that a split by subject keeps near-duplicates (several questions about one command, the members of
/// one type) on one side. The subject is what the prompt names: the type of a .NET member without its namespace, the shell command, the cmdlet,
/// for raw text its first heading, otherwise the first message itself (a word problem). Subjects are lower-case and carry no
/// category, since a cmdlet has pages in two of them.
/// </summary>
public static partial class Subjects
{
    /// <summary>Of a thousand subjects, how many are held out.</summary>
    public const int HeldOutPerThousand = 120;

    /// <summary>The subject of a document; never empty, a function of the document alone.</summary>
    public static string Of(CorpusDocument document)
    {
        string subject = document.Messages is { } messages ? OfPrompt(document.Category, messages) : OfText(document.Text ?? "");
        return subject.Trim().ToLowerInvariant();
    }

    /// <summary>
    /// True for <see cref="HeldOutPerThousand"/> of a thousand subjects: those whose hash, 64-bit FNV-1a over the UTF-8 bytes with
    /// MurmurHash3's 64-bit finaliser, lies below that share modulo 1000. It depends on nothing else: no seed, file or order.
    /// </summary>
    public static bool IsHeldOut(string subject)
    {
        ulong hash = 14695981039346656037;
        foreach (byte value in Encoding.UTF8.GetBytes(subject))
        {
            hash = (hash ^ value) * 1099511628211;
        }

        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        hash ^= hash >> 33;
        return hash % 1000 < HeldOutPerThousand;
    }

    private static string OfPrompt(string category, IReadOnlyList<CorpusMessage> messages)
    {
        string prompt = (messages.FirstOrDefault(message => message.Role == "user") ?? messages[0]).Content;
        return category switch
        {
            "api" when ApiPrompt().Match(prompt) is { Success: true } match => TypeOf(match.Groups["name"].Value, isFullName: match.Groups["full"].Success),
            "shell" or "docs" when CommandPrompt().Match(prompt) is { Success: true } match => PageNumber().Replace(match.Groups["name"].Value, ""),
            _ => prompt,
        };
    }

    private static string OfText(string text)
    {
        string[] lines = [.. text.Split('\n', 64).Select(line => line.Trim()).Where(line => line.Length > 0)];
        return lines.FirstOrDefault(line => line.StartsWith('#') && line.Trim('#', ' ').Length > 0)?.Trim('#', ' ') ?? lines.FirstOrDefault() ?? text;
    }

    /// <summary>
    /// The type in <c>Type</c> and <c>Type.Member</c>, as full names <c>Name.Space.Type</c> and <c>Name.Space.Type.Member</c>. The last two look alike:
    /// the part before the last is the type unless it is known to end a namespace.
    /// </summary>
    private static string TypeOf(string name, bool isFullName) =>
        name.Split('.') is [.., var owner, var last] ? (isFullName && DotNetNamespaces.LastWords.Contains(owner) ? last : owner) : name;

    [GeneratedRegex(@"^(?:(?<full>Describe )(?<name>\S+)\.|What does (?<name>\S+) do\?|(?<name>\S+) in C#\?|Explain the \w+ (?<name>\S+) in \.NET\.)$")]
    private static partial Regex ApiPrompt();

    // "Command to print a line (sed)" before "name: what", whose colon may also occur inside the other forms.
    [GeneratedRegex(
        @"^(?:Show me how to use `(?<name>[^`]+)`\.|Give me examples of (?<name>\S+)\.|How do I use the (?<name>\S+) command\?" +
        @"|What is (?<name>\S+) (?:and how is it used|for)\?|What does (?<name>\S+) do in PowerShell\?|Explain (?<name>\S+)\.|Which (?<name>\S+) command can I use to .*\?" +
        @"|How do I .* with (?<name>\S+)\?|Command to .* \((?<name>[^()]+)\)|Show an? (?<name>\S+) example: .*|(?<name>\S+): .*)$",
        RegexOptions.Singleline)]
    private static partial Regex CommandPrompt();

    [GeneratedRegex(@"\.\d+$")]
    private static partial Regex PageNumber();
}

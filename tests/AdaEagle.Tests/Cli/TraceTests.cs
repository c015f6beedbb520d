using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using AdaEagle.Cli.Trace;
using AdaEagle.Generation;
using AdaEagle.Sampling;
using AdaEagle.Tests.Formats;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Cli;

/// <summary><c>adaeagle trace</c>: what the page says, and that it is safe to open.</summary>
public sealed partial class TraceTests(TinyCliModel model) : IClassFixture<TinyCliModel>, IDisposable
{
    private const string Script = "<script>alert('x')</script>";

    // The first byte of a character of three.
    private const int HalfCharacter = 0xe2;

    // A vocabulary of bytes, and a token that would be a script.
    private static readonly HuggingFaceTokenizer s_tokenizer =
        HuggingFaceTokenizer.FromMerges([.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToText([(byte)value]))], [], "[\\s\\S]+", [Script]);

    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("ar")]
    [InlineData("fixed:3")]
    [InlineData("auto")]
    [InlineData("comb:3,2")]
    [InlineData("eagle2:20,3,4")]
    public void A_page_has_every_committed_token_once_and_every_round_with_its_counts(string policy)
    {
        // With measured costs auto might draft differently in the two runs: the first one freezes them.
        string[] costs = policy == "auto" ? ["--costs", _folder.File("costs.json")] : [];
        string[] arguments = ["--policy", policy, "--temperature", "0.9", "--seed", "5", "--max-tokens", "50", .. costs];
        Assert.Equal(0, model.Run(["generate", "warm up", .. arguments]).Code);
        XElement page = Trace("count <b> & \"more\"", arguments);
        using JsonDocument document = JsonDocument.Parse(model.Run(["generate", "count <b> & \"more\"", "--json", "--show-draft", .. arguments]).Out);
        (JsonElement root, JsonElement stats) = (document.RootElement, document.RootElement.GetProperty("stats"));
        XElement[] tokens = [.. Of(page, "a", "token")];
        Assert.Equal(Enumerable.Range(0, tokens.Length), tokens.Select(token => Whole(token.Attribute("data-index")!.Value)));
        Assert.Equal(root.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32()), tokens.Select(token => Whole(token.Attribute("data-token")!.Value)));
        Assert.Equal(stats.GetProperty("accepted").GetInt32(), tokens.Count(token => Classes(token).Contains("drafted")));

        XElement[] rounds = [.. page.Descendants("section")];
        Assert.Equal(stats.GetProperty("passes").GetInt32() - 1, rounds.Length);
        (int, int, int)[] counts = [.. rounds.Select(Counts)];
        Assert.Equal(
            stats.GetProperty("rounds").EnumerateArray().Select(round => (round.GetProperty("drafted").GetInt32(), round.GetProperty("accepted").GetInt32(), round.GetProperty("emitted").GetInt32())), counts);
        foreach ((XElement round, (int verified, int accepted, int emitted)) in rounds.Zip(counts))
        {
            Assert.Equal((accepted, verified - accepted), (Of(round, "g", "accepted").Count(), Of(round, "g", "verified").Count()));
            Assert.Equal(emitted - accepted, Of(round, "g", "own").Count());
            Assert.Single(Of(round, "g", "root"));
        }

        // Links lead to rounds.
        Assert.All(page.Descendants("a"), link => Assert.True(link.Attribute("href") is not { } target || rounds.Any(round => "#" + round.Attribute("id")!.Value == target.Value)));
        Assert.Contains("count <b> & \"more\"", page.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_candidate_has_its_probability_though_the_policy_needs_none()
    {
        XElement page = Trace("hello", "--policy", "fixed:2", "--max-tokens", "30");
        double[] sums = [.. Nodes(page).Select(node => double.Parse(LogProbability().Match(node.Value).Groups[1].Value, CultureInfo.InvariantCulture))];
        Assert.NotEmpty(sums);
        Assert.Contains(sums, sum => sum < 0);
        static IEnumerable<XElement> Nodes(XElement page) => page.Descendants("g").Where(group => group.Attribute("class")!.Value is "accepted" or "verified");
    }

    [Fact]
    public void A_stop_string_cuts_the_output_and_the_round_that_it_ends()
    {
        using JsonDocument whole = JsonDocument.Parse(model.Run("generate", "count", "--json", "--policy", "fixed:4", "--max-tokens", "30").Out);
        string text = whole.RootElement.GetProperty("text").GetString()!;
        string stop = text.Substring(9, 2);
        string[] arguments = ["--policy", "fixed:4", "--max-tokens", "30", "--stop", stop];
        using JsonDocument cut = JsonDocument.Parse(model.Run(["generate", "count", "--json", .. arguments]).Out);
        XElement page = Trace("count", arguments);
        Assert.Equal(cut.RootElement.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32()), Of(page, "a", "token").Select(token => Whole(token.Attribute("data-token")!.Value)));
        Assert.Equal(cut.RootElement.GetProperty("stats").GetProperty("accepted").GetInt32(), Of(page, "g", "accepted").Count());
    }

    [Fact]
    public void Nothing_that_a_model_says_becomes_markup()
    {
        int script = Id(Script), quote = Id("\""), bell = Id("\a"), half = HalfCharacter;
        TracedNode[] nodes =
        [
            new(0, script, -1, 1, -0.1f, -0.1f, true, true), new(1, quote, 0, 2, -1.5f, -1.6f, true, false), new(2, bell, 0, 2, -2.5f, -2.6f, false, false), new(3, half, 0, 2, -3f, -3.1f, false, false),
        ];
        int[] tokens = [quote, script, bell, half];
        string text = Page($"{Script} \"quoted\" 'too' ]]> & \u0001 \uD800", tokens, new TracedRound(quote, 2, nodes, [script, bell], default, default, default), new TracedRound(bell, 0, [], [half], default, default, default));
        Assert.DoesNotContain("<script", text, StringComparison.OrdinalIgnoreCase);
        XElement page = Parse(text);
        Assert.Empty(page.Descendants("script"));
        Assert.Equal([quote, script, bell, half], Of(page, "a", "token").Select(token => Whole(token.Attribute("data-token")!.Value)));
        XElement[] spans = [.. Of(page, "a", "token")];
        Assert.Equal(["\"", Script, "\u2407", "‹e2›"], spans.Select(span => span.Value));
        Assert.Equal($"{Script} \"quoted\" 'too' ]]> & \u2401 \uFFFD", page.Descendants("pre").Single().Value);
        // The tree cuts long tokens; what it cuts off stands in the title.
        XElement accepted = Of(page, "g", "accepted").Single();
        Assert.Equal("<script>alert…", accepted.Elements("text").First().Value);
        Assert.StartsWith(Script, accepted.Element("title")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_asks_for_nothing_from_anywhere()
    {
        string text = File.ReadAllText(TraceFile("hello", "--max-tokens", "20"));
        Assert.DoesNotContain("http:", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("https:", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("url(", text, StringComparison.OrdinalIgnoreCase);
        XElement page = Parse(text);
        Assert.Empty(page.DescendantsAndSelf().Attributes("src"));
        Assert.Empty(page.Descendants("link"));
        Assert.Contains(page.Descendants("meta"), meta => (string?)meta.Attribute("content") is "default-src 'none'; style-src 'unsafe-inline'");
        Assert.All(page.Descendants("a").Attributes("href"), link => Assert.StartsWith("#", link.Value, StringComparison.Ordinal));
    }

    [Fact]
    public void A_large_pool_is_drawn_by_what_was_verified_and_its_likeliest_rest()
    {
        int token = Id("\"");
        // A hundred and fifty children of the root, the least likely of them verified.
        TracedNode[] nodes = [.. Enumerable.Range(0, 150).Select(node => new TracedNode(node, token, -1, 1, -node, -node, node == 149, node == 149))];
        XElement page = Parse(Page("x", [token, token, token], new TracedRound(token, 1, nodes, [token, token], default, default, default)));
        Assert.Equal((1, 95), (Of(page, "g", "accepted").Count(), Of(page, "g", "drafted").Count()));
        Assert.Contains("54 less likely candidates are not drawn.", page.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void What_can_not_be_written_is_said_before_a_model_is_looked_for()
    {
        CliRun.Of("trace", "a", "--model", "nowhere", "--out", _folder.File("no/such/page.html")).FailsWith(1, "--out", "there is no folder");
        CliRun.Of("trace", "a", "--model", "nowhere", "--out", _folder.Path).FailsWith(1, "that is a folder");
        CliRun.Of("trace", "--nonsense").FailsWith(1, "adaeagle trace --help");
    }

    public void Dispose() => _folder.Dispose();

    private XElement Trace(string prompt, params string[] arguments) => Parse(File.ReadAllText(TraceFile(prompt, arguments)));

    private string TraceFile(string prompt, params string[] arguments)
    {
        string file = _folder.File("page.html");
        CliRun run = model.Run(["trace", prompt, "--out", file, .. arguments]);
        Assert.True(run.Code == 0, run.Error);
        Assert.Equal(file + Environment.NewLine, run.Out);
        return file;
    }

    private static string Page(string prompt, int[] tokens, params TracedRound[] rounds)
    {
        using var page = new StringWriter();
        var stats = new GenerationStatistics
        {
            Policy = "p", PromptTokens = 1, VisibleTokens = tokens.Length, EmittedTokens = tokens.Length, Passes = rounds.Length + 1, Drafted = 0, Accepted = 0,
            TotalTime = default, PrefillTime = default, PlanTime = default, DraftTime = default, VerifyTime = default,
        };
        var result = new GenerationResult("", tokens, FinishReason.Length, stats);
        new TracePage(page, new TracedGeneration($"models/{Script}", "f32", prompt, SamplingOptions.Greedy, result, rounds), new TokenText(s_tokenizer)).Write();
        return page.ToString();
    }

    // A page that an XML parser takes has no tag open and nothing unescaped.
    private static XElement Parse(string text)
    {
        using var reader = XmlReader.Create(new StringReader(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        return XDocument.Load(reader, System.Xml.Linq.LoadOptions.PreserveWhitespace).Root!;
    }

    private static IEnumerable<XElement> Of(XElement part, string element, string kind) => part.Descendants(element).Where(one => Classes(one).Contains(kind));

    private static string[] Classes(XElement element) => ((string?)element.Attribute("class") ?? "").Split(' ');

    private static (int Verified, int Accepted, int Emitted) Counts(XElement round)
    {
        Match match = Heading().Match(round.Element("h3")!.Value);
        return (Whole(match.Groups[1].Value), Whole(match.Groups[2].Value), Whole(match.Groups[3].Value));
    }

    private static int Id(string text) => s_tokenizer.Encode(text) is [int id] ? id : throw new InvalidOperationException($"'{text}' is not one token.");

    private static int Whole(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"verified (\d+), accepted (\d+), emitted (\d+)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"ln p (-?[0-9.]+)$")]
    private static partial Regex LogProbability();
}

using System.Diagnostics;
using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Templates that attack: each has to end soon, in bounded memory, with an error or the text that Jinja gives.</summary>
public sealed class JinjaHostileTests
{
    private const long MaximumBytes = 64 << 20;
    private static readonly TimeSpan s_maximumTime = TimeSpan.FromSeconds(2);
    private static readonly Dictionary<string, string> s_noTokens = [];

    [Fact]
    public void Hostile_templates_end_soon_and_small()
    {
        string folder = Path.Combine(ChatTemplateCases.Folder, "hostile");
        JsonNode manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")))!;
        int ran = 0;
        foreach (JsonNode? node in manifest["cases"]!.AsArray())
        {
            string file = node!["file"]!.GetValue<string>();
            string source = File.ReadAllText(Path.Combine(folder, file));
            JsonArray messages = manifest["messages"]!.DeepClone().AsArray();
            string? text = RunBounded(file, () => ChatTemplate.Parse(source, s_noTokens).Render(new ChatRequest(messages)));
            string? reference = node["reference"]!["rendered"]?.GetValue<string>();
            Assert.True(text is null || text == reference, $"{file}: got a text of {text?.Length} characters where the reference has {reference ?? "an error"}.");
            ran++;
        }

        Fixtures.RequireCases(ChatTemplateCases.Kind, ran);
    }

    [Theory]
    [InlineData("{% set ns = namespace(g=[1]) %}{% for i in range(100000) %}{% set ns.g = ns.g | map('string') %}{% endfor %}{{ ns.g | list }}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}")]
    [InlineData("{% set ns = namespace(l=[], m=[]) %}{% for i in range(20000) %}{% set ns.l = [ns.l] %}{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}")]
    [InlineData("{% set ns = namespace(t=(), u=()) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) %}{% set ns.u = (ns.u, ns.u) %}{% endfor %}{{ ns.t == ns.u }}")]
    [InlineData("{% set ns = namespace(t=()) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}")]
    [InlineData("{% set ns = namespace(t=()) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ ns.t }}")]
    [InlineData("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}")]
    [InlineData("{% set a = 'a' * 900000 %}{{ (a ~ 'b') in (a ~ a) }}{{ (a ~ a).count(a ~ 'b') }}{{ (a ~ a).rfind('b' ~ a) }}{{ (a ~ a) | replace(a ~ 'b', '') | length }}{% for i in range(10000) %}{{ (a ~ 'b') in (a ~ a) }}{% endfor %}")]
    [InlineData("{{ '%2000000000d' % 1 }}")]
    [InlineData("{{ '%.2000000000f' % 1 }}")]
    [InlineData("{{ '{:2000000000}'.format(1) }}")]
    [InlineData("{{ '{:{}}'.format(1, 2000000000) }}")]
    [InlineData("{{ [[1]] * 2000000000 }}")]
    [InlineData("{{ 'x' | indent(2000000000) }}{{ 'x\ny' | indent(2000000000) }}")]
    [InlineData("{{ [1] | batch(2000000000, 0) | list }}")]
    [InlineData("{{ [1] | slice(2000000000) | list | length }}")]
    [InlineData("{{ [1] | tojson(indent=2000000000) }}")]
    [InlineData("{{ 'a\tb'.expandtabs(2000000000) }}")]
    [InlineData("{{ ('9' * 1000000) | int }}{{ ('9' * 1000000) | float }}")]
    [InlineData("{% set ns = namespace(n=7) %}{% for i in range(64) %}{% set ns.n = ns.n * ns.n %}{% endfor %}{{ ns.n }}")]
    [InlineData("{% set n = 7 ** 2500 %}{% for i in range(100000) %}{% set m = n * n + n * n + n * n + n * n - n // 3 % n %}{% endfor %}")]
    [InlineData("{% set s = 'z' * 2500 %}{% for i in range(100000) %}{% set m = s | int(0, 36) %}{% endfor %}")]
    [InlineData("{% for i in range(100000) %}{% set m = [0.1 | round(300), '%.1500f' % 0.1, '{:.1500e}'.format(0.1)] %}{% endfor %}")]
    [InlineData("{{ ('abc' * 300000)[::-1] | length }}{% for i in range(100) %}{{ ('abc' * 300000)[::-2] | length }}{% endfor %}")]
    [InlineData("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [InlineData("{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}")]
    [InlineData("{% block b %}{{ self.b() }}{% endblock %}")]
    [InlineData("{% macro f(x=f()) %}{% endmacro %}{{ f() }}")]
    [InlineData("{% set ns = namespace(s='') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' %}{% endfor %}{{ ns.s | length }}")]
    [InlineData("{% for i in range(100000) %}{% for j in range(100000) %}{{ i }}{% endfor %}{% endfor %}")]
    [InlineData("{{ range(100000) | list | sort | map('string') | join | length }}{{ range(100000) | sum }}{% for i in range(100) %}{{ range(100000) | list | unique | list | length }}{% endfor %}")]
    [InlineData("{{ ('x' * 1000000).split('') }}{{ ('x ' * 900000).split() | length }}")]
    [InlineData("{{ ('a' * 1000000).strip('b' * 1000000 ~ 'a') | length }}")]
    [InlineData("{{ ('a-' * 100000) | wordwrap(1) | length }}")]
    [InlineData("{% set ns = namespace(l=[1, 2]) %}{% for i in range(30) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | pprint }}")]
    [InlineData("{{ ('{' * 1000000).format() }}")]
    [InlineData("{{ ('{0' ~ '[0]' * 300000 ~ '}').format([[]]) }}")]
    public void Other_attacks_end_soon_and_small_too(string source)
    {
        // What comes out does not matter here, only that it comes, and how.
        string? text = RunBounded(source, () => ChatTemplate.Parse(source, s_noTokens).Render([new ChatMessage("user", "hi")]));
        Assert.True((text?.Length ?? 0) < 1 << 22);
    }

    [Fact]
    public void Nesting_of_every_kind_is_refused_or_rendered_without_a_stack_overflow()
    {
        string[] openings = ["(", "[", "{1: ", "not ", "-", "1 if 1 else ", "f(", "x[", "1 + (", "1 | default(", "1 is in [", "'a' ~ ("];
        foreach (string opening in openings)
        {
            RunBounded(opening, () => ChatTemplate.Parse("{{ " + string.Concat(Enumerable.Repeat(opening, 20_000)), s_noTokens).Render([]));
        }

        string[] chains = [" + 1", " ~ 1", " and 1", " ** 1", ".x", "[0]", "(1)", " | string", " is defined", " < 1", " if 1 else 1", " in x"];
        foreach (string chain in chains)
        {
            RunBounded(chain, () => ChatTemplate.Parse("{{ x" + string.Concat(Enumerable.Repeat(chain, 20_000)) + " }}", s_noTokens).Render([]));
        }

        string[] tags = ["for i in [1]", "if 1", "macro f()", "call f()", "filter upper", "with a = 1", "set x", "autoescape true", "generation", "block b"];
        foreach (string tag in tags)
        {
            RunBounded(tag, () => ChatTemplate.Parse(string.Concat(Enumerable.Repeat("{% " + tag + " %}", 20_000)), s_noTokens).Render([]));
        }

        Assert.Equal(34, openings.Length + chains.Length + tags.Length);
    }

    [Fact]
    public void A_small_stack_is_enough()
    {
        Exception? thrown = null;
        Thread thread = new(() => thrown = Record.Exception(() => ChatTemplate.Parse("{% macro f(n) %}{% if true %}{{ [f(n + 1)] | first ~ '' }}{% endif %}{% endmacro %}{{ f(0) }}", s_noTokens).Render([])), 256 * 1024);
        thread.Start();
        thread.Join();
        Assert.IsType<ChatTemplateException>(thrown);
    }

    // Runs something; gives its text, or null where it was refused. A busy machine gets a second and a third try.
    private static string? RunBounded(string name, Func<string> render)
    {
        string shown = name.Length <= 100 ? name : name[..100] + "…";
        TimeSpan fastest = TimeSpan.MaxValue;
        string? text = null;
        for (int attempt = 0; attempt < 3 && fastest >= s_maximumTime; attempt++)
        {
            long bytesBefore = GC.GetAllocatedBytesForCurrentThread();
            Stopwatch watch = Stopwatch.StartNew();
            text = RenderOrNull(render);
            fastest = watch.Elapsed < fastest ? watch.Elapsed : fastest;
            long bytes = GC.GetAllocatedBytesForCurrentThread() - bytesBefore;
            ChatTemplateCases.Report($"{watch.ElapsedMilliseconds,5} ms {bytes >> 20,3} MiB  {shown}");
            Assert.True(bytes < MaximumBytes, $"{shown} allocated {bytes >> 20} MiB.");
        }

        Assert.True(fastest < s_maximumTime, $"{shown} took {fastest}.");
        return text;
    }

    private static string? RenderOrNull(Func<string> render)
    {
        try
        {
            return render();
        }
        catch (ChatTemplateException error)
        {
            Assert.InRange(error.Message.Length, 1, 2000);
            return null;
        }
    }
}

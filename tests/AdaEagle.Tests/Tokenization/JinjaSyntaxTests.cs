using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>The language itself: what binds tighter, which white space goes, which names are seen where.</summary>
public sealed class JinjaSyntaxTests
{
    [Theory]
    [InlineData("1 + 2 * 3 - 4 / 2", "5.0")]
    [InlineData("2 * 3 ** 2", "18")]
    [InlineData("2 ** 3 ** 2", "64")]
    [InlineData("-2 ** 2", "4")]
    [InlineData("-3 | abs", "3")]
    [InlineData("- (3 | abs)", "-3")]
    [InlineData("1 ~ 2 + 'x'", "12x")]
    [InlineData("'x' ~ 1 * 2", "x2")]
    [InlineData("not true == false", "True")]
    [InlineData("not true or true and false", "False")]
    [InlineData("1 < 2 < 3 and 3 > 2 > 2", "False")]
    [InlineData("1 in [1] == true", "False")]
    [InlineData("'a' if 0 else 'b' if 0 else 'c'", "c")]
    [InlineData("1 + 1 is odd", "2")]
    [InlineData("(1 + 2) is odd and 4 is not odd", "True")]
    [InlineData("[1, 2] | length + 1", "3")]
    [InlineData("'a,b'.split(',')[1] | upper ~ '!'", "B!")]
    [InlineData("{'k': [1, {'z': 'deep'}]}.k[1].z", "deep")]
    [InlineData("(1, 2)[0], [3][0]", "(1, 3)")]
    [InlineData("7 // 2 * 2 + 7 % 2", "7")]
    [InlineData("5 is divisibleby 5 and 5 is in [5]", "True")]
    public void Operators_bind_as_in_jinja(string expression, string expected) => Assert.Equal(expected, Render($"{{{{ {expression} }}}}"));

    [Theory]
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc")]
    [InlineData("a\n  {%+ if true %}\n  b\n  {% endif +%}\nc", "a\n    b\n\nc")]
    [InlineData("a \n\t{%- if true -%} \n b {{- 'x' -}} \n {% endif %} c", "abx c")]
    [InlineData("a {# one #} b\n   {# two #}\nc {#- three -#} d", "a  b\ncd")]
    [InlineData("{{ 'x' }}\n{{ 'y' }}\n", "x\ny")]
    [InlineData("{% raw -%}  {{ x }}  {%- endraw %}\n!", "{{ x }}!")]
    [InlineData("a\r\nb\rc\r\n", "a\nb\nc")]
    [InlineData("\u2003{%- if true %}\u00a0\u3000{%- endif %}.", ".")]
    [InlineData("{{ '}}' ~ \"{%\" ~ {'a': {}}.a }}", "}}{%{}")]
    public void White_space_goes_where_it_should(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "231")]
    [InlineData("{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "2")]
    [InlineData("{% macro m() %}{{ x }}{% set x = 'in' %}{{ x }}{% endmacro %}{% set x = 'out' %}{{ m() }}{{ x }}", "outinout")]
    [InlineData("{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% set x = 3 %}{% endwith %}{{ x }}", "211")]
    [InlineData("{% for i in [1] %}{% macro m() %}{{ loop.index }}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ loop is defined }}", "11False")]
    [InlineData("{% macro m() %}[{{ caller('q') }}]{% endmacro %}{% set y = 5 %}{% call(v) m() %}{{ v }}{{ y }}{% set y = 6 %}{% endcall %}{{ y }}", "[q5]5")]
    [InlineData("{% generation %}{% set z = 1 %}{{ z }}{% endgeneration %}{{ z is defined }}", "1False")]
    [InlineData("{% set ns = namespace(n=0) %}{% macro add(k) %}{% set ns.n = ns.n + k %}{% endmacro %}{{ add(2) }}{{ add(3) }}{{ ns.n }}", "5")]
    [InlineData("{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}", "1112")]
    public void Names_are_seen_where_they_should_be(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("a\n{% if true %}\n{{ 1 + }}\n{% endif %}", 3)]
    [InlineData("a\n\n{% endfor %}", 3)]
    [InlineData("a\n{# a\n\n b", 2)]
    [InlineData("x\n{{ 'abc }}", 2)]
    [InlineData("{% for x in y %}\n\n.", 3)]
    [InlineData("\n{{ (1 }}", 2)]
    [InlineData("\n\n\n{{ 1 | nope }}", 4)]
    [InlineData("\n{% set true = 1 %}", 2)]
    [InlineData("\n{% break %}", 2)]
    [InlineData("\n{{ f(a=1, 2) }}", 2)]
    public void Errors_of_syntax_say_the_line(string template, int line)
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => Render(template));
        Assert.Equal(line, error.Line);
        Assert.Contains($"line {line}", error.Message, StringComparison.Ordinal);
        Assert.False(error.RaisedByTemplate);
    }

    [Theory]
    [InlineData("\n{{ missing.attribute }}", 2, "'missing' is undefined")]
    [InlineData("{% if true %}\n{{ 'a' + 1 }}\n{% endif %}", 2, "can only concatenate str (not \"int\") to str")]
    [InlineData("\n\n{{ [1].append(2) }}", 3, "access to attribute 'append' of 'list' object is unsafe")]
    [InlineData("{{ none | items | list }}", 1, "Can only get item pairs from a mapping")]
    [InlineData("{{ 1 }}\n{% include 'x' %}", 2, "needs another template")]
    public void Errors_of_rendering_say_the_line_and_the_cause(string template, int line, string cause)
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => Render(template));
        Assert.Equal(line, error.Line);
        Assert.Contains(cause, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ 1 | frobnicate }}", "frobnicate")]
    [InlineData("{{ 1 is frobnicated }}", "frobnicated")]
    [InlineData("{% frobnicate %}", "frobnicate")]
    [InlineData("{{ 'x'.encode() }}", "encode")]
    [InlineData("{{ lipsum() }}", "lipsum")]
    public void What_is_not_supported_is_named(string template, string name) =>
        Assert.Equal(name, Assert.Throws<ChatTemplateException>(() => Render(template)).Unsupported);

    [Fact]
    public void An_unknown_filter_in_a_branch_fails_only_when_reached()
    {
        const string Template = "{% if x %}{{ 1 | frobnicate }}{% else %}fine{% endif %}";
        Assert.Equal("fine", Render(Template));
        Assert.Equal("frobnicate", Assert.Throws<ChatTemplateException>(() => Render(Template, "{\"x\": 1}")).Unsupported);
        Assert.Throws<ChatTemplateException>(() => Render("{% if x %}{% for i in [] %}{{ 1 | frobnicate }}{% endfor %}{% endif %}"));
    }

    [Fact]
    public void Numbers_keep_the_type_that_their_json_text_has() =>
        Assert.Equal("1|1.0|1000.0|True|123456789012345678901234567890|-0.0", Render("{{ v | join('|') }}", "{\"v\": [1, 1.0, 1e3, true, 123456789012345678901234567890, -0.0]}"));

    [Theory]
    [InlineData("'%.2f|%.0f|%.0f' % (0.125, 0.5, 1.5)", "0.12|0|2")]
    [InlineData("'%e|%g|%g' % (123456.789, 1e-5, 1234567.0)", "1.234568e+05|1e-05|1.23457e+06")]
    [InlineData("2.675 | round(2)", "2.67")]
    [InlineData("1234.5 | round(-2)", "1200.0")]
    [InlineData("'{:,}|{:08.3f}|{:+}|{:>6}|{:^7}|{:x}'.format(1234567, 3.14159, 5, 'ab', 'mid', 255)", "1,234,567|0003.142|+5|    ab|  mid  |ff")]
    [InlineData("[5e-324, 1.7976931348623157e308, 1e22, 123456789012345680.0]", "[5e-324, 1.7976931348623157e+308, 1e+22, 1.2345678901234568e+17]")]
    [InlineData("-7 // 2, -7 % 3, 7 % -3, -7.5 // 2, 5.5 % -2", "(-4, 2, -2, -4.0, -0.5)")]
    public void Numbers_are_computed_and_written_as_in_python(string expression, string expected) => Assert.Equal(expected, Render($"{{{{ {expression} }}}}"));

    private static string Render(string template, string variables = "{}") =>
        ChatTemplate.Parse(template, new Dictionary<string, string>()).RenderVariables(JsonNode.Parse(variables)!.AsObject());
}

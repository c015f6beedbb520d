using System.Text;
using System.Text.Json.Nodes;
using AdaEagle.Tokenization;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Damaged and jumbled templates: whatever is in them, a text or a <see cref="ChatTemplateException"/> comes out.</summary>
public sealed class JinjaFuzzTests
{
    private const int Rounds = 3000;

    private static readonly string[] s_pieces =
    [
        "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "~", "*", "**", "/", "//", "%", "==", "<", "=", "'", "\"", "\\", "\n", " ",
        " if ", " else ", " elif ", " endif ", " for x in ", " endfor ", " recursive ", " set x = ", " set x ", " endset ", " macro f(a, b=1) ", " endmacro ", " call f() ", " endcall ",
        " filter upper ", " endfilter ", " with ", " endwith ", " raw ", " endraw ", " break ", " continue ", " generation ", " endgeneration ", " not ", " in ", " is ", " and ", " or ",
        " messages ", " loop ", " loop(messages) ", " loop.previtem ", " x ", " f(1) ", " caller() ", " namespace(a=1) ", " ns.a ", " range(9) ", " none ", " true ", "1", "1.5", "9" + "9999999999999999999",
        "'a'", "''", "'%s'", "'{}'", ".format(x)", ".split()", ".items()", ".upper()", ".role", ".content", "['role']", "[0]", "[::-1]", "[1:2]", " | length", " | list", " | map('upper')", " | tojson",
        " | tojson(indent=2)", " | sort", " | join(', ')", " | default('d')", " | selectattr('role')", " | groupby('role')", " | replace('a', 'b')", " | int", " | round", " | wordwrap(3)", " | indent", " | batch(2)",
        " is defined", " is string", " is divisibleby 3", "strftime_now('%d')", "raise_exception('no')", "__class__", "é", "😀", "\ud800", "\0",
    ];

    [Fact]
    public void Damaged_templates_give_a_text_or_a_clear_error()
    {
        string[] sources = [.. Directory.GetFiles(ChatTemplateCases.Folder, "*.jinja", SearchOption.AllDirectories).Where(file => new FileInfo(file).Length < 20_000).Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        Fixtures.RequireCases(ChatTemplateCases.Kind, sources.Length);
        Random random = new(20250704);
        int rendered = 0;
        for (int i = 0; i < Rounds; i++)
        {
            rendered += Survives(Damage(random, sources[random.Next(sources.Length)], sources[random.Next(sources.Length)])) ? 1 : 0;
        }

        Assert.InRange(rendered, Rounds / 50, Rounds - 1);
    }

    [Fact]
    public void Jumbled_pieces_give_a_text_or_a_clear_error()
    {
        Random random = new(19700101);
        int rendered = 0;
        for (int i = 0; i < Rounds; i++)
        {
            StringBuilder source = new();
            bool inTag = false;
            for (int k = random.Next(1, 14); k > 0; k--)
            {
                // Half of the pieces go where they have a chance to be parsed.
                if (random.Next(2) == 0)
                {
                    source.Append(inTag ? " }}" : "{{ ");
                    inTag = !inTag;
                }

                source.Append(s_pieces[random.Next(s_pieces.Length)]);
            }

            rendered += Survives(source.Append(inTag ? " }}" : "").ToString()) ? 1 : 0;
        }

        Assert.InRange(rendered, Rounds / 50, Rounds - 1);
    }

    // True where a text came out. Anything but a ChatTemplateException fails the test.
    private static bool Survives(string source)
    {
        try
        {
            ChatTemplate template = ChatTemplate.Parse(source, new Dictionary<string, string> { ["bos_token"] = "<s>", ["eos_token"] = "</s>" });
            JsonArray messages = [new JsonObject { ["role"] = "system", ["content"] = "be" }, new JsonObject { ["role"] = "user", ["content"] = "a b\nc" }, new JsonObject { ["role"] = "assistant", ["content"] = "ok" }];
            template.Render(new ChatRequest(messages) { AddGenerationPrompt = true, Variables = new JsonObject { ["x"] = new JsonArray(1, 2.5, "s", null) } });
            return true;
        }
        catch (ChatTemplateException error)
        {
            Assert.NotEmpty(error.Message);
            return false;
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"A template made {error.GetType().Name}: {source}", error);
        }
    }

    private static string Damage(Random random, string source, string other)
    {
        StringBuilder damaged = new(source);
        for (int k = random.Next(1, 4); k > 0; k--)
        {
            int at = random.Next(damaged.Length + 1);
            int length = Math.Min(random.Next(1, 12), damaged.Length - at);
            switch (random.Next(5))
            {
                case 0:
                    damaged.Remove(at, length);
                    break;
                case 1:
                    damaged.Insert(at, s_pieces[random.Next(s_pieces.Length)]);
                    break;
                case 2:
                    damaged.Insert(at, damaged.ToString(at, length));
                    break;
                case 3:
                    int from = random.Next(other.Length);
                    damaged.Insert(at, other.AsSpan(from, Math.Min(random.Next(1, 80), other.Length - from)));
                    break;
                default:
                    damaged.Length = Math.Max(damaged.Length - length, random.Next(8) == 0 ? at : damaged.Length - length);
                    break;
            }
        }

        return damaged.ToString();
    }
}

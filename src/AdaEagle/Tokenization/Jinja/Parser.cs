namespace AdaEagle.Tokenization.Jinja;

/// <summary>
/// Makes a tree of a template: statements here, expressions in the other part. Errors say what was expected and the line.
/// An unknown filter or test is an error here, too, except in a branch of an <c>if</c>, where it is one only when reached (as in Jinja).
/// </summary>
internal sealed partial class Parser
{
    private const int MaximumNesting = 100;

    private readonly List<Token> _tokens;
    private readonly List<Unknown> _unknown = [];
    private readonly List<Unknown> _fatal = [];
    private readonly List<string> _openTags = [];
    private readonly Dictionary<string, Block> _blocks = [];
    private FunctionState _function = new();
    private int _at;
    private int _depth;

    private Parser(List<Token> tokens) => _tokens = tokens;

    // A filter or test that does not exist.
    private sealed record Unknown(string Kind, string Name, int Line);

    // What is known of the innermost macro or call block (or of the template itself).
    private sealed class FunctionState
    {
        public HashSet<string> Used { get; } = [];

        public int Loops { get; set; }
    }

    private Token Current => _tokens[_at];

    private Token Next => _tokens[Math.Min(_at + 1, _tokens.Count - 1)];

    /// <summary>Parses a template's source; throws <see cref="ChatTemplateException"/>.</summary>
    public static TemplateTree Parse(string source)
    {
        Parser parser = new(Lexer.Read(source));
        IReadOnlyList<Statement> body = parser.ParseBody([]);
        parser._fatal.AddRange(parser._unknown);
        if (parser._fatal.MinBy(unknown => unknown.Line) is Unknown first)
        {
            throw UnknownName(first.Kind, first.Name, first.Line);
        }

        return new TemplateTree(body, parser._blocks);
    }

    /// <summary>The error for a filter or test that this engine does not have.</summary>
    public static ChatTemplateException UnknownName(string kind, string name, int? line) =>
        new($"No {kind} named '{ChatTemplateException.Shorten(name)}'.", line, unsupported: name);

    // Statements up to one of the end tags (or the end of the template); the end tag's name is the current token then.
    private List<Statement> ParseBody(ReadOnlySpan<string> endTags)
    {
        Enter();
        List<Statement> body = [];
        while (true)
        {
            Token token = Advance();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new TextOutput(token.Line, token.Text));
                    break;
                case TokenKind.OpenPrint:
                    body.Add(new Output(token.Line, ParseTuple()));
                    Expect(TokenKind.ClosePrint, "end of print statement");
                    break;
                case TokenKind.OpenTag:
                    if (Current.Kind == TokenKind.Name && endTags.Contains(Current.Text))
                    {
                        Leave();
                        return body;
                    }

                    body.AddRange(ParseStatement(endTags));
                    Expect(TokenKind.CloseTag, "end of statement block");
                    break;
                default:
                    if (endTags.Length > 0)
                    {
                        throw Error("Unexpected end of template." + Wanted(endTags));
                    }

                    Leave();
                    return body;
            }
        }
    }

    private IEnumerable<Statement> ParseStatement(ReadOnlySpan<string> endTags)
    {
        Token tag = Current;
        if (tag.Kind != TokenKind.Name)
        {
            throw Error("tag name expected");
        }

        Advance();
        _openTags.Add(tag.Text);
        IEnumerable<Statement> statements = tag.Text switch
        {
            "print" => ParsePrint(tag.Line),
            "if" => [ParseIf(tag.Line)],
            "for" => [ParseFor(tag.Line)],
            "break" or "continue" => [ParseLoopControl(tag)],
            "set" => [ParseSet(tag.Line)],
            "macro" => [ParseMacro(tag.Line)],
            "call" => [ParseCallBlock(tag.Line)],
            "filter" => [ParseFilterBlock(tag.Line)],
            "with" => [ParseWith(tag.Line)],
            "autoescape" => [ParseAutoescape(tag.Line)],
            "block" => [ParseBlock(tag.Line)],
            "generation" => [new Generation(tag.Line, InFunction(() => ParseBlockBody("endgeneration"), out _))],
            "include" or "import" or "from" or "extends" => [ParseExternal(tag)],
            _ => throw UnknownTag(tag, endTags),
        };
        _openTags.RemoveAt(_openTags.Count - 1);
        return statements;
    }

    private ChatTemplateException UnknownTag(Token tag, ReadOnlySpan<string> endTags)
    {
        _openTags.RemoveAt(_openTags.Count - 1);
        bool isClosing = tag.Text is "else" or "elif" || tag.Text.StartsWith("end", StringComparison.Ordinal);
        return new($"Encountered unknown tag '{tag.Description}'.{Wanted(endTags)}", tag.Line, unsupported: isClosing ? null : tag.Text);
    }

    private string Wanted(ReadOnlySpan<string> endTags) => endTags.Length == 0 || _openTags.Count == 0
        ? ""
        : $" Jinja was looking for the following tags: '{string.Join("' or '", endTags)}'. The innermost block that needs to be closed is '{_openTags[^1]}'.";

    // The rest of an opening tag, the body, and the name of the tag that ends it.
    private List<Statement> ParseBlockBody(params ReadOnlySpan<string> endTags) => ParseBlockBody(out _, endTags);

    private List<Statement> ParseBlockBody(out string endTag, params ReadOnlySpan<string> endTags)
    {
        TakeOperator(":");
        Expect(TokenKind.CloseTag, "end of statement block");
        List<Statement> body = ParseBody(endTags);
        endTag = Advance().Text;
        return body;
    }

    private Target ParseTarget(bool allowsNamespace = false, string? endsAtName = null)
    {
        int line = Current.Line;
        List<Target> items = [];
        bool isTuple = false;
        while (!IsTupleEnd(endsAtName))
        {
            items.Add(ParseSingleTarget(allowsNamespace));
            if (!TakeOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        return isTuple ? new TupleTarget([.. items])
            : items.Count == 1 ? items[0]
            : throw Error($"Expected an expression, got '{Current.Description}'", line);
    }

    private Target ParseSingleTarget(bool allowsNamespace)
    {
        if (allowsNamespace && Current.Kind == TokenKind.Name && Next.IsOperator("."))
        {
            string name = Use(Advance()).Id;
            Advance();
            return new AttributeTarget(name, ExpectName());
        }

        return ToTarget(ParsePrimary());
    }

    private Target ToTarget(Expression expression) => expression switch
    {
        Name name => new NameTarget(name.Id),
        ListLiteral { IsTuple: true } tuple => new TupleTarget([.. tuple.Items.Select(ToTarget)]),
        _ => throw Error($"can't assign to '{expression switch { Literal => "const", ListLiteral => "list", DictLiteral => "dict", _ => "expression" }}'", expression.Line),
    };

    private string ParseTargetName()
    {
        string name = ExpectName();
        return name is "true" or "false" or "none" or "True" or "False" or "None" ? throw Error($"can't assign to '{name}'") : name;
    }

    // Parses what runs as a function of its own: loops outside cannot be left from inside. Names it uses count as used outside, too.
    private List<Statement> InFunction(Func<List<Statement>> parse, out HashSet<string> used)
    {
        FunctionState outer = _function;
        _function = new FunctionState();
        int unknownsBefore = _unknown.Count;
        List<Statement> body = parse();
        HardenUnknowns(unknownsBefore);
        used = _function.Used;
        outer.Used.UnionWith(used);
        _function = outer;
        return body;
    }

    private void ForgiveUnknowns(int since) => _unknown.RemoveRange(since, _unknown.Count - since);

    private void HardenUnknowns(int since)
    {
        _fatal.AddRange(_unknown.Skip(since));
        ForgiveUnknowns(since);
    }

    private void Enter()
    {
        if (++_depth > MaximumNesting || !System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Error($"tags and brackets nest deeper than {MaximumNesting} levels");
        }
    }

    private void Leave() => _depth--;

    private Token Advance()
    {
        Token token = Current;
        _at = Math.Min(_at + 1, _tokens.Count - 1);
        return token;
    }

    private bool TakeName(string name)
    {
        bool takes = Current.IsName(name);
        if (takes)
        {
            Advance();
        }

        return takes;
    }

    private bool TakeOperator(string text)
    {
        bool takes = Current.IsOperator(text);
        if (takes)
        {
            Advance();
        }

        return takes;
    }

    private string ExpectName() => Current.Kind == TokenKind.Name ? Advance().Text : throw Error($"expected token 'name', got '{Current.Description}'");

    private void ExpectOperator(string text)
    {
        if (!TakeOperator(text))
        {
            throw Error($"expected token '{text}', got '{Current.Description}'");
        }
    }

    private void Expect(TokenKind kind, string description)
    {
        if (Current.Kind != kind)
        {
            throw Error($"expected token '{description}', got '{Current.Description}'");
        }

        Advance();
    }

    private ChatTemplateException Error(string problem, int? line = null) => new(problem + (problem.EndsWith('.') ? "" : "."), line ?? Current.Line);
}

namespace AdaEagle.Tokenization.Jinja;

// One function for each tag; the tag's name has been read, its end is read by the caller.
internal sealed partial class Parser
{
    private List<Statement> ParsePrint(int line)
    {
        List<Statement> outputs = [];
        while (Current.Kind != TokenKind.CloseTag)
        {
            if (outputs.Count > 0)
            {
                ExpectOperator(",");
            }

            outputs.Add(new Output(line, ParseExpression()));
        }

        return outputs;
    }

    private If ParseIf(int line)
    {
        int unknownsBefore = _unknown.Count;
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        List<Statement> otherwise = [];
        string endTag = "elif";
        while (endTag == "elif")
        {
            Expression test = ParseTuple(withConditional: false);
            branches.Add((test, ParseBlockBody(out endTag, "elif", "else", "endif")));
        }

        if (endTag == "else")
        {
            otherwise = ParseBlockBody("endif");
        }

        ForgiveUnknowns(unknownsBefore);
        return new If(line, branches, otherwise);
    }

    private For ParseFor(int line)
    {
        Target target = ParseTarget(endsAtName: "in");
        if (!TakeName("in"))
        {
            throw Error($"expected token 'in', got '{Current.Description}'");
        }

        Expression items = ParseTuple(withConditional: false, endsAtName: "recursive");
        int unknownsBefore = _unknown.Count;
        Expression? test = TakeName("if") ? ParseExpression() : null;
        bool isRecursive = TakeName("recursive");
        _function.Loops++;
        List<Statement> body = ParseBlockBody(out string endTag, "endfor", "else");
        _function.Loops--;
        List<Statement> otherwise = endTag == "else" ? ParseBlockBody("endfor") : [];
        HardenUnknowns(unknownsBefore);
        return new For(line, target, items, test, isRecursive, body, otherwise);
    }

    private LoopControl ParseLoopControl(Token tag)
    {
        if (_function.Loops == 0)
        {
            throw Error($"'{tag.Text}' outside loop", tag.Line);
        }

        return new LoopControl(tag.Line, tag.Text == "break");
    }

    private Statement ParseSet(int line)
    {
        Target target = ParseTarget(allowsNamespace: true);
        if (TakeOperator("="))
        {
            return new Assign(line, target, ParseTuple());
        }

        int unknownsBefore = _unknown.Count;
        FilterOf? filter = ParseFilterChain(null);
        List<Statement> body = ParseBlockBody("endset");
        HardenUnknowns(unknownsBefore);
        return new AssignBlock(line, target, filter, body);
    }

    private MacroDefinition ParseMacro(int line)
    {
        string name = ParseTargetName();
        MacroSignature signature = new([], []);
        List<Statement> body = InFunction(
            () =>
            {
                signature = ParseSignature();
                return ParseBlockBody("endmacro");
            },
            out HashSet<string> used);
        return new MacroDefinition(line, name, WithSpecials(signature, used), body);
    }

    private CallBlock ParseCallBlock(int line)
    {
        int start = _at;
        MacroSignature signature = new([], []);
        Expression? call = null;
        List<Statement> body = InFunction(
            () =>
            {
                signature = Current.IsOperator("(") ? ParseSignature() : signature;
                call = ParseExpression();
                return ParseBlockBody("endcall");
            },
            out HashSet<string> used);
        return call is Call toMacro
            ? new CallBlock(line, toMacro, WithSpecials(signature, used), body)
            : throw Error("expected call", _tokens[start].Line);
    }

    private MacroSignature ParseSignature()
    {
        List<string> names = [];
        List<Expression?> defaults = [];
        ExpectOperator("(");
        while (!TakeOperator(")"))
        {
            if (names.Count > 0)
            {
                ExpectOperator(",");
            }

            names.Add(ParseTargetName());
            bool hasDefault = TakeOperator("=");
            if (!hasDefault && defaults.Count > 0 && defaults[^1] is not null)
            {
                throw Error("non-default argument follows default argument");
            }

            defaults.Add(hasDefault ? ParseExpression() : null);
        }

        return new MacroSignature([.. names], [.. defaults]);
    }

    private static MacroSignature WithSpecials(MacroSignature signature, HashSet<string> used) => signature with
    {
        TakesVarargs = used.Contains("varargs") && !signature.Names.Contains("varargs"),
        TakesKwargs = used.Contains("kwargs") && !signature.Names.Contains("kwargs"),
        TakesCaller = used.Contains("caller"),
    };

    private FilterBlock ParseFilterBlock(int line)
    {
        int unknownsBefore = _unknown.Count;
        FilterOf filter = ParseFilterChain(ParseFilter(null))!;
        List<Statement> body = ParseBlockBody("endfilter");
        HardenUnknowns(unknownsBefore);
        return new FilterBlock(line, filter, body);
    }

    // Filters behind bars, the innermost one without a target: it is the body.
    private FilterOf? ParseFilterChain(FilterOf? filter)
    {
        while (TakeOperator("|"))
        {
            filter = ParseFilter(filter);
        }

        return filter;
    }

    private With ParseWith(int line)
    {
        List<(Target, Expression)> bindings = [];
        while (Current.Kind != TokenKind.CloseTag)
        {
            if (bindings.Count > 0)
            {
                ExpectOperator(",");
            }

            Target target = ParseTarget();
            ExpectOperator("=");
            bindings.Add((target, ParseExpression()));
        }

        int unknownsBefore = _unknown.Count;
        List<Statement> body = ParseBlockBody("endwith");
        HardenUnknowns(unknownsBefore);
        return new With(line, bindings, body);
    }

    private Autoescape ParseAutoescape(int line)
    {
        int unknownsBefore = _unknown.Count;
        Expression value = ParseExpression();
        List<Statement> body = ParseBlockBody("endautoescape");
        HardenUnknowns(unknownsBefore);
        return new Autoescape(line, value, body);
    }

    private Block ParseBlock(int line)
    {
        string name = ExpectName();
        bool isScoped = TakeName("scoped");
        TakeName("required");
        Block block = new(line, name, isScoped, InFunction(() => ParseBlockBody("endblock"), out _));
        TakeName(name);
        return _blocks.TryAdd(name, block) ? block : throw Error($"block '{name}' defined twice", line);
    }

    // What it names is never loaded, so its words are only skipped.
    private ExternalTemplate ParseExternal(Token tag)
    {
        ParseExpression();
        while (Current.Kind is not (TokenKind.CloseTag or TokenKind.End))
        {
            Advance();
        }

        return new ExternalTemplate(tag.Line, tag.Text);
    }
}

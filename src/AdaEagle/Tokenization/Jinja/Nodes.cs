namespace AdaEagle.Tokenization.Jinja;

/// <summary>An expression of a template. It knows how deep it is, since the interpreter recurses into it.</summary>
internal abstract class Expression
{
    /// <summary>Levels of one expression; Python's own parser gives up at 200 as well.</summary>
    public const int MaximumDepth = 200;

    protected Expression(int line, params ReadOnlySpan<Expression?> children)
    {
        Line = line;
        foreach (Expression? child in children)
        {
            Depth = Math.Max(Depth, child?.Depth + 1 ?? 0);
        }

        if (Depth > MaximumDepth)
        {
            throw new ChatTemplateException($"An expression nests deeper than {MaximumDepth} levels.", line);
        }
    }

    public int Line { get; }

    public int Depth { get; }
}

internal sealed class Literal(int line, Value value) : Expression(line)
{
    public Value Value => value;
}

internal sealed class Name(int line, string id) : Expression(line)
{
    public string Id => id;
}

internal sealed class ListLiteral(int line, Expression[] items, bool isTuple) : Expression(line, items)
{
    public Expression[] Items => items;

    public bool IsTuple => isTuple;
}

internal sealed class DictLiteral(int line, Expression[] keys, Expression[] values) : Expression(line, [.. keys, .. values])
{
    public Expression[] Keys => keys;

    public Expression[] Values => values;
}

/// <summary><c>target.name</c></summary>
internal sealed class AttributeOf(int line, Expression target, string name) : Expression(line, target)
{
    public Expression Target => target;

    public string Name => name;
}

/// <summary><c>target[index]</c></summary>
internal sealed class ItemOf(int line, Expression target, Expression index) : Expression(line, target, index)
{
    public Expression Target => target;

    public Expression Index => index;
}

/// <summary><c>start:stop:step</c> inside brackets.</summary>
internal sealed class Slice(int line, Expression? start, Expression? stop, Expression? step) : Expression(line, start, stop, step)
{
    public Expression? Start => start;

    public Expression? Stop => stop;

    public Expression? Step => step;
}

/// <summary>The arguments of a call, a filter or a test, as written.</summary>
internal sealed record ArgumentList(Expression[] Positional, KeyValuePair<string, Expression>[] Named, Expression? Star, Expression? DoubleStar)
{
    public static readonly ArgumentList Empty = new([], [], null, null);

    public Expression?[] All => [.. Positional, .. Named.Select(pair => pair.Value), Star, DoubleStar];
}

internal sealed class Call(int line, Expression target, ArgumentList arguments) : Expression(line, [target, .. arguments.All])
{
    public Expression Target => target;

    public ArgumentList Arguments => arguments;
}

/// <summary><c>target | name(arguments)</c>; the target is null in a filter or set block, whose body it is.</summary>
internal sealed class FilterOf(int line, Expression? target, string name, ArgumentList arguments) : Expression(line, [target, .. arguments.All])
{
    public Expression? Target => target;

    public string Name => name;

    public ArgumentList Arguments => arguments;
}

/// <summary><c>target is name(arguments)</c></summary>
internal sealed class TestOf(int line, Expression target, string name, ArgumentList arguments) : Expression(line, [target, .. arguments.All])
{
    public Expression Target => target;

    public string Name => name;

    public ArgumentList Arguments => arguments;
}

/// <summary><c>then if test else otherwise</c></summary>
internal sealed class Conditional(int line, Expression test, Expression then, Expression? otherwise) : Expression(line, test, then, otherwise)
{
    public Expression Test => test;

    public Expression Then => then;

    public Expression? Otherwise => otherwise;
}

/// <summary><c>and</c>, <c>or</c></summary>
internal sealed class Logic(int line, bool isAnd, Expression left, Expression right) : Expression(line, left, right)
{
    public bool IsAnd => isAnd;

    public Expression Left => left;

    public Expression Right => right;
}

/// <summary><c>not</c>, <c>-</c>, <c>+</c></summary>
internal sealed class Unary(int line, string operation, Expression operand) : Expression(line, operand)
{
    public string Operation => operation;

    public Expression Operand => operand;
}

internal sealed class Binary(int line, string operation, Expression left, Expression right) : Expression(line, left, right)
{
    public string Operation => operation;

    public Expression Left => left;

    public Expression Right => right;
}

/// <summary><c>a ~ b ~ …</c></summary>
internal sealed class Concatenation(int line, Expression[] parts) : Expression(line, parts)
{
    public Expression[] Parts => parts;
}

/// <summary><c>a &lt; b == c in d …</c>: every neighbouring pair has to hold.</summary>
internal sealed class Comparison(int line, Expression first, string[] operations, Expression[] operands) : Expression(line, [first, .. operands])
{
    public Expression First => first;

    public string[] Operations => operations;

    public Expression[] Operands => operands;
}

/// <summary>What a value is assigned to: a name, an attribute of a namespace, or a tuple of targets.</summary>
internal abstract record Target;

internal sealed record NameTarget(string Name) : Target;

internal sealed record AttributeTarget(string Namespace, string Attribute) : Target;

internal sealed record TupleTarget(Target[] Items) : Target;

/// <summary>A statement; <paramref name="Line"/> is where its tag stands.</summary>
internal abstract record Statement(int Line);

internal sealed record TextOutput(int Line, string Text) : Statement(Line);

internal sealed record Output(int Line, Expression Value) : Statement(Line);

internal sealed record If(int Line, IReadOnlyList<(Expression Test, IReadOnlyList<Statement> Body)> Branches, IReadOnlyList<Statement> Else) : Statement(Line);

internal sealed record For(int Line, Target Target, Expression Items, Expression? Test, bool IsRecursive, IReadOnlyList<Statement> Body, IReadOnlyList<Statement> Else) : Statement(Line);

internal sealed record LoopControl(int Line, bool IsBreak) : Statement(Line);

internal sealed record Assign(int Line, Target Target, Expression Value) : Statement(Line);

internal sealed record AssignBlock(int Line, Target Target, FilterOf? Filter, IReadOnlyList<Statement> Body) : Statement(Line);

/// <summary>Parameters of a macro with their defaults, and which special variables its body reads.</summary>
internal sealed record MacroSignature(string[] Names, Expression?[] Defaults)
{
    public bool TakesVarargs { get; init; }

    public bool TakesKwargs { get; init; }

    public bool TakesCaller { get; init; }
}

internal sealed record MacroDefinition(int Line, string Name, MacroSignature Signature, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record CallBlock(int Line, Call Call, MacroSignature Signature, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record FilterBlock(int Line, FilterOf Filter, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record With(int Line, IReadOnlyList<(Target Target, Expression Value)> Bindings, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record Autoescape(int Line, Expression Value, IReadOnlyList<Statement> Body) : Statement(Line);

/// <summary><c>block</c>: without inheritance just its body, in the scope of the template.</summary>
internal sealed record Block(int Line, string Name, bool IsScoped, IReadOnlyList<Statement> Body) : Statement(Line);

/// <summary><c>generation</c>: marks what the assistant says.</summary>
internal sealed record Generation(int Line, IReadOnlyList<Statement> Body) : Statement(Line);

/// <summary><c>include</c>, <c>import</c>, <c>from</c>, <c>extends</c>: there is no other template to load.</summary>
internal sealed record ExternalTemplate(int Line, string Tag) : Statement(Line);

/// <summary>A parsed template.</summary>
internal sealed record TemplateTree(IReadOnlyList<Statement> Body, IReadOnlyDictionary<string, Block> Blocks);

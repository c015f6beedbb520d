using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace AdaEagle.Cli.Arguments;

/// <summary>Options whose values are checked at the command line, with messages that say what is allowed.</summary>
internal static class Values
{
    /// <summary>An option that is there or not; it takes no word after it, so a prompt may be "true".</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>A whole number from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public static Option<int> Whole(string name, string description, int usual, int least, int most = int.MaxValue) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => usual,
        CustomParser = result => Parse(
            result, int.TryParse(Text(result), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most, value,
            most == int.MaxValue ? $"a whole number, {least} or more" : $"a whole number from {least} to {most}"),
    };

    /// <summary>A number that <paramref name="allows"/>; <paramref name="allowed"/> says which.</summary>
    public static Option<float> Real(string name, string description, float usual, Func<float, bool> allows, string allowed) => new(name)
    {
        Description = description,
        HelpName = "X",
        DefaultValueFactory = _ => usual,
        CustomParser = result => Parse(
            result, float.TryParse(Text(result), NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value) && allows(value), value, allowed),
    };

    /// <summary>A seed.</summary>
    public static Option<ulong> Seed(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => 0,
        CustomParser = result => Parse(
            result, ulong.TryParse(Text(result), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value), value, $"a whole number from 0 to {ulong.MaxValue}"),
    };

    /// <summary>One of some values of an enumeration, by their names in lower case; null if it isn't given.</summary>
    public static Option<T?> OptionalChoice<T>(string name, string description, IReadOnlyList<T> allowed)
        where T : struct, Enum
    {
        string[] names = [.. allowed.Select(value => value.ToString().ToLowerInvariant())];
        return new(name)
        {
            Description = description,
            HelpName = string.Join("|", names),
            CustomParser = result =>
            {
                int index = Array.IndexOf(names, Text(result).ToLowerInvariant());
                return Parse<T?>(result, index >= 0, index < 0 ? null : allowed[index], $"one of: {string.Join(", ", names)}");
            },
        };
    }

    /// <summary>One of the names of an enumeration, in lower case.</summary>
    public static Option<T> Choice<T>(string name, string description, T usual)
        where T : struct, Enum
    {
        string[] names = [.. Enum.GetNames<T>().Select(value => value.ToLowerInvariant())];
        return new(name)
        {
            Description = description,
            HelpName = string.Join("|", names),
            DefaultValueFactory = _ => usual,
            CustomParser = result =>
            {
                int index = Array.IndexOf(names, Text(result));
                return Parse(result, index >= 0, index < 0 ? default : Enum.GetValues<T>()[index], $"one of: {string.Join(", ", names)}");
            },
        };
    }

    /// <summary>Whole numbers of percent, 0 to 100, with commas between, each once; null if it isn't given.</summary>
    public static Option<IReadOnlyList<int>?> Percents(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "P[,P…]",
        CustomParser = result =>
        {
            int[] values = [.. Text(result).Split(',').Select(text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : -1)];
            bool isAllowed = values.All(value => value is >= 0 and <= 100) && values.Distinct().Count() == values.Length;
            return Parse<IReadOnlyList<int>>(result, isAllowed, values, "whole numbers of percent from 0 to 100 with commas between, each once");
        },
    };

    private static string Text(ArgumentResult result) => result.Tokens[0].Value;

    private static T? Parse<T>(ArgumentResult result, bool isAllowed, T value, string allowed)
    {
        if (!isAllowed)
        {
            string name = result.Parent is OptionResult option ? option.Option.Name : result.Argument.Name;
            result.AddError($"{name} is '{Text(result)}'; it must be {allowed}.");
        }

        return value;
    }
}

using System.CommandLine;
using System.CommandLine.Parsing;

namespace Native.Benchmarks;

/// <summary>What is wrong with a command line, in one sentence, with the nearest name where a name is wrong.</summary>
internal static class CommandLineErrors
{
    /// <summary>Throws a <see cref="UsageException"/> for the first mistake.</summary>
    public static void Check(ParseResult parse)
    {
        var result = parse.CommandResult;
        string path = Path(result);
        UnknownOptions(parse, path);
        Repeated(parse, path);
        if (parse.UnmatchedTokens.Count > 0)
            throw Unmatched(parse, result, path);
        if (parse.Errors.Count > 0)
            throw Describe(parse.Errors[0], result.Command, path);
    }

    // The parser takes an unknown --option for a value when the command has room for one, so the tokens are looked at first.
    private static void UnknownOptions(ParseResult parse, string path)
    {
        Token? before = null;
        foreach (var token in parse.Tokens)
        {
            if (token.Type == TokenType.DoubleDash)
                return;
            if (token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value[0] == '-' && !char.IsAsciiDigit(token.Value[1]))
                throw before is { Type: TokenType.Option } && Known(parse.CommandResult).Contains(token.Value)
                    ? new UsageException($"{path}: {before.Value} needs a value before {token.Value}. See '{path} --help'.")
                    : UnknownOption(token.Value, parse.CommandResult, path);
            before = token;
        }
    }

    // The parser takes the last value of some and refuses others with a sentence about the value.
    private static void Repeated(ParseResult parse, string path)
    {
        var twice = parse.Tokens.TakeWhile(t => t.Type != TokenType.DoubleDash).Where(t => t.Type == TokenType.Option && !Repeatable(t, parse))
            .GroupBy(t => t.Value, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
            throw new UsageException($"{path}: {twice.Key} is given {twice.Count()} times. Give it once.");
    }

    private static bool Repeatable(Token option, ParseResult parse) =>
        parse.CommandResult.Command.Options.Any(o => o.Name == option.Value && o.Arity.MaximumNumberOfValues > 1);

    private static List<string> Known(CommandResult result)
    {
        var known = new List<string>();
        for (SymbolResult? at = result; at is CommandResult c; at = at.Parent)
            known.AddRange(c.Command.Options.Where(o => !o.Hidden && (o.Recursive || ReferenceEquals(c, result))).Select(o => o.Name));
        return known;
    }

    private static UsageException UnknownOption(string given, CommandResult result, string path)
    {
        string name = given.Split('=')[0];
        return new UsageException($"{path}: {name} is not an option.{DidYouMean(name, Known(result))} See '{path} --help'.");
    }

    private static UsageException Unmatched(ParseResult parse, CommandResult result, string path)
    {
        string token = parse.UnmatchedTokens[0];
        var verbs = Verbs(result.Command);
        if (verbs.Count > 0)
            return new UsageException($"{path}: '{token}' is not a verb; there are {string.Join(", ", verbs)}.{DidYouMean(token, verbs)}");
        // --switch=word and --switch word look alike from here.
        int at = parse.Tokens.ToList().FindIndex(t => t.Type == TokenType.Argument && t.Value == token);
        return at > 0 && parse.Tokens[at - 1] is { Type: TokenType.Option, Value: var before }
            ? new UsageException($"{path}: {before} is a switch and takes no value; got '{token}'. Leave the value out.")
            : new UsageException($"{path}: '{token}' is one argument too many. See '{path} --help'.");
    }

    private static UsageException Describe(ParseError error, Command command, string path)
    {
        switch (error.SymbolResult)
        {
            case OptionResult { Option: var option } when error.SymbolResult.Tokens.Count == 0:
                return new UsageException($"{path}: {option.Name} needs a value. See '{path} --help'.");
            case OptionResult { Option: var option }:
                return Value(option.Name, option.ValueType, error.SymbolResult.Tokens[^1].Value, path);
            case ArgumentResult { Argument: var argument } when error.SymbolResult.Tokens.Count == 0:
                return new UsageException($"{path}: {argument.Name} is missing. See '{path} --help'.");
            case ArgumentResult { Parent: OptionResult { Option: var option } }:
                return Value(option.Name, option.ValueType, error.SymbolResult.Tokens[^1].Value, path);
        }
        var verbs = Verbs(command);
        if (verbs.Count > 0)
            return new UsageException($"{path}: a verb is missing; there are {string.Join(", ", verbs)}.");
        if (command.Arguments.Count > 0 && error.SymbolResult is CommandResult)
            return new UsageException($"{path}: {command.Arguments[0].Name} is missing. See '{path} --help'.");
        return new UsageException($"{path}: {error.Message}");
    }

    private static UsageException Value(string option, Type type, string given, string path)
    {
        string wanted = Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) switch
        {
            TypeCode.UInt64 => "a whole number of 0 or more",
            TypeCode.Int32 or TypeCode.Int64 => "a whole number",
            TypeCode.Double => "a number",
            TypeCode.Boolean => "true or false",
            _ => "a value it takes",
        };
        return new UsageException($"{path}: {option} takes {wanted}; got '{given}'.");
    }

    private static List<string> Verbs(Command command) => [.. command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)];

    private static string DidYouMean(string given, IEnumerable<string> known) => Nearest.Of(given, known) is { } near ? $" Did you mean {near}?" : "";

    private static string Path(CommandResult result)
    {
        var names = new List<string>();
        for (SymbolResult? at = result; at is CommandResult c; at = at.Parent)
            names.Add(c.Command is RootCommand ? "native" : c.Command.Name);
        names.Reverse();
        return string.Join(' ', names);
    }
}

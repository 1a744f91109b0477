namespace Native.Tests;

/// <summary>
/// Which tests to run, in the words of dotnet test: <c>PROPERTY=VALUE</c>, <c>!=</c>, <c>~</c> (contains), <c>!~</c>, joined by <c>&amp;</c> and <c>|</c>, of which
/// the first binds tighter; parentheses are not understood. A property is FullyQualifiedName, DisplayName or a trait such as Category; a bare word is contained in the first.
/// </summary>
internal sealed class TestFilter
{
    private static readonly string[] Operators = ["!=", "!~", "=", "~"];

    private readonly Condition[][] _any;

    private TestFilter(Condition[][] any) => _any = any;

    /// <summary>Takes every test.</summary>
    public static TestFilter All { get; } = new([[]]);

    /// <summary>Reads an expression.</summary>
    /// <exception cref="UsageException">A part of it is no condition.</exception>
    public static TestFilter Parse(string expression) => new([.. expression.Split('|').Select(all => all.Split('&').Select(Read).ToArray())]);

    /// <summary>Whether it takes a test.</summary>
    public bool Takes(string fullName, string displayName, Dictionary<string, List<string>> traits) =>
        _any.Any(all => all.All(c => c.Holds(Values(c.Property, fullName, displayName, traits))));

    private static List<string> Values(string property, string fullName, string displayName, Dictionary<string, List<string>> traits) => property switch
    {
        "FullyQualifiedName" => [fullName],
        "DisplayName" => [displayName],
        _ => traits.TryGetValue(property, out var values) ? values : [],
    };

    private static Condition Read(string text)
    {
        text = text.Trim();
        if (text.IndexOfAny(['(', ')']) >= 0)
            throw new UsageException($"tests: '{text}': this filter has no parentheses. Write a|b&c, which means a or (b and c).");
        foreach (string op in Operators)
        {
            int at = text.IndexOf(op, StringComparison.Ordinal);
            if (at > 0 && at + op.Length < text.Length)
                return new(text[..at].Trim(), text[(at + op.Length)..].Trim(), op[^1] == '~', op[0] == '!');
        }
        if (text.Length == 0 || Operators.Any(op => text.Contains(op, StringComparison.Ordinal)))
            throw new UsageException($"tests: '{text}' is no condition. Write PROPERTY=VALUE, with =, !=, ~ or !~, or a part of a name.");
        return new("FullyQualifiedName", text, Contains: true, Not: false);
    }

    private sealed record Condition(string Property, string Value, bool Contains, bool Not)
    {
        public bool Holds(List<string> values) =>
            Not != values.Any(v => Contains ? v.Contains(Value, StringComparison.OrdinalIgnoreCase) : v.Equals(Value, StringComparison.OrdinalIgnoreCase));
    }
}

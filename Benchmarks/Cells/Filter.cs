namespace Native.Benchmarks;

/// <summary>
/// <c>--only</c>: names separated by commas, <c>*</c> for any characters, small and capital letters alike. What matches as a whole is one name, commas included: rows
/// of papers have them.
/// </summary>
internal sealed class Filter
{
    private readonly string _whole;
    private readonly string[] _parts;

    public Filter(string text)
    {
        _whole = text;
        _parts = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (_parts.Length == 0)
            throw new UsageException("only: no name is given. Name methods, streams, tables or rows, separated by commas.");
    }

    /// <summary>Whether any of the names is meant.</summary>
    public bool Matches(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (string.Equals(name, _whole, StringComparison.OrdinalIgnoreCase) || _parts.Any(p => Fits(p, name)))
                return true;
        return false;
    }

    /// <inheritdoc/>
    public override string ToString() => _whole;

    // A name that fits as it stands needs no star to mean itself: some rows contain one.
    private static bool Fits(string pattern, string name) => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.Replace("\\", "\\\\", StringComparison.Ordinal), name);
}

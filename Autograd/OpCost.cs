using System.Text.RegularExpressions;

namespace Native;

/// <summary>What one application of an operation takes at the least, whatever computes it: the roof that its time is measured against.</summary>
/// <param name="Flops">Useful floating-point operations. An elementary function and a comparison count as one; padding and repeated work do not count.</param>
/// <param name="Bytes">Every element of the inputs that is needed read once (broadcasts are stored once), every element of the outputs written once.</param>
/// <param name="NoFlops">Why there are no operations; null when there are.</param>
public readonly partial record struct OpCost(long Flops, long Bytes, string? NoFlops = null)
{
    /// <summary>So many operations, and all inputs and outputs.</summary>
    internal static OpCost Of(long flops, Inputs x, Outputs y) => new(flops, BytesOf(x) + BytesOf(y));

    /// <summary>No operation; all inputs and outputs.</summary>
    internal static OpCost Moves(Inputs x, Outputs y) => new(0, BytesOf(x) + BytesOf(y), "moves numbers, computes none");

    /// <summary>No operation; the outputs' elements read from somewhere and written, besides an index.</summary>
    internal static OpCost Picks(Tensor index, Outputs y) => new(0, BytesOf(index) + 2 * BytesOf(y), "moves numbers, computes none");

    /// <summary>Bytes that the elements of a tensor occupy, those that a broadcast repeats once.</summary>
    internal static long BytesOf(Tensor t)
    {
        long count = 1;
        for (int d = 0; d < t.Rank; d++)
            count *= t.Layout.Strides[d] == 0 ? Math.Min(1, t.Layout.Dims[d]) : t.Layout.Dims[d];
        return count * t.DType.Size();
    }

    /// <summary>
    /// Operations in the text of a kernel: its operators, comparisons and calls. A part in parentheses that occurs twice is computed once.
    /// </summary>
    internal static int FlopsOf(string cuda)
    {
        string text = Constants().Replace(cuda.Replace("<T>", "", StringComparison.Ordinal), "k");
        var parts = new Dictionary<string, string>(StringComparer.Ordinal);
        int flops = 0;
        while (Innermost().Match(text) is { Success: true } part)
        {
            if (!parts.TryGetValue(part.Value, out string? known))
            {
                parts.Add(part.Value, known = $"part{parts.Count}");
                // A function without arguments is a constant, T a conversion.
                flops += Operators().Count(part.Groups["inside"].Value) + (part.Groups["function"].Value is not ("" or "T") && part.Groups["inside"].Length > 0 ? 1 : 0);
            }
            text = text.Replace(part.Value, known, StringComparison.Ordinal);
        }
        return flops + Operators().Count(text);
    }

    private static long BytesOf(Inputs x)
    {
        long bytes = 0;
        foreach (var t in x.Span)
            bytes += t is null ? 0 : BytesOf(t);
        return bytes;
    }

    private static long BytesOf(Outputs y)
    {
        long bytes = 0;
        for (int i = 0; i < y.Count; i++)
            bytes += BytesOf(y[i]);
        return bytes;
    }

    // T(0), T(-50), 0.5
    [GeneratedRegex(@"\bT\(-?[0-9.]+\)|\b[0-9]+(\.[0-9]+)?\b", RegexOptions.ExplicitCapture)]
    private static partial Regex Constants();

    [GeneratedRegex(@"(?<function>\b[A-Za-z_]\w*)?\((?<inside>[^()]*)\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Innermost();

    [GeneratedRegex("[<>=!]=|[-+*/<>]")]
    private static partial Regex Operators();
}

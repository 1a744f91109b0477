using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// Every argument check of the library, so that messages have one form:
/// <c>{op}: {what is wrong}; {operands}; {numbers}. {what to do}</c>. Each returns what the caller needs next.
/// </summary>
internal static class Check
{
    /// <summary>Floating point only: the operation is not defined, or not differentiable, on the others.</summary>
    public static void Float(Tensor x, string op, string name = "input")
    {
        if (!x.DType.IsFloat())
            throw new DTypeException($"{op}: needs f32 or f64; {name} = {x.Describe()}. Convert it with .To(DType.F32).");
    }

    /// <summary>One of a list of dtypes.</summary>
    public static void DTypeIs(Tensor x, DType want, string op, string name)
    {
        if (x.DType != want)
            throw new DTypeException($"{op}: {name} must be {want.Name()}; {name} = {x.Describe()}. Convert it with .To(DType.{want}).");
    }

    /// <summary>Equal dtypes; there is no silent promotion between tensors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SameDType(Tensor a, Tensor b, string op, string an = "lhs", string bn = "rhs")
    {
        if (a.DType != b.DType)
            DTypesDiffer(a, b, op, an, bn);
    }

    [DoesNotReturn]
    private static void DTypesDiffer(Tensor a, Tensor b, string op, string an, string bn) =>
        throw new DTypeException($"{op}: operands have different dtypes; {an} = {a.Describe()}, {bn} = {b.Describe()}. Convert one with .To(DType.{a.DType}).");

    /// <summary>Equal devices; there is no silent transfer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SameDevice(Tensor a, Tensor b, string op, string an = "lhs", string bn = "rhs")
    {
        if (!ReferenceEquals(a.Device, b.Device))
            DevicesDiffer(a, b, op, an, bn);
    }

    [DoesNotReturn]
    private static void DevicesDiffer(Tensor a, Tensor b, string op, string an, string bn) =>
        throw new DeviceException($"{op}: operands live on different devices; {an} = {a.Describe()}, {bn} = {b.Describe()}. Move one with .To(device).");

    /// <summary>The shape two operands broadcast to.</summary>
    public static Layout Broadcast(Tensor a, Tensor b, string op, string an = "lhs", string bn = "rhs")
    {
        if (Shape.Broadcast(a.Shape, b.Shape) is { } shape)
            return Layout.Of(shape);
        for (int i = 1; ; i++)
        {
            long p = a.Shape.Span[^i], q = b.Shape.Span[^i];
            if (p != q && p != 1 && q != 1)
                throw new ShapeException($"{op}: shapes do not broadcast; {an} = {a.Describe()}, {bn} = {b.Describe()}; {an}.dim({a.Rank - i})={p}, {bn}.dim({b.Rank - i})={q}. Dims must be equal or 1.");
        }
    }

    /// <summary>Turns a dim that may count from the end into 0..rank-1.</summary>
    public static int Dim(int dim, int rank, Tensor x, string op, string name = "input")
    {
        int d = dim < 0 ? dim + rank : dim;
        if (d < 0 || d >= rank)
            throw new ShapeException($"{op}: dim {dim} is out of range; {name} = {x.Describe()}, which has {rank} dims. {(rank == 0 ? "A scalar has none." : $"Use {-rank}..{rank - 1}.")}");
        return d;
    }

    /// <summary>Exactly this rank.</summary>
    public static void Rank(Tensor x, int rank, string op, string name, string meaning)
    {
        if (x.Rank != rank)
            throw new ShapeException($"{op}: {name} must have {rank} dims {meaning}; {name} = {x.Describe()} has {x.Rank}.");
    }

    /// <summary>Exactly this shape.</summary>
    public static void ShapeIs(Tensor x, Shape want, string op, string name)
    {
        if (x.Shape != want)
            throw new ShapeException($"{op}: {name} must have shape {want}; {name} = {x.Describe()}.");
    }

    /// <summary>A condition with a message of the caller's; the text is not built unless it fails.</summary>
    public static void That([DoesNotReturnIf(false)] bool ok, string op, [InterpolatedStringHandlerArgument(nameof(ok))] ref FailureText message)
    {
        if (!ok)
            throw new ShapeException($"{op}: {message.Text}");
    }

    /// <summary>A condition with a constant message.</summary>
    public static void That([DoesNotReturnIf(false)] bool ok, string op, string message)
    {
        if (!ok)
            throw new ShapeException($"{op}: {message}");
    }
}

/// <summary>An interpolated message that is assembled only when the condition before it is false: checks on the hot path cost a branch.</summary>
[InterpolatedStringHandler]
internal ref struct FailureText
{
    private DefaultInterpolatedStringHandler _text;

    public FailureText(int literalLength, int formattedCount, bool ok, out bool wanted)
    {
        wanted = !ok;
        _text = ok ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount);
    }

    public string Text => _text.ToStringAndClear();

    public void AppendLiteral(string value) => _text.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
}

/// <summary>The nearest of a list of names, for "did you mean".</summary>
public static class Nearest
{
    /// <summary>The candidate with the smallest edit distance, when it is close enough to be meant; else null.</summary>
    public static string? Of(string name, IEnumerable<string> candidates)
    {
        string? best = null;
        int bestDistance = Math.Max(2, name.Length / 3) + 1;
        foreach (string c in candidates)
        {
            int d = Distance(name.ToLowerInvariant(), c.ToLowerInvariant());
            // As many edits as letters: nothing of one is in the other.
            if (d < bestDistance && d < Math.Max(name.Length, c.Length))
                (best, bestDistance) = (c, d);
        }
        return best;
    }

    // Levenshtein, one row at a time.
    private static int Distance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++)
            row[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}

using System.Text;

namespace Native;

/// <summary>How tensors look: one line of facts, then values in NumPy's nesting, corners only when there are many.</summary>
internal static class TensorPrint
{
    private const int EdgeItems = 3;
    private const int SmallCount = 64;

    public static string Summary(Tensor t)
    {
        string head = Head(t);
        return t.IsAlive && t.Count <= 8 ? $"{head} {Values(t, full: true)}" : head;
    }

    public static string Print(Tensor t, bool full) => t.IsAlive ? $"{Head(t)}\n{Values(t, full)}" : Head(t);

    private static string Head(Tensor t)
    {
        var s = new StringBuilder(t.Describe());
        if (!t.IsAlive)
            return s.Append(" freed").ToString();
        if (t.GradFn is { } f)
            s.Append(" grad_fn=").Append(f.Name);
        else if (t.RequiresGrad)
            s.Append(" leaf requires_grad");
        if (!t.IsContiguous)
            s.Append(" strides ").Append(Shape.Format(t.Layout.Strides));
        return s.ToString();
    }

    private static string Values(Tensor t, bool full)
    {
        var s = new StringBuilder();
        if (t.Device.IsCpu)
        {
            Append(s, t, t.Layout, full || t.Count <= SmallCount, 0);
            return s.ToString();
        }
        using var near = t.OnHost();
        Append(s, near, near.Layout, full || t.Count <= SmallCount, 0);
        return s.ToString();
    }

    private static void Append(StringBuilder s, Tensor t, Layout at, bool full, int indent)
    {
        if (at.Rank == 0)
        {
            s.Append(Element(t, at.Offset));
            return;
        }
        s.Append('[');
        long n = at.Dims[0];
        for (long i = 0; i < n; i++)
        {
            if (i > 0)
                s.Append(at.Rank == 1 ? ", " : ",\n" + new string(' ', indent + 1));
            if (!full && n > 2 * EdgeItems && i == EdgeItems)
            {
                s.Append("...");
                i = n - EdgeItems - 1;
                continue;
            }
            Append(s, t, at.Select(0, i), full, indent + 1);
        }
        s.Append(']');
    }

    private static unsafe string Element(Tensor t, long at)
    {
        nint p = t.Storage.Pointer;
        return t.DType switch
        {
            DType.F32 => ((float*)p)[at].ToString("G6"),
            DType.F64 => ((double*)p)[at].ToString("G8"),
            DType.I32 => ((int*)p)[at].ToString(),
            DType.I64 => ((long*)p)[at].ToString(),
            DType.U8 => ((byte*)p)[at].ToString(),
            _ => ((byte*)p)[at] != 0 ? "true" : "false",
        };
    }
}

using System.Text;

namespace Native;

/// <summary>
/// A pointwise row on a GPU. Every row gives two kernels, one for operands that are dense or one number, one for any strides; all rows of an element
/// type are one program, so that the compiler starts once. A row that comes when that program has been put together is a program of its own.
/// </summary>
internal sealed class PointwiseCuda
{
    private static readonly DType[] Types = [DType.F32, DType.F64, DType.I32, DType.I64, DType.U8];

    // Kernels are called after rows, so that a name stands for one formula.
    private static readonly Dictionary<string, (PointwiseKernel Row, KernelFamily Family)> Rows = new(StringComparer.Ordinal);

    private static readonly KernelFamily Family = new("pointwise", Text, Types);

    private static bool together;

    // What one thread loads at a time: nat_pack.
    private const int PackBytes = 16;

    private readonly CudaKernel _dense, _strided;
    private readonly string _name;

    public PointwiseCuda(PointwiseKernel row)
    {
        _name = row.Name;
        var family = FamilyOf(row);
        _dense = new CudaKernel(family, $"pointwise_{row.Name}_dense");
        _strided = new CudaKernel(family, $"pointwise_{row.Name}_strided");
    }

    /// <summary>y = f(a, b, c; p, q) as <see cref="PointwiseKernel.Run"/>.</summary>
    public void Run(Tensor y, Tensor a, Tensor? b, Tensor? c, double p, double q)
    {
        int n = Launch.Int(y.Count, _name);
        if (Step(a, y) is { } stepA && Step(b, y) is { } stepB && Step(c, y) is { } stepC)
        {
            DenseArgs args = new() { Y = Launch.At(y), A = Launch.At(a), B = At(b), C = At(c), P = p, Q = q, N = n, StepA = stepA, StepB = stepB, StepC = stepC };
            int width = PackBytes / y.DType.Size();
            if ((args.Y | (args.A * stepA) | (args.B * stepB) | (args.C * stepC)) % PackBytes == 0)
                args.Packed = n / width * width;
            Launch.Run(y.Device, _dense, y.DType, Launch.Over(y.Device, args.Packed > 0 ? n / width : n), args);
            return;
        }
        StridedArgs strided = new()
        {
            Y = Launch.At(y),
            A = Launch.At(a),
            B = At(b),
            C = At(c),
            P = p,
            Q = q,
            N = n,
            LayoutA = Layout(a, y),
            LayoutB = Layout(b, y),
            LayoutC = Layout(c, y),
        };
        Launch.Run(y.Device, _strided, y.DType, Launch.Over(y.Device, n), strided);
    }

    /// <summary>Address of an operand's first element; an absent one has none.</summary>
    public static nint At(Tensor? t) => t is null ? 0 : Launch.At(t);

    /// <summary>1 when it is walked like the dense y, 0 when it is one number (or absent), null when its strides are its own.</summary>
    public static int? Step(Tensor? t, Tensor y) => t is null || t.Count == 1 ? 0 : t.Layout.IsDense && t.Layout.SameShape(y.Layout) ? 1 : null;

    /// <summary>How an operand is walked along with y.</summary>
    public static Strided Layout(Tensor? t, Tensor y) => t is null || t.Count == 1
        ? new Strided(Native.Layout.Scalar)
        : new Strided(t.Layout.SameShape(y.Layout) ? t.Layout : t.Layout.Expand(y.Shape)
            ?? throw new KernelException($"pointwise: {t.Describe()} does not broadcast to {y.Shape}."));

    private static KernelFamily FamilyOf(PointwiseKernel row)
    {
        lock (Rows)
        {
            if (!Rows.TryGetValue(row.Name, out var known))
            {
                var family = together ? new KernelFamily($"pointwise_{row.Name}", t => Text(t, [row]), [.. Types.Where(row.Takes)]) : Family;
                Rows.Add(row.Name, known = (row, family));
            }
            if (known.Row.Cuda != row.Cuda || known.Row.Domain != row.Domain)
                throw new KernelException($"pointwise: two rows are called '{row.Name}', one for '{known.Row.Cuda}' and one for '{row.Cuda}'. Kernels are called after them: rename one.");
            return known.Family;
        }
    }

    private static string Text(DType dtype)
    {
        lock (Rows)
        {
            together |= Rows.Count > 0;
            return Text(dtype, [.. Rows.Values.Where(r => ReferenceEquals(r.Family, Family) && r.Row.Takes(dtype)).Select(r => r.Row).OrderBy(r => r.Name, StringComparer.Ordinal)]);
        }
    }

    private static string Text(DType dtype, PointwiseKernel[] rows)
    {
        var s = new StringBuilder(KernelFamily.Resource("pointwise.cu"));
        foreach (var row in rows)
            s.Append("POINTWISE(").Append(row.Name).Append(", (T)(").Append(row.Cuda).AppendLine("))").Append(Kernels(row.Name));
        return s.ToString();
    }

    private static string Kernels(string row) =>
        $"KERNEL(pointwise_{row}_dense, PointwiseDense) {{ nat_dense<fn_{row}>(args); }}\nKERNEL(pointwise_{row}_strided, PointwiseStrided) {{ nat_strided<fn_{row}>(args); }}\n";

    private struct DenseArgs
    {
        public nint Y, A, B, C;
        public double P, Q;
        public int N, Packed, StepA, StepB, StepC;
    }

    private struct StridedArgs
    {
        public nint Y, A, B, C;
        public double P, Q;
        public int N;
        public Strided LayoutA, LayoutB, LayoutC;
    }
}

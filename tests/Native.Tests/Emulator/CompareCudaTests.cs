namespace Native.Tests;

/// <summary>Comparisons, choices and conversions on the emulator: the cpu's bits.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class CompareCudaTests
{
    private static readonly DType[] Ordered = [DType.F32, DType.F64, DType.I32, DType.I64, DType.U8];

    private static readonly Comparison[] Orders = [Comparison.Eq, Comparison.Ne, Comparison.Lt, Comparison.Le, Comparison.Gt, Comparison.Ge];

    // None, one, a tail of 1, 2 and 3, more than one block of 256 threads with four elements each.
    private static readonly Shape[] Shapes = [[0], [1], [], [5], [6], [7], [3, 4], [5, 7, 11], [41, 67]];

    [NeedsFact(GpuKit.Gxx)]
    public void Two_tensors_compare_as_on_the_cpu() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in Ordered)
            foreach (var shape in Shapes)
                foreach (var op in Orders)
                {
                    Tensor[] x = [Small(shape, dtype, 0), Small(shape, dtype, 1)];
                    Emulated.SameBits($"{op} {dtype} {shape}", t => Compare(op, t[0], t[1]), x, payloads: false, op == Comparison.Lt ? Enum.GetValues<Form>() : [Form.Dense]);
                }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Operands_broadcast_and_may_be_numbers() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in Ordered)
            foreach (var op in Orders)
            {
                Tensor[] x = [Small([9, 1, 5], dtype, 0), Small([70, 1], dtype, 1), Small([], dtype, 2)];
                Emulated.SameBits($"{op} {dtype} broadcast", t => Compare(op, t[0], t[1]), x);
                Emulated.SameBits($"{op} {dtype} scalar tensor", t => Compare(op, t[0], t[2]), x);
                Emulated.SameBits($"{op} {dtype} number", t => new CompareOp(op, 3).Apply(t[0]), x, payloads: false, Form.Dense, Form.Transposed);
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void An_operand_may_start_anywhere() => OpKit.OnFreshThread(() =>
    {
        // A view whose address is no multiple of four elements.
        foreach (var dtype in Ordered)
            for (int start = 1; start < 4; start++)
                Emulated.SameBits($"{dtype} from {start}", t => Compare(Comparison.Le, t[0].Slice(0, start, start + 1030), t[1].Slice(0, 0, 1030)), [Small([1040], dtype, 0), Small([1040], dtype, 1)]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Truth_values_connect() => OpKit.OnFreshThread(() =>
    {
        foreach (var form in Enum.GetValues<Form>())
        {
            Tensor[] x = [Small([37, 61], DType.U8, 0) >= 2, Small([37, 61], DType.U8, 1) >= 2];
            Emulated.SameBits("and", t => t[0] & t[1], x, payloads: false, form);
            Emulated.SameBits("or", t => t[0] | t[1], x, payloads: false, form);
            Emulated.SameBits("not", t => !t[0], x, payloads: false, form);
            Emulated.SameBits("eq", t => t[0].Eq(t[1]), x, payloads: false, form);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Where_moves_bits() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in Enum.GetValues<DType>())
            foreach (var shape in Shapes)
            {
                var condition = Small(shape, DType.U8, 3) >= 2;
                Tensor[] x = [condition, Small(shape, dtype, 0), Small(shape, dtype, 1)];
                Emulated.SameBits($"where {dtype} {shape}", t => Tensor.Where(t[0], t[1], t[2]), x, payloads: true, Enum.GetValues<Form>());
                Emulated.SameBits($"where {dtype} {shape} else 1", t => Tensor.Where(t[0], t[1], 1), x, payloads: true, Form.Dense, Form.Sliced);
                Emulated.SameBits($"where {dtype} {shape} then 1", t => Tensor.Where(t[0], 1, t[1]), x, payloads: true, Form.Dense, Form.Sliced);
            }
        Tensor[] broadcast = [Small([6, 1, 5], DType.U8, 3) >= 2, Small([70, 1], DType.F32, 0), Small([], DType.F32, 1)];
        Emulated.SameBits("where broadcast", t => Tensor.Where(t[0], t[1], t[2]), broadcast, payloads: true);
        Emulated.SameBits("where -0 and NaN", t => Tensor.Where(t[0], Tensor.Where(t[0], t[1], double.NaN), -0.0), broadcast, payloads: true);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Every_dtype_converts_to_every_other_as_on_the_cpu() => OpKit.OnFreshThread(() =>
    {
        foreach (var from in Enum.GetValues<DType>())
            foreach (var to in Enum.GetValues<DType>())
            {
                if (from == to)
                    continue;
                Emulated.SameBits($"{from} to {to}", t => t[0].To(to), [Edges(from)], payloads: false, Enum.GetValues<Form>());
                Emulated.SameBits($"{from} to {to}, none", t => t[0].To(to), [Tensor.Zeros([0, 3], from)]);
                Emulated.SameBits($"{from} to {to}, from element 3 on", t => t[0].Reshape(-1).Slice(0, 3, 1025).To(to), [Edges(from)]);
            }
    });

    private static Tensor Compare(Comparison op, Tensor a, Tensor b) => new CompareOp(op).Apply(a, b);

    // Few distinct values, so that all outcomes occur; floats with infinities, both zeros and NaN.
    private static Tensor Small(Shape shape, DType dtype, int seed)
    {
        double[] special = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 0.0, 3];
        var values = new double[shape.Count];
        for (int i = 0; i < values.Length; i++)
        {
            uint hash = (uint)((i * 4) + seed + 1) * 2654435761u;
            values[i] = dtype.IsFloat() && hash >> 30 == 0 ? special[(hash >> 16) % special.Length] : (hash >> 8) % (dtype == DType.Bool ? 2 : 5);
        }
        return SampleValues.ToTensor(values, shape, dtype);
    }

    // Values around the ends of every range, as far as the dtype holds them, repeated over more than a block.
    private static Tensor Edges(DType dtype)
    {
        double[] ends = [0, 1, 127, 128, 255, 256, 65536, 2147483647, 2147483648, 4294967296, 9007199254740991, 9223372036854775807, 1e19, 3e38, 4e38, 1e300];
        List<double> values = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 0.5, 0.99999, 1e-50, 16777217];
        foreach (double e in ends)
            foreach (double v in (double[])[e, -e, e + 0.5, e - 0.5, -e - 1, Math.BitIncrement(e), Math.BitDecrement(e)])
                values.Add(v);
        double[] many = [.. Enumerable.Range(0, 35 * 36).Select(i => values[i % values.Count])];
        Shape shape = [35, 36];
        return dtype switch
        {
            DType.F32 => Tensor.From(Array.ConvertAll(many, v => (float)v), shape),
            DType.F64 => Tensor.From(many, shape),
            DType.I32 => Tensor.From(Array.ConvertAll(many, int.CreateSaturating), shape),
            DType.I64 => Tensor.From(Array.ConvertAll(many, long.CreateSaturating), shape),
            DType.U8 => Tensor.From(Array.ConvertAll(many, byte.CreateSaturating), shape),
            _ => Tensor.From(Array.ConvertAll(many, v => v > 1), shape),
        };
    }
}

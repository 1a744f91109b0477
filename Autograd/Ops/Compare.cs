namespace Native;

/// <summary>An elementwise comparison (or connective of truth values) of two tensors, or of a tensor and a number.</summary>
internal sealed class CompareOp(Comparison op, double number = 0) : StructuredOp(op.ToString().ToLowerInvariant())
{
    /// <summary>What instances call themselves, by their parameters.</summary>
    internal static IEnumerable<string> Names() => Enum.GetNames<Comparison>().Select(n => n.ToLowerInvariant());

    public override string? NoDerivative => "bool output";

    public override OutputSpecs Infer(Inputs x)
    {
        if (x.Optional(1) is not { } b)
            return [new(x[0].Layout.Dense(), DType.Bool)];
        Check.SameDType(x[0], b, Name);
        return [new(Check.Broadcast(x[0], b, Name), DType.Bool)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(y[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => CompareKernels.Compare(op, y[0], x[0], x.Optional(1), number);

    public override Tensor?[] Backward(Tensor g, Saved s) => [];

    internal static IEnumerable<Sample> Samples()
    {
        (string, Func<Tensor, Tensor, Tensor>, Func<Tensor, double, Tensor>, Func<double, double, bool>)[] all =
        [
            ("eq", (a, b) => a.Eq(b), (a, b) => a.Eq(b), (a, b) => a == b), ("ne", (a, b) => a.Ne(b), (a, b) => a.Ne(b), (a, b) => a != b),
            ("lt", (a, b) => a < b, (a, b) => a < b, (a, b) => a < b), ("le", (a, b) => a <= b, (a, b) => a <= b, (a, b) => a <= b),
            ("gt", (a, b) => a > b, (a, b) => a > b, (a, b) => a > b), ("ge", (a, b) => a >= b, (a, b) => a >= b, (a, b) => a >= b),
        ];
        double[] few = [1, -2, 0, 2, 1, 0], tie = [0, -2, 0];
        // 67: one block and a tail.
        double[] many = [.. Enumerable.Range(0, 67).Select(i => (double)(i % 5))], others = [.. Enumerable.Range(0, 67).Select(i => (double)(i % 3))];
        foreach (var (name, tensors, number, truth) in all)
        {
            double Is(double a, double b) => truth(a, b) ? 1 : 0;
            yield return Constant($"{name}, rows", x => tensors(x[0], x[1]), Fixed([2, 3], few), Fixed([3], tie)) with { Reference = x => [[.. x[0].Select((a, i) => Is(a, x[1][i % 3]))]] };
            yield return Constant($"{name}, number", x => number(x[0], 1), Fixed([2, 3], few)) with { Reference = x => [[.. x[0].Select(a => Is(a, 1))]] };
            foreach (var dtype in new[] { DType.F32, DType.F64, DType.I32, DType.I64, DType.U8 })
                yield return Constant($"{name}, {dtype.Name()}", x => tensors(x[0], x[1]), Fixed([67], many, dtype), Fixed([67], others, dtype)) with
                {
                    Reference = x => [[.. x[0].Select((a, i) => Is(a, x[1][i]))]],
                };
        }
        yield return Constant("NaN", x => x[0].Eq(x[0]), Fixed([2], [double.NaN, 1])) with { Reference = _ => [[0, 1]] };
        yield return Constant("NaN differs", x => x[0].Ne(x[0]), Fixed([2], [double.NaN, 1])) with { Reference = _ => [[1, 0]] };
        yield return Constant("strided", x => x[0].T < x[1], Fixed([2, 3], few), Fixed([2], [1, 2])) with
        {
            Reference = x => [[.. new[] { 0, 3, 1, 4, 2, 5 }.Select((at, i) => Is2(x[0][at] < x[1][i % 2]))]],
        };
        SampleInput[] truths = [Fixed([2, 1], [0, 1], DType.Bool), Fixed([2], [0, 1], DType.Bool)];
        yield return Constant("and", x => x[0] & x[1], truths) with { Reference = _ => [[0, 0, 0, 1]] };
        yield return Constant("or", x => x[0] | x[1], truths) with { Reference = _ => [[0, 1, 1, 1]] };
        yield return Constant("not", x => !x[0], truths) with { Reference = _ => [[1, 0]] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("dims", () => _ = Tensor.Zeros([2, 3]) < Tensor.Zeros([2]), "lt: shapes do not broadcast; lhs = f32[2,3]@cpu, rhs = f32[2]@cpu");
        yield return new("dtypes", () => Tensor.Zeros([2]).Eq(Tensor.Zeros([2], DType.I64)), "eq: operands have different dtypes");
        yield return new("no such value", () => _ = Tensor.Zeros([2], DType.I64) > 2.5, "gt: 2.5 is no value of i64; input = i64[2]@cpu.");
        yield return new("too large", () => _ = Tensor.Zeros([2], DType.U8) > 256, "gt: 256 is no value of u8");
        yield return new("order of bools", () => _ = Tensor.Zeros([2], DType.Bool) < Tensor.Zeros([2], DType.Bool), "lt: bool has no order; lhs = bool[2]@cpu.");
        yield return new("and of floats", () => _ = Tensor.Zeros([2]) & Tensor.Zeros([2]), "and: lhs must be bool; lhs = f32[2]@cpu.");
        yield return new("no derivative", () => Autograd.Grad((Tensor.Zeros([]).RequireGrad() > 0).To(DType.F32), Tensor.Zeros([]).RequireGrad()), "the path ends at gt, which has no derivative (bool output)");
    }

    private static double Is2(bool truth) => truth ? 1 : 0;

    private static Sample Constant(string label, Func<Tensor[], Tensor> run, params SampleInput[] inputs) => new(label, x => [run(x)], inputs) { Orders = 0 };

    private static SampleInput Fixed(Shape shape, double[] values, DType? dtype = null) => new(shape) { Values = values, DType = dtype };
}

/// <summary>a where the condition holds, else b; either may be a number. Linear in a and b, so its gradients are again choices.</summary>
internal sealed class WhereOp(double aNumber = 0, double bNumber = 0) : StructuredOp("where")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var (condition, a, b) = (x[0], x.Optional(1), x.Optional(2));
        Check.DTypeIs(condition, DType.Bool, "where", "condition");
        var lead = a ?? b!;
        if (a is not null && b is not null)
            Check.SameDType(a, b, "where", "a", "b");
        var layout = a is not null && b is not null ? Check.Broadcast(a, b, "where", "a", "b") : lead.Layout;
        if (!condition.Layout.SameShape(layout))
        {
            layout = Shape.Broadcast(condition.Shape, layout.Shape) is { } shape ? Layout.Of(shape)
                : throw new ShapeException($"where: condition = {condition.Describe()} does not broadcast with the choices of shape {layout.Shape}. Dims must be equal or 1.");
        }
        return [new(layout.Dense(), lead.DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y) => CompareKernels.Where(y[0], x[0], x.Optional(1), aNumber, x.Optional(2), bNumber);

    public override Saves SavesFor(Inputs x) => Saves.Input0;

    public override Tensor?[] Backward(Tensor g, Saved s) =>
    [
        null,
        s.Needs(1) ? new WhereOp().Apply(s.Input(0), g, null) : null,
        s.Needs(2) ? new WhereOp().Apply(s.Input(0), null, g) : null,
    ];

    internal static IEnumerable<Sample> Samples()
    {
        SampleInput Truth(Shape shape, params double[] values) => new(shape) { DType = DType.Bool, Values = values };
        yield return new("same shape", x => [Tensor.Where(x[0], x[1], x[2])], Truth([3], 1, 0, 1), new([3]), new([3])) { Reference = x => [[x[1][0], x[2][1], x[1][2]]] };
        yield return new("all broadcast", x => [Tensor.Where(x[0], x[1], x[2])], Truth([2, 1], 1, 0), new([2]), new([]))
        {
            Reference = x => [[x[1][0], x[1][1], x[2][0], x[2][0]]],
        };
        yield return new("condition is larger", x => [Tensor.Where(x[0], x[1], x[2])], Truth([2, 2], 1, 0, 0, 1), new([2]), new([1]))
        {
            Reference = x => [[x[1][0], x[2][0], x[2][0], x[1][1]]],
        };
        yield return new("number else", x => [Tensor.Where(x[0], x[1], 0.5)], Truth([2], 0, 1), new([2])) { Reference = x => [[0.5, x[1][1]]] };
        yield return new("number first", x => [Tensor.Where(x[0], -1, x[1])], Truth([2], 0, 1), new([2])) { Reference = x => [[x[1][0], -1]] };
        yield return new("masked fill", x => [x[1].MaskedFill(x[0], 7)], Truth([2], 0, 1), new([2, 2])) { Reference = x => [[x[1][0], 7, x[1][2], 7]] };
        double[] many = [.. Enumerable.Range(0, 131).Select(i => i % 3 == 0 ? 1.0 : 0)];
        // 131: two blocks and a tail.
        yield return new("long", x => [Tensor.Where(x[0], x[1], x[2])], Truth([131], many), new([131]), new([131]))
        {
            Reference = x => [[.. many.Select((c, i) => c != 0 ? x[1][i] : x[2][i])]],
        };
        foreach (var dtype in new[] { DType.I32, DType.I64, DType.U8, DType.Bool })
            yield return new($"long {dtype.Name()}", x => [Tensor.Where(x[0], x[1], x[2])], Truth([131], many), new([131], 0, 2) { DType = dtype }, new([131], 0, 2) { DType = dtype })
            {
                Reference = x => [[.. many.Select((c, i) => c != 0 ? x[1][i] : x[2][i])]],
                Orders = 0,
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        Tensor x = Tensor.Zeros([2]), yes = Tensor.Zeros([2], DType.Bool);
        yield return new("condition", () => Tensor.Where(x, x, x), "where: condition must be bool; condition = f32[2]@cpu.");
        yield return new("condition's shape", () => Tensor.Where(yes, Tensor.Zeros([3]), 0), "where: condition = bool[2]@cpu does not broadcast with the choices of shape [3].");
        yield return new("choices", () => Tensor.Where(yes, x, Tensor.Zeros([3])), "where: shapes do not broadcast; a = f32[2]@cpu, b = f32[3]@cpu");
        yield return new("dtypes", () => Tensor.Where(yes, x, Tensor.Zeros([2], DType.F64)), "where: operands have different dtypes");
        yield return new("number", () => Tensor.Where(yes, yes, 3), "where: 3 is no value of bool");
    }
}

/// <summary>Comparisons, which give bool tensors and have no derivative, and choices by them, which have.</summary>
public static class TensorCompare
{
    extension(Tensor x)
    {
        /// <summary>Where two tensors are equal. (<c>==</c> asks whether they are the same object, as everywhere in C#.)</summary>
        public Tensor Eq(Tensor other) => new CompareOp(Comparison.Eq).Apply(x, other);

        /// <summary>Where x equals a number.</summary>
        public Tensor Eq(double value) => Against(Comparison.Eq, x, value);

        /// <summary>Where two tensors differ; NaN differs from everything.</summary>
        public Tensor Ne(Tensor other) => new CompareOp(Comparison.Ne).Apply(x, other);

        /// <summary>Where x differs from a number.</summary>
        public Tensor Ne(double value) => Against(Comparison.Ne, x, value);

        /// <summary>Elementwise less than.</summary>
        public static Tensor operator <(Tensor a, Tensor b) => Ordered(Comparison.Lt, a, b);

        /// <summary>Elementwise less than or equal.</summary>
        public static Tensor operator <=(Tensor a, Tensor b) => Ordered(Comparison.Le, a, b);

        /// <summary>Elementwise greater than.</summary>
        public static Tensor operator >(Tensor a, Tensor b) => Ordered(Comparison.Gt, a, b);

        /// <summary>Elementwise greater than or equal.</summary>
        public static Tensor operator >=(Tensor a, Tensor b) => Ordered(Comparison.Ge, a, b);

        /// <summary>Where a tensor is less than a number.</summary>
        public static Tensor operator <(Tensor a, double b) => Against(Comparison.Lt, a, b);

        /// <summary>Where a tensor is at most a number.</summary>
        public static Tensor operator <=(Tensor a, double b) => Against(Comparison.Le, a, b);

        /// <summary>Where a tensor is greater than a number.</summary>
        public static Tensor operator >(Tensor a, double b) => Against(Comparison.Gt, a, b);

        /// <summary>Where a tensor is at least a number.</summary>
        public static Tensor operator >=(Tensor a, double b) => Against(Comparison.Ge, a, b);

        /// <summary>Where a number is less than a tensor.</summary>
        public static Tensor operator <(double a, Tensor b) => Against(Comparison.Gt, b, a);

        /// <summary>Where a number is at most a tensor.</summary>
        public static Tensor operator <=(double a, Tensor b) => Against(Comparison.Ge, b, a);

        /// <summary>Where a number is greater than a tensor.</summary>
        public static Tensor operator >(double a, Tensor b) => Against(Comparison.Lt, b, a);

        /// <summary>Where a number is at least a tensor.</summary>
        public static Tensor operator >=(double a, Tensor b) => Against(Comparison.Le, b, a);

        /// <summary>Both of two bool tensors.</summary>
        public static Tensor operator &(Tensor a, Tensor b) => Connect(Comparison.And, a, b);

        /// <summary>At least one of two bool tensors.</summary>
        public static Tensor operator |(Tensor a, Tensor b) => Connect(Comparison.Or, a, b);

        /// <summary>The opposite of a bool tensor.</summary>
        public static Tensor operator !(Tensor a)
        {
            Check.DTypeIs(a, DType.Bool, "not", "input");
            return new CompareOp(Comparison.Eq, 0).Apply(a);
        }

        /// <summary>The operator <c>&amp;</c> as a method.</summary>
        public Tensor And(Tensor other) => Connect(Comparison.And, x, other);

        /// <summary>The operator <c>|</c> as a method.</summary>
        public Tensor Or(Tensor other) => Connect(Comparison.Or, x, other);

        /// <summary>The operator <c>!</c> as a method.</summary>
        public Tensor Not() => !x;

        /// <summary>a where the condition (bool) holds, else b; all three broadcast. Gradients flow to a and b.</summary>
        public static Tensor Where(Tensor condition, Tensor a, Tensor b) => new WhereOp().Apply(condition, a, b);

        /// <summary>a where the condition holds, else a number.</summary>
        public static Tensor Where(Tensor condition, Tensor a, double b)
        {
            CheckValue("where", a, b);
            return new WhereOp(bNumber: b).Apply(condition, a, null);
        }

        /// <summary>A number where the condition holds, else b.</summary>
        public static Tensor Where(Tensor condition, double a, Tensor b)
        {
            CheckValue("where", b, a);
            return new WhereOp(aNumber: a).Apply(condition, null, b);
        }

        /// <summary>x with a number where the mask (bool, broadcast) holds.</summary>
        public Tensor MaskedFill(Tensor mask, double value) => Tensor.Where(mask, value, x);
    }

    private static Tensor Ordered(Comparison op, Tensor a, Tensor b)
    {
        CheckOrder(op, a);
        return new CompareOp(op).Apply(a, b);
    }

    private static Tensor Against(Comparison op, Tensor x, double value)
    {
        if (op is not (Comparison.Eq or Comparison.Ne))
            CheckOrder(op, x);
        CheckValue(op.ToString().ToLowerInvariant(), x, value);
        return new CompareOp(op, value).Apply(x);
    }

    private static Tensor Connect(Comparison op, Tensor a, Tensor b)
    {
        string name = op.ToString().ToLowerInvariant();
        Check.DTypeIs(a, DType.Bool, name, "lhs");
        Check.DTypeIs(b, DType.Bool, name, "rhs");
        return new CompareOp(op).Apply(a, b);
    }

    private static void CheckOrder(Comparison op, Tensor x)
    {
        if (x.DType == DType.Bool)
            throw new DTypeException($"{op.ToString().ToLowerInvariant()}: bool has no order; lhs = {x.Describe()}. Use Eq, Ne, And, Or or Not.");
    }

    // A number that the dtype cannot hold would be rounded or wrapped without a word.
    private static void CheckValue(string op, Tensor x, double value)
    {
        bool holds = x.DType switch
        {
            DType.F32 or DType.F64 => true,
            DType.I32 => value == (int)value,
            DType.I64 => value == Math.Floor(value) && Math.Abs(value) <= 1L << 53,
            DType.U8 => value == (byte)value,
            _ => value is 0 or 1,
        };
        if (!holds)
            throw new DTypeException($"{op}: {value} is no value of {x.DType.Name()}; input = {x.Describe()}. Use a number it can hold, or convert the tensor with .To(DType.F64).");
    }
}

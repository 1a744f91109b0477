using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Native.Tests;

/// <summary>One operation of a random program; operands are reduced modulo what exists, so every shrunk program is valid.</summary>
public sealed record ProgramStep(string Op, int A, int B);

/// <summary>A program: inputs by shape, then steps that may use every earlier value. Its last value is the result.</summary>
public sealed record RandomProgram(long[][] Inputs, ProgramStep[] Steps)
{
    /// <summary>The program as C#, ready to be pasted into a test.</summary>
    public override string ToString() => Programs.ToCode(this);
}

/// <summary>Generation, shrinking and execution of programs over the rows of <see cref="OpTable"/> that are smooth on their domains.</summary>
internal static class Programs
{
    /// <summary>An op that is broken on purpose: the value is sin(x), the derivative says 1.</summary>
    public const string Broken = "broken";

    private static readonly Dictionary<string, PointwiseOp> Rows = OpTable.All.Select(r => r.Op).OfType<PointwiseOp>()
        .Where(op => op.Arity <= 2 && op.Domains.Length == op.Arity && op.Domains.All(d => d.Kinks.Length == 0)).ToDictionary(op => op.Name, StringComparer.Ordinal);

    private static readonly Dictionary<string, string> Fields = typeof(Ops).GetFields()
        .Where(f => f.GetValue(null) is PointwiseOp).ToDictionary(f => ((PointwiseOp)f.GetValue(null)!).Name, f => f.Name, StringComparer.Ordinal);

    private static readonly string[] Geometry = ["flatten", "transpose", "sum", "matmul"];

    public static IEnumerable<string> Names => Rows.Keys.Concat(Geometry);

    /// <summary>How each op looks in a program's code.</summary>
    public static IEnumerable<string> Calls => Rows.Keys.Select(n => $"Ops.{Fields[n]}.Apply(").Concat([".Reshape(-1)", ".T;", ".Sum(0)", ".MatMul("]);

    public static Arbitrary<RandomProgram> All(params string[] extra) => Arb.From(
        from inputs in Gen.Choose(1, 3)
        from shapes in Gen.ArrayOf(Gens.Dims(3, 3, 1), inputs)
        from count in Gen.Choose(1, 6)
        from steps in Gen.ArrayOf(
            from op in Gen.Elements(Names.Concat(extra).Order(StringComparer.Ordinal).ToArray())
            from a in Gen.Choose(0, 20)
            from b in Gen.Choose(0, 20)
            select new ProgramStep(op, a, b), count)
        select new RandomProgram(shapes, steps), Shrink);

    // Fewer steps, fewer inputs, lower ranks, smaller dims, earlier operands.
    private static IEnumerable<RandomProgram> Shrink(RandomProgram p)
    {
        for (int i = 0; i < p.Steps.Length && p.Steps.Length > 1; i++)
            yield return p with { Steps = [.. p.Steps[..i], .. p.Steps[(i + 1)..]] };
        for (int i = 0; i < p.Inputs.Length && p.Inputs.Length > 1; i++)
            yield return p with { Inputs = [.. p.Inputs[..i], .. p.Inputs[(i + 1)..]] };
        for (int i = 0; i < p.Inputs.Length; i++)
            foreach (long[] dims in Gens.ShrinkDims(p.Inputs[i], 1))
                yield return p with { Inputs = [.. p.Inputs[..i], dims, .. p.Inputs[(i + 1)..]] };
        for (int i = 0; i < p.Steps.Length; i++)
            foreach (var s in (ProgramStep[])[p.Steps[i] with { A = p.Steps[i].A / 2 }, p.Steps[i] with { B = p.Steps[i].B / 2 }])
                if (s != p.Steps[i])
                    yield return p with { Steps = [.. p.Steps[..i], s, .. p.Steps[(i + 1)..]] };
    }

    /// <summary>Runs a program; with <paramref name="code"/>, also writes it down.</summary>
    public static Tensor Run(RandomProgram p, Tensor[] inputs, StringBuilder? code = null)
    {
        List<Tensor> values = [.. inputs];
        List<string> names = [.. inputs.Select((_, i) => $"x[{i}]")];
        for (int k = 0; k < p.Steps.Length; k++)
        {
            var s = p.Steps[k];
            int a = s.A % values.Count, b = s.B % values.Count;
            var (value, text) = Step(s.Op, values[a], values[b], names[a], names[b]);
            values.Add(value);
            names.Add($"v{k}");
            code?.Append(CultureInfo.InvariantCulture, $"    var v{k} = {text};\n");
        }
        return values[^1];
    }

    public static string ToCode(RandomProgram p)
    {
        using var scope = TensorScope.Begin("print");
        var code = new StringBuilder("\nstatic Tensor Program(Tensor[] x) // x: ").AppendJoin(", ", p.Inputs.Select(d => "f64" + Shape.Format(d))).Append("\n{\n");
        Run(p, Inputs(p), code);
        return code.Append(CultureInfo.InvariantCulture, $"    return v{p.Steps.Length - 1};\n}}\n").ToString();
    }

    public static Tensor[] Inputs(RandomProgram p)
    {
        var random = new Generator(42).Stream("program");
        return [.. p.Inputs.Select(d => SampleValues.ToTensor([.. Enumerable.Range(0, (int)Shape.Create(d).Count).Select(_ => random.NextDouble() * 2 - 1)], d, DType.F64))];
    }

    /// <summary>Brings any value smoothly into an interval: programs stay inside every row's domain, however deep.</summary>
    private static Tensor Into(Tensor x, SampleDomain d) => (x.Tanh() * 0.45 + 0.5) * (d.High - d.Low) + d.Low;

    private static string Into(string x, SampleDomain d) => string.Create(CultureInfo.InvariantCulture, $"({x}.Tanh() * 0.45 + 0.5) * {d.High - d.Low} + {d.Low}");

    private static (Tensor Value, string Text) Step(string op, Tensor a, Tensor b, string an, string bn)
    {
        switch (op)
        {
            case "flatten":
                return (a.Reshape(-1), $"{an}.Reshape(-1)");
            case "transpose" when a.Rank >= 2:
                return (a.T, $"{an}.T");
            case "sum" when a.Rank >= 1:
                return (a.Sum(0), $"{an}.Sum(0)");
            case "matmul" when a.Rank == 2 && b.Rank == 2 && a.Shape[1] == b.Shape[1]:
                return (a.MatMul(b.T), $"{an}.MatMul({bn}.T)");
            case Broken:
                return (a.Sin().Detach() + (a - a.Detach()), $"Broken({an})");
        }
        if (!Rows.TryGetValue(op, out var row))
            return (a * 1.5, $"{an} * 1.5");
        var (p, q) = row.Parameters[0];
        string parameters = row.Parameters[0] == (0, 0) ? "" : string.Create(CultureInfo.InvariantCulture, $", {p}, {q}");
        if (row is UnaryOp unary)
            return (unary.Apply(Into(a, row.Domains[0]), p, q), $"Ops.{Fields[op]}.Apply({Into(an, row.Domains[0])}{parameters})");
        if (Shape.Broadcast(a.Shape, b.Shape) is not { Count: <= 200 })
            (b, bn) = (a, an);
        return (((BinaryOp)row).Apply(Into(a, row.Domains[0]), Into(b, row.Domains[1]), p, q),
            $"Ops.{Fields[op]}.Apply({Into(an, row.Domains[0])}, {Into(bn, row.Domains[1])}{parameters})");
    }
}

/// <summary>Random programs of differentiable operations against difference quotients.</summary>
public class ProgramProperties
{
    [Theory]
    [InlineData(1, 300)]
    [InlineData(2, 150)]
    public void Gradients_of_random_programs_agree_with_difference_quotients(int order, int programs) =>
        FsCheck.Check.One(Gens.Fixed(programs), Prop.ForAll(Programs.All(), p => Passes(p, order)));

    [Fact]
    public void Programs_reach_every_op_they_are_drawn_from()
    {
        var programs = new List<string>();
        FsCheck.Check.One(Gens.Fixed(500), Prop.ForAll(Programs.All(), p =>
        {
            programs.Add(Programs.ToCode(p));
            return true;
        }));
        string all = string.Concat(programs);
        Assert.True(Programs.Calls.Count() > 20, "programs are drawn from few ops only");
        // In the code that ran: an operation that did not fit its operands is replaced by another and does not count.
        Assert.All(Programs.Calls, c => Assert.Contains(c, all, StringComparison.Ordinal));
        Assert.True(programs.Count(p => p.Contains("var v2 = ", StringComparison.Ordinal)) > 100, "hardly any program has three steps");
    }

    [Fact]
    public void A_wrong_derivative_is_shrunk_to_the_smallest_program()
    {
        var failure = Record.Exception(() => FsCheck.Check.One(Gens.Fixed(500), Prop.ForAll(Programs.All(Programs.Broken), p => Passes(p, 1))));
        Assert.NotNull(failure);
        Assert.Contains("static Tensor Program(Tensor[] x) // x: f64[]\n{\n    var v0 = Broken(x[0]);\n    return v0;\n}", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_program_twice_gives_the_same_bits() => FsCheck.Check.One(Gens.Fixed(100), Prop.ForAll(Programs.All(), p =>
    {
        using var scope = TensorScope.Begin("program");
        var x = Programs.Inputs(p);
        double[][] one = OpKit.ToDoubles([.. OpKit.Derivatives(t => [Programs.Run(p, t)], x, 2)]);
        return OpKit.BitDifference(one, OpKit.ToDoubles([.. OpKit.Derivatives(t => [Programs.Run(p, t)], x, 2)])) is null;
    }));

    private static bool Passes(RandomProgram p, int order)
    {
        using var scope = TensorScope.Begin("program");
        return GradCheck.Run(x => Programs.Run(p, x), Programs.Inputs(p), new() { Order = order, Mode = GradCheckMode.Projected, Directions = 1, Repeat = false, Localize = false }).Passed;
    }
}

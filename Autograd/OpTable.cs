using System.Reflection;

namespace Native;

/// <summary>One input of a sample: how the generated tests make it.</summary>
/// <param name="Shape">Dims.</param>
/// <param name="Low">Lower end of the values.</param>
/// <param name="High">Upper end of the values (exclusive for integers).</param>
internal sealed record SampleInput(Shape Shape, double Low = -2, double High = 2)
{
    /// <summary>Null: the floating dtype under test, differentiable. Otherwise exactly this one, and constant.</summary>
    public DType? DType { get; init; }

    /// <summary>Points that floating values stay at least 0.1 away from.</summary>
    public double[] Kinks { get; init; } = [];

    /// <summary>No two values closer than 0.05: for max, sort and their like.</summary>
    public bool Distinct { get; init; }

    /// <summary>Fixed values (offsets, permutations) instead of random ones.</summary>
    public double[]? Values { get; init; }
}

/// <summary>
/// One application of an operation, with everything the generated tests need: inputs, how to run it on them, and the answer computed
/// naively in double precision.
/// </summary>
/// <param name="Label">Distinguishes the samples of one op.</param>
/// <param name="Run">Applies the op; several outputs are all checked.</param>
/// <param name="Inputs">What to apply it to.</param>
internal sealed record Sample(string Label, Func<Tensor[], Tensor[]> Run, params SampleInput[] Inputs)
{
    /// <summary>Values of every output, row-major, from row-major inputs (integers as doubles). Written as plain loops, sharing no code with the kernels.</summary>
    public Func<double[][], double[][]>? Reference { get; init; }

    /// <summary>Highest order of derivative to check; 0 when there is none.</summary>
    public int Orders { get; init; } = 3;

    /// <summary>The same result composed of other ops, where this op is a fusion; the tests demand that both agree, and their derivatives.</summary>
    public Func<Tensor[], Tensor[]>? Composed { get; init; }

    /// <summary>Also run with f32 inputs (default); off for samples whose f32 rounding is not meaningful.</summary>
    public bool Single { get; init; } = true;
}

/// <summary>A mistake and the sentence it must be answered with (a part of it that identifies it).</summary>
/// <param name="Label">Distinguishes the mistakes of one op.</param>
/// <param name="Run">Must throw a <see cref="TensorException"/>.</param>
/// <param name="Message">Text that the message must contain.</param>
internal sealed record ErrorSample(string Label, Action Run, string Message);

/// <summary>An op and its samples.</summary>
/// <param name="Name">The op's name.</param>
/// <param name="Op">The row, for pointwise and reduction rows; null for structured ops, whose instances carry parameters.</param>
/// <param name="Samples">What to try.</param>
/// <param name="Errors">Mistakes to try.</param>
internal sealed record OpRow(string Name, Op? Op, IReadOnlyList<Sample> Samples, IReadOnlyList<ErrorSample> Errors)
{
    /// <summary>What its instances call themselves in messages: the name, and others where parameters choose among several (eq, ne, lt, ...).</summary>
    public IReadOnlyList<string> Names { get; init; } = [Name];
}

/// <summary>
/// The list of every op. Pointwise and reduction rows are the fields of <see cref="Ops"/>; structured and view ops are the classes of
/// this assembly, each with a static <c>Samples()</c> (and, where mistakes are possible, <c>Errors()</c>; and, where one class goes by
/// several names, <c>Names()</c>). A test fails for an op without samples, so nothing can be added untested.
/// </summary>
internal static class OpTable
{
    private static readonly Dictionary<Type, string[]> NamesByType = StructuredTypes().ToDictionary(t => t, NamesOf);

    /// <summary>Every op, by name.</summary>
    public static IReadOnlyList<OpRow> All { get; } = [.. Rows().OrderBy(r => r.Name, StringComparer.Ordinal)];

    /// <summary>Structured and view op classes that state no samples: must be empty.</summary>
    public static IEnumerable<Type> Untested => StructuredTypes().Where(t => Method(t, "Samples") is null);

    /// <summary>The row that goes by a name; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static OpRow Find(string name) => All.FirstOrDefault(r => r.Names.Contains(name, StringComparer.Ordinal))
        ?? throw new UsageException($"gradcheck: there is no op '{name}'."
            + $"{(Nearest.Of(name, All.SelectMany(r => r.Names)) is { } near ? $" Did you mean '{near}'?" : "")} All {All.Count} are checked when none is named.");

    private static IEnumerable<OpRow> Rows()
    {
        foreach (var field in typeof(Ops).GetFields(BindingFlags.Public | BindingFlags.Static))
            switch (field.GetValue(null))
            {
                case PointwiseOp op:
                    yield return new OpRow(op.Name, op, [.. PointwiseSamples(op)], []);
                    break;
                case ReduceOp op:
                    yield return new OpRow(op.Name, op, [.. ReduceSamples(op)], []);
                    break;
            }
        foreach (var type in StructuredTypes())
        {
            if (Method(type, "Samples")?.Invoke(null, null) is not IEnumerable<Sample> samples)
                continue;
            var errors = Method(type, "Errors")?.Invoke(null, null) as IEnumerable<ErrorSample> ?? [];
            yield return new OpRow(NamesByType[type][0], null, [.. samples], [.. errors]) { Names = NamesByType[type] };
        }
    }

    private static IEnumerable<Type> StructuredTypes() =>
        typeof(OpTable).Assembly.GetTypes().Where(t => !t.IsAbstract && (t.IsSubclassOf(typeof(StructuredOp)) || t.IsSubclassOf(typeof(ViewOp))));

    private static MethodInfo? Method(Type type, string name) => type.GetMethod(name, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic, []);

    /// <summary>The row that an op belongs to.</summary>
    public static string RowOf(Op op) => op is PointwiseOp or ReduceOp ? op.Name : NamesByType[op.GetType()][0];

    // The name is an argument that each class hands to its base, so an instance with default parameters is asked; constructors only keep them.
    private static string[] NamesOf(Type type)
    {
        if (Method(type, "Names")?.Invoke(null, null) is IEnumerable<string> stated)
            return [.. stated];
        var constructor = type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)[0];
        object?[] parameters = [.. constructor.GetParameters().Select(p => p.HasDefaultValue && p.DefaultValue is not null ? p.DefaultValue
            : p.ParameterType.IsValueType ? Activator.CreateInstance(p.ParameterType) : null)];
        return [((Op)constructor.Invoke(parameters)).Name];
    }

    private static IEnumerable<Sample> PointwiseSamples(PointwiseOp op)
    {
        // The shapes that break loops: a scalar, one element, a tail on every vector width, a whole number of vectors, rank 3, nothing.
        Shape[][] shapes = op.Arity == 1
            ? [[[]], [[1]], [[7]], [[64]], [[2, 3, 5]], [[0, 3]]]
            : [[[], []], [[7], [7]], [[4, 3], [4, 3]], [[4, 3], [3]], [[4, 1], [1, 3]], [[2, 3, 5], []], [[0, 3], [1, 3]]];
        foreach (var (p, q) in op.Parameters)
            foreach (var s in shapes)
            {
                var inputs = new SampleInput[op.Arity];
                for (int i = 0; i < op.Arity; i++)
                    inputs[i] = new SampleInput(s[i], op.Domains[i].Low, op.Domains[i].High) { Kinks = op.Domains[i].Kinks };
                yield return new Sample($"{string.Join('x', s.Select(x => x.ToString()))} p={p} q={q}",
                    x => [op is UnaryOp u ? u.Apply(x[0], p, q) : ((BinaryOp)op).Apply(x[0], x[1], p, q)], inputs)
                {
                    Reference = x => [Elementwise(op, s, x, p, q)],
                };
            }
    }

    private static double[] Elementwise(PointwiseOp op, Shape[] shapes, double[][] x, double p, double q)
    {
        var shape = op.Arity == 1 ? shapes[0] : Shape.Broadcast(shapes[0], shapes[1])!.Value;
        var offsets = new long[op.Arity][];
        for (int i = 0; i < op.Arity; i++)
        {
            offsets[i] = new long[shape.Count];
            var walk = new LayoutWalk(Layout.Of(shapes[i]).Expand(shape)!);
            for (int k = 0; walk.Next(out long at); k++)
                offsets[i][k] = at;
        }
        var y = new double[shape.Count];
        var arguments = new double[op.Arity];
        for (int k = 0; k < y.Length; k++)
        {
            for (int i = 0; i < op.Arity; i++)
                arguments[i] = x[i][offsets[i][k]];
            y[k] = op.Reference(arguments, p, q);
        }
        return y;
    }

    private static IEnumerable<Sample> ReduceSamples(ReduceOp op)
    {
        (Shape Shape, int[] Dims)[] cases =
        [
            ([], []), ([1], []), ([70], []), ([5, 3], [0]), ([5, 3], [1]), ([5, 3], [0, 1]), ([2, 3, 4], [1]), ([2, 3, 4], [0, 2]), ([3, 1, 2], [1]),
        ];
        if (op.TakesEmpty)
            cases = [.. cases, ([0, 3], [0])];
        foreach (var (shape, dims) in cases)
            foreach (bool keep in new[] { false, true })
                yield return new Sample($"{shape} over [{string.Join(',', dims)}]{(keep ? " keepDim" : "")}", x => [op.Apply(x[0], dims, keep)],
                    new SampleInput(shape, op.Domain.Low, op.Domain.High) { Kinks = op.Domain.Kinks, Distinct = true })
                {
                    Reference = x => [Fold(op, shape, dims, x[0])],
                };
    }

    private static double[] Fold(ReduceOp op, Shape shape, int[] dims, double[] x)
    {
        var kept = shape.ToArray();
        for (int d = 0; d < kept.Length; d++)
            if (dims.Length == 0 || dims.Contains(d))
                kept[d] = 1;
        var small = Shape.Create(kept);
        var y = new double[small.Count];
        Array.Fill(y, op.Start);
        var walk = new LayoutWalk(Layout.Of(small).Expand(shape)!);
        for (int k = 0; walk.Next(out long at); k++)
            y[at] = op.Reference(y[at], x[k]);
        return y;
    }
}

namespace Native.Tests;

/// <summary>Derivatives of every row of <see cref="OpTable"/>, against difference quotients and against their unfused forms.</summary>
public class GradTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Derivatives_agree_with_difference_quotients(int order) => OpKit.ForEachSample((row, s, k) =>
        s.Orders < order || Check(row, s, k, order, Form.Dense) is not { Passed: false } report ? null : report.ToString());

    [Theory]
    [InlineData(Form.Transposed)]
    [InlineData(Form.Sliced)]
    public void Derivatives_agree_for_strided_inputs(Form form) => OpKit.ForEachSample((row, s, k) =>
        s.Orders < 1 || Check(row, s, k, Math.Min(2, s.Orders), form) is not { Passed: false } report ? null : report.ToString());

    [Fact]
    public void Derivatives_agree_when_one_input_alone_needs_them() => OpKit.ForEachSample((row, s, k) =>
    {
        ulong seed = SampleValues.Seed(row.Name, k);
        foreach (int i in s.Orders < 1 ? [] : SampleValues.Free(s))
        {
            var (f, inputs) = SampleValues.Differentiable(s, OpKit.Make(s, SampleValues.Draw(s, seed)), only: i);
            for (int order = 1; order <= Math.Min(2, s.Orders); order++)
            {
                var report = GradCheck.RunAll(f, inputs, new() { Name = row.Name, Order = order, Mode = GradCheckMode.Projected, Directions = 1, Seed = seed, VaryIncoming = false });
                if (!report.Passed)
                    return $"input {i} alone: {report}";
            }
        }
        return null;
    });

    [Fact]
    public void Fused_forms_agree_with_composed_ones_and_so_do_their_derivatives() => OpKit.ForEachSample((row, s, k) =>
    {
        var x = OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k)));
        var (fused, inputs) = SampleValues.Differentiable(s, x);
        if (s.Composed is not null && Compare(fused, SampleValues.Differentiable(s, x, s.Composed).F, inputs, Math.Min(2, s.Orders)) is { } difference)
            return difference;
        if (row.Op is not UnaryOp { Composed: { } composed, Vjp: { } vjp } op || s.Inputs[0].Shape.Count == 0)
            return null;
        // The row's own backward: a function of the incoming gradient and the input.
        var (p, q) = op.Parameters[0];
        Tensor[] both = [Tensor.FullLike(x[0], 0.7), x[0]];
        return Compare(t => [vjp(t[0], t[1], op.Apply(t[1], p, q), p, q)!], t => [composed(t[0], t[1], op.Apply(t[1], p, q), p, q)!], both, 2);
    });

    [Fact]
    public void Gradient_check_finds_a_wrong_derivative_and_names_it()
    {
        var report = GradCheck.Run(x => Wrong(x[0]), [Tensor.From([0.5, -1.25, 2.0], [3])], new() { Name = "wrong" });
        Assert.False(report.Passed);
        Assert.StartsWith("gradcheck wrong: FAILED; order 1, full, seed 0, inputs f64[3]@cpu\n", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("worst: d out[1] / d input 0 [1]: analytic -0.75", report.ToString(), StringComparison.Ordinal);
        // No command knows this function, so none is offered.
        Assert.DoesNotContain("replay", report.ToString(), StringComparison.Ordinal);
        var thrown = Assert.Throws<GradException>(() => GradCheck.Require(x => Wrong(x[0]), [Tensor.From([0.5, -1.25], [2])], new() { Mode = GradCheckMode.Projected }));
        Assert.Contains("FAILED", thrown.Message, StringComparison.Ordinal);

        // x * x, with half of its derivative cut off: the value is right.
        static Tensor Wrong(Tensor x) => x * x.Detach() + 0.5 * (x - x.Detach());
    }

    [Fact]
    public void Gradient_check_passes_a_right_derivative_of_every_order_and_mode()
    {
        foreach (var mode in (GradCheckMode[])[GradCheckMode.Full, GradCheckMode.Projected])
            for (int order = 1; order <= 3; order++)
                GradCheck.Require(x => (x[0].Tanh() * x[1]).Exp(), [Tensor.From([0.5, -1.0], [2, 1]), Tensor.From([0.3, 0.7, -0.2], [3])],
                    new() { Order = order, Mode = mode, Seed = 5 });
    }

    [Fact]
    public void Gradient_check_reports_kinks_by_element()
    {
        Tensor[] x = [Tensor.From([0.5, 0.0, -1.0], [3])];
        Tensor F(Tensor[] t) => t[0].Abs();
        foreach (var mode in (GradCheckMode[])[GradCheckMode.Full, GradCheckMode.Projected])
        {
            var report = GradCheck.Run(F, x, new() { Name = "abs", Mode = mode });
            Assert.False(report.Passed);
            Assert.Contains("kink of abs at input 0 [1] = 0", report.ToString(), StringComparison.Ordinal);
            Assert.True(GradCheck.Run(F, x, new() { Mode = mode, Kinks = KinkPolicy.Skip }) is { Passed: true, Kinks.Count: > 0 });
            Assert.True(GradCheck.Run(F, x, new() { Mode = mode, Kinks = KinkPolicy.Subgradient }) is { Passed: true, Kinks.Count: > 0 });
        }
        // 2 is no slope between those of |x|.
        Assert.True(GradCheck.Run(t => t[0].Abs() + 2 * (t[0] - t[0].Detach()), x, new() { Kinks = KinkPolicy.Subgradient }).Failed > 0);
    }

    [Fact]
    public void Gradient_check_refuses_shared_memory_nan_and_what_it_cannot_judge()
    {
        var row = Tensor.From([1.0, 2.0], [2]);
        Assert.Contains("elements of input 0 = f64[3,2]@cpu share memory", GradCheck.Run(x => x[0].Sin(), [row.Expand([3, 2])]).ToString(), StringComparison.Ordinal);
        Assert.Contains("inputs 0 and 1 share memory", GradCheck.Run(x => x[0] * x[1], [row, row]).ToString(), StringComparison.Ordinal);
        Assert.True(GradCheck.Run(x => x[0].Log(), [Tensor.From([-1.0], [1])]).Failed > 0);
        Assert.True(GradCheck.Run(x => x[0].Log(), [Tensor.From([-1.0], [1])], new() { Mode = GradCheckMode.Projected }).Failed > 0);
        var unjudged = GradCheck.Run(x => (x[0] * 1e12).Sin(), [Tensor.From([0.5], [1])], new() { AbsoluteTolerance = 1e-12, RelativeTolerance = 1e-12 });
        Assert.False(unjudged.Passed);
        Assert.Contains("order 4 is not supported", Assert.Throws<ShapeException>(() => GradCheck.Run(x => x[0], [row], new() { Order = 4 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradient_check_in_single_precision()
    {
        var report = GradCheck.Run(x => x[0].Tanh() * x[0], [Tensor.From([0.5f, -1.0f, 2f], [3])]);
        Assert.True(report.Passed, report.ToString());
        Assert.True(GradCheck.Run(x => x[0] * x[0].Detach(), [Tensor.From([0.5f, -1.0f, 2f], [3])]).Failed == 3);
    }

    [Fact]
    public void Gradient_check_finds_a_function_that_is_not_deterministic()
    {
        double count = 0;
        var report = GradCheck.Run(x => x[0] * (count++ % 2), [Tensor.From([0.5], [1])]);
        Assert.Contains("different bits", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_replay_line_repeats_a_sample()
    {
        var once = Assert.Single(GradCheck.RunOp("tanh", 2, 17, sample: 4));
        Assert.True(once.Passed);
        Assert.Equal("f64[2,3,5]@cpu", once.Inputs);
        Assert.EndsWith("replay: native gradcheck --op tanh --sample 4 --order 2 --seed 17", once.ToString(), StringComparison.Ordinal);
        Assert.Equal(once.ToString(), GradCheck.RunOp("tanh", 2, 17)[4].ToString());
        Assert.NotEqual(once.ToString(), Assert.Single(GradCheck.RunOp("tanh", 2, 18, sample: 4)).ToString());
        Assert.True(GradCheck.RunOp("mul", 3, 99).Count > 5);
        Assert.StartsWith("gradcheck: there is no op 'tanhh'. Did you mean 'tanh'?", Assert.Throws<UsageException>(() => GradCheck.RunOp("tanhh")).Message);
        Assert.Equal("gradcheck: lt has no derivative of order 1.", Assert.Throws<UsageException>(() => GradCheck.RunOp("lt")).Message);
        Assert.StartsWith("gradcheck: tanh has no sample 6;", Assert.Throws<UsageException>(() => GradCheck.RunOp("tanh", sample: 6)).Message);
    }

    [Fact]
    public void Derivatives_in_single_precision_agree_with_double() => OpKit.ForEachSample((row, s, k) =>
    {
        if (!s.Single || s.Orders < 1)
            return null;
        double[][] values = SampleValues.Draw(s, SampleValues.Seed(row.Name, k));
        List<double[]> Run(DType dtype)
        {
            var (f, inputs) = SampleValues.Differentiable(s, OpKit.Make(s, values, dtype));
            return [.. OpKit.Derivatives(f, inputs, Math.Min(2, s.Orders)).Select(OpKit.ToDoubles)];
        }
        List<double[]> single = Run(DType.F32), full = Run(DType.F64);
        for (int i = 0; i < full.Count; i++)
            if (OpKit.Difference(full[i], single[i], 1e-4, 1e-4 * full[i].Select(Math.Abs).Append(1).Max()) is { } difference)
                return $"result {i} (outputs, then gradients): {difference}";
        return null;
    });

    [Fact]
    public void Hessians_are_symmetric()
    {
        Tensor[] x = [Tensor.From([0.5, -1.0], [2, 1]), Tensor.From([0.3, 0.7, -0.2], [3])];
        Assert.True(GradCheck.HessianAsymmetry(t => (t[0].Tanh() * t[1]).Exp() / (t[1].Square() + 1), x) < 1e-14);
        // A derivative with a wrong sign makes it unsymmetric.
        using var broken = new Mutation(op => op.Name == "mul", Fault.Sign, 0);
        Assert.True(GradCheck.HessianAsymmetry(t => (t[0].Tanh() * t[1]).Exp() / (t[1].Square() + 1), x) > 1e-3);
    }

    private static GradCheckReport? Check(OpRow row, Sample s, int k, int order, Form form)
    {
        ulong seed = SampleValues.Seed(row.Name, k);
        var (f, inputs) = SampleValues.Differentiable(s, OpKit.Make(s, SampleValues.Draw(s, seed), DType.F64, form));
        return inputs.Length == 0 ? null
            // The command lays its inputs densely, so it repeats no other form.
            : GradCheck.RunAll(f, inputs, GradCheck.OptionsOf(row, k, order, seed) is var o && form == Form.Dense ? o : o with { Replay = null });
    }

    private static string? Compare(Func<Tensor[], Tensor[]> one, Func<Tensor[], Tensor[]> other, Tensor[] inputs, int orders)
    {
        List<Tensor> a = OpKit.Derivatives(one, inputs, orders), b = OpKit.Derivatives(other, inputs, orders);
        for (int i = 0; i < a.Count; i++)
            if (OpKit.Difference(OpKit.ToDoubles(b[i]), OpKit.ToDoubles(a[i]), 1e-10, 1e-11) is { } difference)
                return $"fused and composed disagree in result {i} (outputs, then gradients of each order): {difference}";
        return null;
    }
}

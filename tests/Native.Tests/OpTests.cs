using System.Xml.Linq;

namespace Native.Tests;

/// <summary>Forward properties of every row of <see cref="OpTable"/>: one fact per property, a line per sample that breaks it.</summary>
[Collection(WorkersCollection.Name)]
public class OpTests
{
    [Fact]
    public void F64_agrees_with_the_reference() => OpKit.ForEachSample((row, s, k) => AgainstReference(row, s, k, DType.F64));

    [Fact]
    public void F32_agrees_with_the_reference() => OpKit.ForEachSample((row, s, k) => s.Single ? AgainstReference(row, s, k, DType.F32) : null);

    [Theory]
    [InlineData(Form.Transposed)]
    [InlineData(Form.Sliced)]
    [InlineData(Form.Expanded)]
    public void Layout_of_the_inputs_does_not_change_the_result(Form form) => OpKit.ForEachSample((row, s, k) =>
    {
        double[][] values = SampleValues.Draw(s, SampleValues.Seed(row.Name, k));
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
        {
            // Given values (offsets, permutations) mean something: expanding would change them.
            Tensor[] strided = [.. OpKit.Make(s, values, dtype).Select((t, i) => form == Form.Expanded && s.Inputs[i].Values is not null ? t : OpKit.Lay(t, form))];
            Tensor[] dense = [.. strided.Select(t => t.Contiguous())];
            double[][] before = OpKit.ToDoubles(strided), one = OpKit.ToDoubles(s.Run(dense)), other = OpKit.ToDoubles(s.Run(strided));
            // A sum walks memory in the order that is fastest for the strides, so its rounding depends on them; nothing else may.
            if (row.Op is PointwiseOp && OpKit.BitDifference(one, other) is { } difference)
                return $"{dtype.Name()}: {difference}";
            double rounding = dtype == DType.F64 ? 1e-13 : 2e-6;
            for (int o = 0; o < one.Length; o++)
                if (OpKit.Difference(one[o], other[o], rounding, rounding) is { } far)
                    return $"{dtype.Name()}, output {o}: {far}";
            if (OpKit.BitDifference(before, OpKit.ToDoubles(strided)) is { } changed)
                return $"{dtype.Name()}: the op wrote into its input: {changed}";
        }
        return null;
    });

    [Fact]
    public void Same_bits_in_every_run_and_for_every_number_of_threads()
    {
        int before = Workers.Count;
        try
        {
            OpKit.ForEachSample((row, s, k) =>
            {
                var x = OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k)), DType.F32);
                Workers.SetCount(1);
                double[][] one = Everything(s, x), again = Everything(s, x);
                Workers.SetCount(4);
                double[][] four = Everything(s, x);
                return OpKit.BitDifference(one, again) ?? OpKit.BitDifference(one, four);
            });
        }
        finally
        {
            Workers.SetCount(before);
        }
    }

    [Fact]
    public void Every_storage_comes_back() => OpKit.OnFreshThread(() => OpKit.ForEachSample((row, s, k) =>
    {
        long first = LiveAfter(row, s, k), second = LiveAfter(row, s, k);
        return first == second ? null : $"{second - first} storages are still live after the scope has closed";
    }));

    [Fact]
    public void Mistakes_get_their_sentence()
    {
        var failures = new List<string>();
        int done = 0;
        foreach (var row in OpTable.All)
            foreach (var error in row.Errors)
            {
                done++;
                using var scope = TensorScope.Begin("mistake");
                var thrown = Record.Exception(error.Run);
                if (thrown is not TensorException || !thrown.Message.Contains(error.Message, StringComparison.Ordinal))
                    failures.Add($"{row.Name} '{error.Label}': should say '{error.Message}', says {thrown?.GetType().Name} '{thrown?.Message}'");
            }
        Assert.True(done > 0, "no mistake was tried");
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    [Fact]
    public void Pointwise_rows_take_the_dtypes_they_claim_and_no_others()
    {
        var failures = new List<string>();
        foreach (var op in OpTable.All.Select(r => r.Op).OfType<PointwiseOp>())
            foreach (var dtype in (DType[])[DType.I32, DType.I64, DType.U8, DType.Bool])
            {
                using var scope = TensorScope.Begin("dtype");
                // Integer tensors take whole numbers only.
                double p = Whole(op.Parameters[0].P), q = Whole(op.Parameters[0].Q);
                double[] a = dtype == DType.U8 ? [0, 1, 2, 5, 200, 7, 3] : dtype == DType.Bool ? [0, 1, 1, 0, 1, 0, 0] : [-3, 1, 2, 5, -2, 0, 7];
                double[] b = dtype == DType.U8 ? [1, 1, 3, 5, 100, 0, 9] : dtype == DType.Bool ? a : [2, 1, -3, 5, -2, 4, 0];
                Tensor x = SampleValues.ToTensor(a, [7], dtype), z = SampleValues.ToTensor(b, [7], dtype);
                double Whole(double v) => (dtype == DType.U8 ? 1 : Math.Sign(v)) * Math.Ceiling(Math.Abs(v));
                Tensor Run() => op is UnaryOp u ? u.Apply(x, p, q) : ((BinaryOp)op).Apply(x, z, p, q);
                if (op.Kernel.Domain == Domain.Number && dtype != DType.Bool)
                {
                    // Scalars are truncated to the dtype, sums wrap around.
                    double[] expected = [.. a.Zip(b, (s, t) => (double)Wrap((long)op.Reference([s, t], (long)p, (long)q), dtype))];
                    if (OpKit.Difference(expected, OpKit.ToDoubles(Run()), 0, 0) is { } difference)
                        failures.Add($"{op.Name} {dtype.Name()}: {difference}");
                    continue;
                }
                string sentence = op.Kernel.Domain == Domain.Float ? $"{op.Name}: needs f32 or f64; input = {dtype.Name()}[7]@cpu." : $"{op.Name}: bool has no arithmetic";
                if (Record.Exception(Run) is not DTypeException e || !e.Message.StartsWith(sentence, StringComparison.Ordinal))
                    failures.Add($"{op.Name} {dtype.Name()}: should refuse with '{sentence}'");
            }
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    [Fact]
    public void Rows_meet_scalars_single_elements_and_nothing()
    {
        foreach (var row in OpTable.All.Where(r => r.Op is not null))
        {
            var shapes = row.Samples.SelectMany(s => s.Inputs).Select(i => i.Shape).ToList();
            Assert.True(shapes.Exists(s => s.Rank == 0), $"{row.Name}: no sample of rank 0");
            Assert.True(shapes.Exists(s => s.Count == 1 && s.Rank > 0) || row.Op is BinaryOp, $"{row.Name}: no sample with one element");
            Assert.True(shapes.Exists(s => s.Count == 0) || row.Op is ReduceOp { TakesEmpty: false }, $"{row.Name}: no empty sample");
        }
    }

    [Fact]
    public void Every_op_states_samples_and_every_sample_a_reference()
    {
        Assert.Empty(OpTable.Untested.Select(t => t.Name));
        Assert.Empty(OpTable.All.Where(r => r.Samples.Count == 0).Select(r => r.Name));
        Assert.Empty(OpTable.All.SelectMany(r => r.Samples.Where(s => s.Reference is null && s.Composed is null).Select(s => $"{r.Name} '{s.Label}'")));
        Assert.Equal(OpTable.All.Count, OpTable.All.Select(r => r.Name).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Rows_go_by_the_names_that_errors_print()
    {
        var names = OpTable.All.SelectMany(r => r.Names).ToList();
        Assert.All(names, n => Assert.Matches("^[a-z][a-z0-9]*(_[a-z0-9]+)*$", n));
        Assert.Empty(names.GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key));
        Assert.All((string[])["matmul", "conv2d", "conv2d_data_grad", "cumsum", "log_softmax", "logsumexp", "argmin", "lt"], n => Assert.Contains(n, names));
        // What an op calls itself when it is applied is a name of its row.
        int met = 0;
        OpKit.ForEachSample((row, s, k) =>
        {
            var x = OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k)));
            foreach (int i in SampleValues.Free(s))
                x[i].RequireGrad();
            foreach (var y in s.Run(x))
                if (y.Node is OpNode { Op: var op } && OpTable.RowOf(op) is var of)
                {
                    met++;
                    if (!OpTable.Find(of).Names.Contains(op.Name))
                        return $"an op of {of} calls itself {op.Name}";
                }
            return null;
        });
        Assert.True(met > OpTable.All.Count, $"only {met} ops were met");
    }

    [Fact]
    public void Every_row_and_every_method_of_a_tensor_is_documented()
    {
        var summaries = XDocument.Load(Path.Combine(AppContext.BaseDirectory, "Native.Autograd.xml")).Descendants("member")
            .Where(m => !string.IsNullOrWhiteSpace(m.Element("summary")?.Value)).Select(m => m.Attribute("name")!.Value).ToHashSet(StringComparer.Ordinal);
        var missing = typeof(Ops).GetFields().Select(f => $"F:Native.Ops.{f.Name}").Where(n => !summaries.Contains(n)).ToList();
        foreach (string file in Directory.EnumerateFiles(Path.Combine(OpKit.Root, "Autograd"), "*.cs", SearchOption.AllDirectories))
        {
            if (file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
                continue;
            string[] lines = File.ReadAllLines(file);
            bool inside = false;
            for (int i = 1; i < lines.Length; i++)
            {
                inside = lines[i].StartsWith("    extension(", StringComparison.Ordinal) || (inside && lines[i] != "    }");
                int above = i - 1;
                while (above > 0 && lines[above].TrimStart().StartsWith('['))
                    above--;
                if (inside && lines[i].StartsWith("        public ", StringComparison.Ordinal) && !lines[above].TrimStart().StartsWith("///", StringComparison.Ordinal))
                    missing.Add($"{Path.GetFileName(file)}:{i + 1} {lines[i].Trim()}");
            }
        }
        Assert.True(missing.Count == 0, "without a summary:\n" + string.Join('\n', missing));
    }

    [Fact]
    public void Every_switch_has_help()
    {
        Assert.NotEmpty(Env.All);
        foreach (var s in Env.All)
        {
            Assert.StartsWith("NATIVE_", s.Name, StringComparison.Ordinal);
            Assert.True(s.Help.Length > 10, $"{s.Name} has no help text");
        }
    }

    private static string? AgainstReference(OpRow row, Sample s, int k, DType dtype)
    {
        if (s.Reference is null)
            return null;
        double[][] values = SampleValues.Draw(s, SampleValues.Seed(row.Name, k)), expected = s.Reference(values), actual = OpKit.ToDoubles(s.Run(OpKit.Make(s, values, dtype)));
        if (expected.Length != actual.Length)
            return $"{actual.Length} outputs, the reference has {expected.Length}";
        // A pointwise value is within a few ulp; sums lose more, in proportion to their terms.
        bool pointwise = row.Op is PointwiseOp;
        double rtol = dtype == DType.F64 ? (pointwise ? 1e-14 : 1e-11) : pointwise ? 1e-6 : 2e-5;
        double atol = dtype == DType.F64 ? (pointwise ? 1e-14 : 1e-12) : pointwise ? 1e-6 : 1e-5;
        for (int o = 0; o < expected.Length; o++)
            if (OpKit.Difference(expected[o], actual[o], rtol, atol) is { } difference)
                return $"output {o}: {difference}";
        return null;
    }

    private static double[][] Everything(Sample s, Tensor[] x)
    {
        var (f, inputs) = SampleValues.Differentiable(s, x);
        return [.. OpKit.Derivatives(f, inputs, Math.Min(2, s.Orders)).Select(OpKit.ToDoubles)];
    }

    private static long LiveAfter(OpRow row, Sample s, int k)
    {
        using (TensorScope.Begin("live"))
        {
            var (f, inputs) = SampleValues.Differentiable(s, OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k))));
            OpKit.Derivatives(f, inputs, s.Orders);
        }
        return Ambient.Current.Allocator.Stats.LiveCount;
    }

    private static long Wrap(long value, DType dtype) => dtype switch { DType.U8 => (byte)value, DType.I32 => (int)value, _ => value };
}

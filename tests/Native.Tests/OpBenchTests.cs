using Native.Benchmarks;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>The rows of <c>native bench ops</c>: they are what the workloads run, they run, and they count right.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class OpBenchTests(ITestOutputHelper output)
{
    [Fact]
    public void The_convolutions_of_the_workloads_are_the_rows()
    {
        var missing = new SortedSet<string>(StringComparer.Ordinal);
        var seen = new HashSet<(ConvRow, string)>();
        foreach (var row in WorkloadTable.All)
        {
            using var workload = row.Brief(DType.F32, 0);
            using var session = Profiler.Start();
            StepBench.Losses(workload);
            foreach (var e in session.Events.Where(e => e.Name.StartsWith("conv", StringComparison.Ordinal)).DistinctBy(e => (e.Name, e.Shapes, e.Flops)))
            {
                var known = ConvShapes.All.Where(c => c.Workloads.Contains(row.Name) && Is(e, c)).ToList();
                known.ForEach(c => seen.Add((c, row.Name)));
                if (known.Count != 1)
                    missing.Add($"{row.Name}: {e.Name} {e.Shapes}, {e.Flops} operations, is {known.Count} rows");
            }
        }
        var unused = ConvShapes.All.SelectMany(c => c.Workloads.Select(w => (c, w))).Where(p => !seen.Contains(p)).Select(p => $"{p.w} does not run {p.c.Name}");
        output.WriteLine($"{ConvShapes.All.Count} shapes");
        Assert.Equal([], missing.Concat(unused));
    }

    // The profiler prints operands and result; useful operations tell paddings apart that give the same sizes.
    private static bool Is(ProfilerEvent e, ConvRow row)
    {
        var s = row.Shape;
        Shape x = [s.Batch, s.Channels, s.Height, s.Width], w = [s.Filters, s.ChannelsPerGroup, s.KernelH, s.KernelW], y = [s.Batch, s.Filters, s.OutH, s.OutW];
        string shapes(Shape a, Shape b, Shape result, Shape? bias) => $"f32{a} f32{b}{(bias is { } c ? $" f32{c}" : "")} -> f32{result}";
        bool biased = e.Shapes.Split(' ').Length == 5;
        Assert.True(e.Name is "conv2d" or "conv2d_data_grad" or "conv2d_weight_grad", $"'{e.Name}' is a convolution that this test does not know.");
        if (e is { Name: "conv2d_data_grad" } && biased && !row.Transposed)
            return false;
        return e.Flops == s.Flops && e.Shapes == (e.Name switch
        {
            "conv2d" => shapes(x, w, y, biased ? [s.Filters] : null),
            "conv2d_data_grad" => shapes(y, w, x, biased ? [s.Channels] : null),
            _ => shapes(x, y, w, null),
        });
    }

    [Fact]
    public void Names_are_unique_and_every_family_has_a_class()
    {
        Assert.Equal(OpBench.All.Count, OpBench.All.Select(o => o.Name).Distinct().Count());
        var classes = OpSpeed.Families.Select(f => ((OpSpeed)Activator.CreateInstance(f)!).Names.ToList()).ToList();
        Assert.All(classes, Assert.NotEmpty);
        Assert.Equal(OpBench.All.Select(o => o.Name).Order(), classes.SelectMany(n => n).Order());
    }

    [Fact]
    public void Every_row_but_the_largest_runs_and_leaves_nothing_behind() => OpKit.OnFreshThread(() =>
    {
        var small = OpBench.All.Where(o => o.Flops < 2e8 && o.Bytes < 4e7).ToList();
        Assert.Equal(OpBench.All.Select(o => o.Case.Kind).Distinct().Order(), small.Select(o => o.Case.Kind).Distinct().Order());
        var before = Ambient.Current.Allocator.Stats;
        foreach (var op in small)
        {
            using var constant = Autograd.NoGrad();
            using var scope = TensorScope.Begin("row");
            using var call = op.Prepare();
            var prepared = Ambient.Current.Allocator.Stats;
            using (TensorScope.Begin("calls"))
            {
                call.Run();
                call.Run();
            }
            var after = Ambient.Current.Allocator.Stats;
            // Moments are made by the first update.
            if (op.Family != "optim")
                Assert.True(prepared.Live == after.Live, $"{op.Name}: {prepared.Live} bytes before, {after.Live} after");
        }
        Assert.Equal(before.Live, Ambient.Current.Allocator.Stats.Live);
        output.WriteLine($"{small.Count} of {OpBench.All.Count} rows");
    });

    [Fact]
    public void Timing_counts_managed_bytes_of_a_call()
    {
        var row = new OpBench("test", "allocates", new("none"), 0, 1, () => new OpCall(() => GC.KeepAlive(new byte[1000])));
        // An array of 1000 bytes has a header of 24.
        Assert.InRange(row.Time(0.01, CancellationToken.None).Managed, 1024, 1124);
    }

    [Fact]
    public void Rows_are_selected_by_part_of_their_name_or_by_workload()
    {
        Assert.Equal(["matmul-64-nn", "matmul-64-nt", "matmul-64-tn", "matmul-64-tt"], OpBench.Select("matmul-64").Select(o => o.Name));
        Assert.Equal(OpBench.All.Count, OpBench.Select(null).Count);
        Assert.All(OpBench.Select("srm-mnist"), o => Assert.Contains("srm-mnist", o.Workloads));
        Assert.Equal(["relu-1048576", "adam-srm"], OpBench.Select("adam-srm,relu").Select(o => o.Name));
        foreach (string wrong in (string[])["matmull", ""])
            Assert.StartsWith($"bench: no op's name contains '{wrong}', and it is no workload.", Assert.Throws<UsageException>(() => OpBench.Select($"matmul-64,{wrong}")).Message);
    }

    [Fact]
    public void BenchmarkDotNet_runs_a_row()
    {
        using StringWriter text = new(), error = new();
        Assert.Equal(0, App.Run(["bench", "bdn", "--filter", "*recorded-add*", "--job", "dry"], text, error));
        Assert.Equal(2, App.Run(["bench", "bdn", "--filter", "*no-such-row*", "--job", "dry"], text, error));
        Assert.Equal(2, App.Run(["bench", "bdn", "--job", "shrt"], text, error));
        string[] sentences = error.ToString().TrimEnd().Split(error.NewLine);
        Assert.StartsWith("bench bdn: no benchmark matches '*no-such-row*'. The classes are ", sentences[0], StringComparison.Ordinal);
        Assert.Equal("job: 'shrt' is not known; there are dry, short, medium, long. Did you mean 'short'?", sentences[1]);
    }

    [Fact]
    public void Steps_of_methods_are_timed_task_by_task()
    {
        using var folder = new TemporaryFolder();
        string json = folder.File("methods.json");
        using var screen = new StringWriter();
        Assert.Equal(0, App.Run(["bench", "methods", "--only", "naive,er", "--steps", "3", "--json", json], screen, TextWriter.Null));
        using var read = System.Text.Json.JsonDocument.Parse(File.ReadAllText(json));
        foreach (string method in (string[])["naive", "er"])
        {
            var figures = read.RootElement.GetProperty("methods").GetProperty(method);
            double[] medians = [.. figures.GetProperty("medianSeconds").EnumerateArray().Select(v => v.GetDouble())];
            Assert.Equal(5, medians.Length);
            Assert.All(medians, m => Assert.InRange(m, 1e-6, 60));
            Assert.Equal(medians[4] / medians[1], figures.GetProperty("lastOverSecond").GetDouble(), 1e-12);
        }
        Assert.Contains("last / second", screen.ToString(), StringComparison.Ordinal);
    }
}

using System.Text.RegularExpressions;

namespace Native.Tests;

/// <summary>Every row says what it takes at the least: operations and bytes, or why there are none.</summary>
[Trait("Category", "Cpu")]
public sealed class OpCostTests
{
    [Fact]
    public void Every_row_states_its_operations_and_its_bytes()
    {
        var met = new HashSet<string>(StringComparer.Ordinal);
        OpKit.ForEachSample((row, s, k) =>
        {
            var x = OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k)));
            using var session = Profiler.Start();
            s.Run(x);
            foreach (var e in session.Events.Where(e => row.Names.Contains(e.Name)))
            {
                // Of nothing, or to nothing, there is nothing to do.
                if (Regex.IsMatch(e.Shapes, @"[\[,]0[\],]"))
                    continue;
                met.Add(e.Name);
                if (Fault(e.Flops, e.Bytes, e.NoFlops) is { } fault)
                    return $"{e.Name}: {fault}";
            }
            return null;
        });
        // Views run no kernel and so no event tells of them; they share one statement.
        var views = typeof(ViewOp).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(ViewOp))).ToList();
        Assert.NotEmpty(views);
        Assert.Equal((0, 0), (ViewOp.Cost.Flops, ViewOp.Cost.Bytes));
        Assert.NotNull(ViewOp.Cost.NoFlops);
        var unmet = OpTable.All.Where(r => !r.Names.Any(met.Contains)).Select(r => r.Name).ToList();
        Assert.True(unmet.Count == views.Count, $"{unmet.Count} rows were not met, {views.Count} are views: {string.Join(", ", unmet)}");
    }

    private static string? Fault(long flops, long bytes, string? noFlops) =>
        bytes <= 0 ? "states no bytes" : flops < 0 || (flops == 0) != (noFlops is { Length: > 0 }) ? $"states {flops} operations and the reason '{noFlops}' for none" : null;

    [Fact]
    public void A_statement_that_is_missing_is_a_fault()
    {
        Assert.NotNull(Fault(0, 8, null));
        Assert.NotNull(Fault(3, 8, "moves"));
        Assert.NotNull(Fault(3, 0, null));
        Assert.Null(Fault(3, 8, null));
        Assert.Null(Fault(0, 8, "moves"));
    }

    [Theory]
    [InlineData("a * (T(1) - b * b)", 3)]
    [InlineData("nat_tanh(a + b)", 2)]
    [InlineData("(a + b) > T(0) ? (a + b) : (a + b) * p", 3)]
    [InlineData("-a", 1)]
    [InlineData("a != a ? a : (a < b ? a : b)", 2)]
    [InlineData("T(a > T(0)) - T(a < T(0))", 3)]
    [InlineData("b == T(0) ? T(0) : a / b", 2)]
    [InlineData("nat_cosh(b * p < T(-50) ? T(-50) : b * p)", 4)]
    [InlineData("x", 0)]
    [InlineData("nat_lowest<T>()", 0)]
    public void Operations_are_counted_in_the_kernels_text(string cuda, int flops) => Assert.Equal(flops, OpCost.FlopsOf(cuda));

    [Fact]
    public void Costs_are_those_of_the_definition()
    {
        using var scope = TensorScope.Begin("costs");
        Tensor x = Tensor.Ones([4, 6]), row = Tensor.Ones([6]);
        Assert.Equal((24, 4 * (24 + 6 + 24)), Cost("add", () => _ = x + row));
        Assert.Equal((24, 4 * (6 + 24 + 24)), Cost("add", () => _ = row.Expand([4, 6]) + x));
        Assert.Equal((24, 4 * (24 + 4)), Cost("sum", () => x.Sum(1)));
        Assert.Equal((2 * 4 * 6 * 4, 4 * (24 + 24 + 16)), Cost("matmul", () => x.MatMul(x.T)));
        Assert.Equal((5 * 24, 4 * 48), Cost("softmax", () => x.Softmax(1)));
        // Two of four rows are read, whatever the others hold.
        Assert.Equal((0, 2 * 8 + 4 * 2 * 12), Cost("index_select", () => x.TakeRows(Tensor.From(0L, 2L))));
    }

    private static (long Flops, long Bytes) Cost(string name, Action run)
    {
        using var session = Profiler.Start();
        run();
        var e = Assert.Single(session.Events, e => e.Name == name);
        return (e.Flops, e.Bytes);
    }
}

using Xunit.Abstractions;
using Xunit.Sdk;

namespace Native.Tests;

/// <summary>
/// Who checks the checks: every step of every vjp is broken in turn (wrong sign, forgotten factor, zero, exchanged operands), and the gradient
/// check of <see cref="GradTests"/> must notice each. A mutant that leaves every gradient equal (0 and -0 are) is no fault and is listed.
/// </summary>
public class MutationTests(MutationTests.Score score, ITestOutputHelper output) : IClassFixture<MutationTests.Score>
{
    /// <summary>Where the score goes to be seen: the output of a test that passes is not printed, a diagnostic message is.</summary>
    public sealed class Score(IMessageSink sink)
    {
        public void Print(string text) => sink.OnMessage(new DiagnosticMessage(text));
    }

    [Fact]
    public void Every_broken_derivative_is_caught()
    {
        int caught = 0;
        List<string> survivors = [], equivalent = [];
        foreach (var row in OpTable.All)
        {
            var samples = Choose(row);
            if (samples.Count == 0)
                continue;
            bool Target(Op op) => OpTable.RowOf(op) == row.Name;
            int steps = samples.Max(s => Count(s, Target));
            for (int step = 0; step < steps; step++)
                foreach (var fault in (Fault[])[Fault.Sign, Fault.Drop, Fault.Zero, Fault.Swap])
                {
                    string name = $"{row.Name} step {step} {fault}";
                    bool applied = false;
                    if (samples.TrueForAll(s => Unchanged(s, Target, fault, step, ref applied)))
                    {
                        if (applied)
                            equivalent.Add(name);
                    }
                    else if (samples.Exists(s => Catches(s, Target, fault, step)))
                        caught++;
                    else
                        survivors.Add(name);
                }
        }
        score.Print($"mutation score: {caught} of {caught + survivors.Count} broken derivatives caught; {equivalent.Count} mutants changed no gradient");
        output.WriteLine($"{caught} broken derivatives caught, {survivors.Count} survived: {100.0 * caught / (caught + survivors.Count):0.0} %");
        output.WriteLine($"{equivalent.Count} mutants changed no gradient: {string.Join("; ", equivalent)}");
        Assert.True(caught > 100, $"only {caught} mutants: the hook does not reach the derivatives");
        Assert.True(survivors.Count == 0, "not caught: " + string.Join("; ", survivors));
    }

    private sealed record Case(string Row, Func<Tensor[], Tensor[]> F, double[][] Values, Sample Sample, int Orders, ulong Seed)
    {
        public (Func<Tensor[], Tensor[]> F, Tensor[] Inputs) Make(int? only = null) => SampleValues.Differentiable(Sample, OpKit.Make(Sample, Values), only: only);
    }

    // Small samples are enough, but every distinct number of inputs, rank and label should be there: a fault may show in one of them only.
    private static List<Case> Choose(OpRow row) =>
        [.. row.Samples.Select((s, k) => (s, k)).Where(c => c.s.Orders > 0 && c.s.Inputs.Any(i => i.DType is null) && c.s.Inputs.All(i => i.Shape.Count is > 0 and <= 256))
            .OrderBy(c => c.s.Inputs.Sum(i => i.Shape.Count) is var n && n < 4 ? 1000 : n).Take(6)
            .Select(c => new Case(row.Name, c.s.Run, SampleValues.Draw(c.s, SampleValues.Seed(row.Name, c.k)), c.s, c.s.Orders, SampleValues.Seed(row.Name, c.k)))];

    private static int Count(Case c, Func<Op, bool> target)
    {
        using var scope = TensorScope.Begin("count");
        var (f, inputs) = c.Make();
        using var mutation = new Mutation(target, Fault.None, -1);
        OpKit.Derivatives(f, inputs, Math.Min(2, c.Orders));
        return mutation.Steps;
    }

    // As GradTests: all inputs together, then each alone.
    private static bool Catches(Case c, Func<Op, bool> target, Fault fault, int step)
    {
        for (int order = 1; order <= Math.Min(2, c.Orders); order++)
            if (Fails(c, target, fault, step, order, null))
                return true;
        foreach (int input in SampleValues.Free(c.Sample))
            for (int order = 1; order <= Math.Min(2, c.Orders); order++)
                if (Fails(c, target, fault, step, order, input))
                    return true;
        return false;
    }

    private static bool Fails(Case c, Func<Op, bool> target, Fault fault, int step, int order, int? only)
    {
        using var scope = TensorScope.Begin("mutant");
        var (f, inputs) = c.Make(only);
        using var mutation = new Mutation(target, fault, step);
        try
        {
            return !GradCheck.RunAll(f, inputs, new()
            {
                Name = c.Row,
                Order = order,
                Mode = GradCheckMode.Projected,
                Directions = 2,
                Seed = c.Seed,
                Localize = false,
                Repeat = false,
                VaryIncoming = only is null,
            }).Passed;
        }
        catch (TensorException)
        {
            return true;
        }
    }

    private static bool Unchanged(Case c, Func<Op, bool> target, Fault fault, int step, ref bool applied)
    {
        using var scope = TensorScope.Begin("equivalent");
        var (f, inputs) = c.Make();
        double[][] right = OpKit.ToDoubles([.. OpKit.Derivatives(f, inputs, Math.Min(2, c.Orders))]);
        using var mutation = new Mutation(target, fault, step);
        bool same = right.Zip(OpKit.ToDoubles([.. OpKit.Derivatives(f, inputs, Math.Min(2, c.Orders))])).All(p => p.First.SequenceEqual(p.Second));
        applied |= mutation.Applied;
        return same;
    }
}

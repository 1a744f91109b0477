using Native.Methods;

namespace Native.Tests;

public sealed class MetricsTests
{
    private static AccuracyMatrix Matrix(params double[][] rows)
    {
        var a = new AccuracyMatrix(rows[0].Length);
        foreach (double[] row in rows)
            a.AddRow(row);
        return a;
    }

    private static readonly AccuracyMatrix Three = Matrix([0.1, 0.1, 0.1], [0.9, 0.2, 0.1], [0.5, 0.8, 0.3], [0.6, 0.4, 0.7]);

    private static void Near(double expected, Metric m) =>
        Assert.True(m.Value is { } v && Math.Abs(v - expected) <= 1e-12, $"{m.Name} is {m}, not {expected}");

    [Fact]
    public void Figures_of_three_tasks_by_hand()
    {
        Near((0.6 + 0.4 + 0.7) / 3, Metrics.AverageAccuracy(Three));
        Near((0.9 - 0.6 + (0.8 - 0.4)) / 2, Metrics.Forgetting(Three));
        Near((0.9 - 0.6 + (0.8 - 0.4)) / 2, Metrics.ForgettingWithFinalRow(Three));
        Near((0.6 - 0.9 + (0.4 - 0.8)) / 2, Metrics.BackwardTransfer(Three));
        Near((0.2 - 0.1 + (0.3 - 0.1)) / 2, Metrics.ForwardTransfer(Three, Scenario.TaskIncremental));
        Near((0.9 + (0.5 + 0.8) / 2 + (0.6 + 0.4 + 0.7) / 3) / 3, Metrics.AverageIncrementalAccuracy(Three));
    }

    [Fact]
    public void The_codes_of_gem_divide_by_all_tasks()
    {
        Near((0.6 - 0.9 + (0.4 - 0.8)) / 3, Metrics.BackwardTransferOfCode(Three));
        Near((0.2 - 0.1 + (0.3 - 0.1)) / 3, Metrics.ForwardTransferOfCode(Three, Scenario.DomainIncremental));
        Assert.Equal(Metrics.ForwardTransfer(Three, Scenario.ClassIncremental).Reason, Metrics.ForwardTransferOfCode(Three, Scenario.ClassIncremental).Reason);
        Assert.Equal(Metrics.All(Three, Scenario.TaskIncremental).Count, Metrics.All(Three, Scenario.TaskIncremental).Select(m => m.Key).Distinct().Count());
    }

    [Fact]
    public void The_curve_has_a_point_after_every_task_and_none_for_what_has_not_happened()
    {
        var curve = Metrics.IncrementalCurve(Three);
        Near(0.9, curve[0]);
        Near((0.5 + 0.8) / 2, curve[1]);
        Near(Metrics.AverageAccuracy(Three).Value!.Value, curve[2]);
        Near(curve.Average(m => m.Value!.Value), Metrics.AverageIncrementalAccuracy(Three));
        var half = new AccuracyMatrix(2);
        half.AddRow(0.1, 0.1);
        half.AddRow(0.9, 0.1);
        Near(0.9, Metrics.IncrementalAccuracy(half, 1));
        Assert.Equal("n/a: the run has 1 of 2 phases", Metrics.IncrementalAccuracy(half, 2).ToString());
        Assert.Equal("n/a: there are 2 tasks", Metrics.IncrementalAccuracy(half, 3).ToString());
        // MyGO, table 2, is the running mean of its table 1: nothing ever changed after each task.
        double[] final = [0.9923, 0.9514, 0.9696, 0.9946, 0.9515];
        var mygo = Matrix([0, 0, 0, 0, 0], final, final, final, final, final);
        Assert.All(Metrics.IncrementalCurve(mygo).Zip([99.23, 97.19, 97.11, 97.70, 97.19]), p => Assert.Equal(p.Second, 100 * p.First.Value!.Value, 0.0051));
    }

    [Fact]
    public void The_two_forgettings_differ_where_the_last_phase_is_the_best()
    {
        var a = Matrix([0.1, 0.1, 0.1], [0.9, 0.2, 0.1], [0.5, 0.8, 0.3], [0.6, 0.95, 0.7]);
        Near((0.9 - 0.6 + (0.8 - 0.95)) / 2, Metrics.Forgetting(a));
        Near((0.9 - 0.6 + 0) / 2, Metrics.ForgettingWithFinalRow(a));
        Assert.True(Metrics.Forgetting(Matrix([0.5, 0.5], [0.6, 0.5], [0.9, 0.9])).Value < 0);
    }

    [Fact]
    public void The_maximum_of_forgetting_leaves_out_the_random_initialisation() =>
        Near(0.3 - 0.2, Metrics.Forgetting(Matrix([0.9, 0.9], [0.3, 0.1], [0.2, 0.8])));

    [Fact]
    public void What_is_undefined_says_why()
    {
        var one = Matrix([0.5], [0.9]);
        Assert.Equal("n/a: one task has no earlier one", Metrics.Forgetting(one).ToString());
        Near(0.9, Metrics.AverageAccuracy(one));
        var joint = new AccuracyMatrix(2, joint: true);
        joint.AddRow(0.1, 0.1);
        joint.AddRow(0.9, 0.8);
        Near(0.85, Metrics.AverageAccuracy(joint));
        Assert.Equal("n/a: joint training sees all tasks at once", Metrics.BackwardTransfer(joint).ToString());
        Assert.Equal("n/a: joint training sees all tasks at once", Metrics.AverageIncrementalAccuracy(joint).ToString());
        var half = new AccuracyMatrix(2);
        half.AddRow(0.1, 0.1);
        half.AddRow(0.9, 0.1);
        Assert.Equal("n/a: the run has 1 of 2 phases", Metrics.AverageAccuracy(half).ToString());
        Assert.Equal("n/a: class-incremental heads cannot answer with a class before its task",
            Metrics.ForwardTransfer(Three, Scenario.ClassIncremental).ToString());
        Assert.All(Metrics.All(half, Scenario.ClassIncremental), m => Assert.True(m.Value is null && m.Reason is not null));
    }

    [Fact]
    public void The_matrix_refuses_what_is_no_accuracy()
    {
        var a = new AccuracyMatrix(2);
        Assert.Equal("accuracy matrix: a row has 2 accuracies; got 1.", Assert.Throws<UsageException>(() => a.AddRow(0.5)).Message);
        Assert.Equal("accuracy matrix: NaN is not a fraction from 0 to 1.", Assert.Throws<UsageException>(() => a.AddRow(0.5, double.NaN)).Message);
        Assert.Throws<UsageException>(() => a.AddRow(0.5, 50));
        a.AddRow(0.5, 0.25);
        Assert.Equal(0.25, a[0, 2]);
        Assert.Equal("accuracy matrix: there is no a[1,1]; rows 0 to 0 and tasks 1 to 2 are recorded.", Assert.Throws<UsageException>(() => a[1, 1]).Message);
        a.AddRow(0.5, 0.25);
        a.AddRow(0.5, 0.25);
        Assert.Throws<UsageException>(() => a.AddRow(0.5, 0.25));
    }
}

using System.Text.Json;
using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>The published numbers are those of the papers, each is declared once, and what is built can be configured as its row asks.</summary>
public sealed class PaperTableTests
{
    // Numbers printed in each table, counted on paper: rows times columns less what is left blank.
    [Theory]
    [InlineData("arm/table1", 121, 0)]    // 18 rows x 7, no forgetting for the stationary row, no M for iCarl and GEM
    [InlineData("arm/table2", 104, 0)]    // 15 rows
    [InlineData("arm/table3", 103, 0)]    // 15 rows, no M for GEM
    [InlineData("arm/table4", 8, 0)]      // 3 x 3, no "no distill" for LwF
    [InlineData("arm/table5", 21, 0)]
    [InlineData("arm/table6", 33, 0)]
    [InlineData("arm/table7", 28, 0)]
    [InlineData("arm/table8", 28, 0)]     // 7 layers x 2 classes x hard and soft
    [InlineData("arm/table9", 16, 0)]     // 4 layers
    [InlineData("arm/figure3", 0, 3)]
    [InlineData("arm/figure4", 0, 8)]
    [InlineData("arm/figure5", 0, 3)]
    [InlineData("arm/figure6", 0, 8)]
    [InlineData("arm/figure7", 0, 3)]
    [InlineData("srm/table1", 30, 4)]     // 10 rows x 3
    [InlineData("srm/table1-stabilised", 4, 0)]
    [InlineData("srm/table2", 42, 0)]
    [InlineData("srm/table3", 14, 0)]
    [InlineData("srm/table4", 8, 0)]
    [InlineData("srm/table5", 54, 0)]     // 27 architectures
    [InlineData("srm/table6", 12, 0)]
    [InlineData("srm/table7", 40, 0)]     // 5 numbers of episodes x 8
    [InlineData("srm/table8", 40, 0)]
    [InlineData("srm/table9", 30, 0)]
    [InlineData("srm/omniglot", 7, 0)]
    [InlineData("srm/omniglot-distillation", 7, 0)]
    [InlineData("srm/figure2", 0, 2)]
    [InlineData("srm/figure3", 0, 3)]
    [InlineData("srm/figure4", 0, 2)]
    [InlineData("srm/figure5", 0, 1)]
    [InlineData("srm/figure6", 0, 3)]
    [InlineData("srm/figure7", 0, 2)]
    [InlineData("dgm/table1", 42, 0)]     // JT 8, iCarl 3, EWC-S, RWalk-S, PI-S, EWC-M 4, DGR 4, MeRGAN 4, DGMw 8, DGMa 8
    [InlineData("dgm/table2", 40, 0)]     // 10 rows x 4
    [InlineData("dgm/table3", 12, 0)]
    [InlineData("dgm/table4", 12, 0)]
    [InlineData("dgm/figure2", 0, 3)]
    [InlineData("dgm/figure3", 0, 2)]
    [InlineData("dgm/figure4", 2, 2)]
    [InlineData("synthetic/figure4", 0, 7)]
    [InlineData("synthetic/figure5", 0, 22)]
    [InlineData("mygo/table1", 72, 24)]   // 6 + 3 columns x 2 rows printed; each also on test data, in two more readings, and for a part of AG News
    [InlineData("mygo/table2", 30, 0)]    // 5 x 2 printed, likewise
    [InlineData("mygo/comparison", 0, 48)]
    [InlineData("mygo/flags", 0, 12)]
    public void Every_printed_number_is_declared(string id, int numbers, int claims)
    {
        var table = PaperTables.Find(id);
        Assert.Equal((numbers, claims), (table.Cells.Count, table.Claims.Count));
    }

    // The curves that figures 4 and 5 draw cost no run that their claims do not need.
    [Theory]
    [InlineData("synthetic/figure4", 5, 5, 1.0, 5.0)]
    [InlineData("synthetic/figure5", 3, 5, 1.0, 75.0)]
    public void Figures_of_synthetic_data_have_their_curves(string id, int series, int each, double from, double to)
    {
        var table = PaperTables.Find(id);
        Assert.Equal(Enumerable.Repeat(each, series), table.Points.GroupBy(p => p.Series).Select(g => g.Count()));
        Assert.All(table.Points.GroupBy(p => p.Series), g => Assert.Equal((from, to), (g.Min(p => p.X), g.Max(p => p.X))));
        Assert.Subset(table.Claims.SelectMany(c => c.Recipes).Select(r => r.Command).ToHashSet(), table.Points.Select(p => p.Recipe.Command).ToHashSet());
        foreach (var point in table.Points)
            Assert.Equal(id == "synthetic/figure4" ? $"average{point.X}" : "averageAccuracy", point.YMeasure);
        if (id == "synthetic/figure5")
            Assert.All(table.Points, p => Assert.Equal($"innerSteps={p.X}", p.Recipe.Options[^1]));
    }

    // A row's own command must make that row, whatever else a method of its name, or the commas within it, would mean.
    [Theory]
    [InlineData("mygo/table2", "MyGO", "MyGO")]
    [InlineData("mygo/table2", "MyGO, repaired (test data)", "MyGO, repaired (test data)")]
    [InlineData("mygo/table2", "mygo", "MyGO", "MyGO (test data)", "MyGO, as the text has it (test data)", "MyGO, repaired (test data)")]
    [InlineData("mygo/table2", "mygo-finetune", "Fine-tuning", "Fine-tuning (test data)")]
    [InlineData("mygo/table2", "fine-tuning,MYGO, repaired*", "Fine-tuning", "MyGO", "MyGO (test data)", "MyGO, as the text has it (test data)", "MyGO, repaired (test data)")]
    [InlineData("arm/table3", "GEN-MIR", "GEN-MIR")]
    public void A_row_that_is_named_in_full_is_the_only_one(string id, string only, params string[] rows)
    {
        using var folder = new TemporaryFolder();
        var reproduction = new Reproduction(PaperTables.Find(id), Preset.Quick, 1, DataFolder.From(null, null), new Filter(only));
        Assert.Equal(rows, reproduction.Compare(new CellStore(folder.Path)).Select(c => c.Row).Distinct());
        if (rows.Length == 1)
            Assert.Single(reproduction.Plan());
    }

    [Fact]
    public void Every_table_is_counted_above_and_no_number_is_declared_twice()
    {
        var counted = typeof(PaperTableTests).GetMethod(nameof(Every_printed_number_is_declared))!.GetCustomAttributesData()
            .Where(a => a.AttributeType == typeof(InlineDataAttribute)).Select(a => (string)((IReadOnlyList<System.Reflection.CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!)[0].Value!);
        Assert.Equal(counted, PaperTables.All.OrderBy(t => counted.ToList().IndexOf(t.Id)).Select(t => t.Id));
        foreach (var table in PaperTables.All)
        {
            Assert.Equal(table.Cells.Count, table.Cells.DistinctBy(c => (c.Row, c.Column.Name)).Count());
            Assert.Equal(table.Claims.Count, table.Claims.DistinctBy(c => c.Text).Count());
            Assert.All(table.Cells, c => Assert.NotEqual("", c.Provenance));
            Assert.All(table.Claims, c => Assert.NotEqual("", c.Provenance));
        }
    }

    [Theory]
    [InlineData("arm/table1", "ER-MIR 200", "Forgetting", 50.2, 2.0)]
    [InlineData("arm/table1", "ARM", "Accuracy", 26.9, 1.1)]
    [InlineData("arm/table2", "ER 10000", "Accuracy", 24.8, 1.0)]
    [InlineData("arm/table2", "ADI", "Forgetting", 8.11, 2.1)]
    [InlineData("arm/table3", "Naive SGD (stationary)", "Accuracy", 87.1, 0.6)]
    [InlineData("arm/table3", "ER 50", "Forgetting", 42.0, 3.7)]
    [InlineData("arm/table3", "ARM", "Accuracy", 56.2, 3.5)]
    [InlineData("arm/table3", "GEN-MIR", "Forgetting", 17.0, 0.4)]
    [InlineData("arm/table1", "GEN", "+Model mem. #params", 8.63e6, null)]
    [InlineData("arm/table1", "iCarl (5 iter) 200", "+Sample mem. MB", 0.61, null)]
    [InlineData("arm/table2", "ARM", "+Model mem. MB", 4.63, null)]
    [InlineData("arm/table3", "GEN-MIR", "M", 100.0, null)]
    [InlineData("arm/table3", "Distill (LwF)", "+Model mem. #params", 478e3, null)]
    [InlineData("srm/table1", "EwC 18288", "Items", 1000.0, null)]
    [InlineData("srm/table2", "GEM Recollections 60", "Incremental Storage", 60.0, null)]
    [InlineData("arm/table4", "Unit lag (T = 1)", "ADI", 14.4, 1.6)]
    [InlineData("arm/table6", "MNIST", "eta1", 25.0, null)]
    [InlineData("arm/table7", "S = 20 (doubled)", "Forgetting", 10.3, 8.4)]
    [InlineData("arm/table8", "Conv 5 (hard targets)", "Corr. class 1", -0.181, 0.195)]
    [InlineData("arm/table9", "FC 3 (soft targets)", "Corr. class 2", 0.100, 0.293)]
    [InlineData("srm/table1", "GEM Recollections 200", "Retention", 81.5, null)]
    [InlineData("srm/table2", "GEM Real Storage 20", "Retention", 23.4, null)]
    [InlineData("srm/table3", "GEM Recollections - CIFAR-10 Transfer", "Retention", 54.2, null)]
    [InlineData("srm/table5", "c = 62, l = 2", "Distortion", 0.04073, null)]
    [InlineData("srm/table6", "h = 5", "Distortion", 0.0354035, null)]
    [InlineData("srm/table7", "1000 episodes", "2% Sample", 90.71, null)]
    [InlineData("srm/table8", "100 episodes", "100x Compress", 42.31, null)]
    [InlineData("srm/table9", "10000 episodes", "Active 10x Compress", 98.61, null)]
    [InlineData("dgm/table1", "MNIST: DGMa", "A10", 97.92, null)]
    [InlineData("dgm/table1", "SVHN: DGR", "A5", 61.29, null)]
    [InlineData("dgm/table2", "DGMw (r=0.5)", "Top-5 A50", 71.72, null)]
    [InlineData("dgm/table3", "SVHN: DGMw", "Size final", 3.99e5, null)]
    [InlineData("dgm/table4", "Masks", "Size10 DGMw (MB)", 9.9, null)]
    [InlineData("mygo/table1", "Split-MNIST: Fine-tuning", "T3 Acc.", 21.90, null)]
    [InlineData("mygo/table1", "Split-AG News: MyGO", "Average Acc.", 75.03, null)]
    [InlineData("mygo/table2", "Fine-tuning", "After Task 4", 73.06, null)]
    public void Numbers_are_as_printed(string id, string row, string column, double value, double? spread)
    {
        var cell = Assert.Single(PaperTables.Find(id).Cells, c => c.Row == row && c.Column.Name == column);
        Assert.Equal((value, spread), (cell.Value, cell.Spread));
    }

    // A check on transcription that the papers carry in themselves: what a table repeats elsewhere, and what follows from a row.
    [Fact]
    public void Numbers_that_depend_on_each_other_agree()
    {
        PaperCell cell(string id, string row, string column) => PaperTables.Find(id).Cells.Single(c => c.Row == row && c.Column.Name == column);
        Assert.Equal((26.9, 1.1), (cell("arm/table4", "Baseline (CIFAR10)", "ARM").Value, cell("arm/table7", "Baseline (CIFAR10)", "Accuracy").Spread));
        foreach (string method in (string[])["Distill (LwF)", "ADI", "ARM"])
            Assert.Equal(cell("arm/table1", method, "Accuracy").Value, cell("arm/table4", "Baseline (CIFAR10)", method).Value);
        foreach (var compression in PaperTables.Find("srm/table5").Cells.Where(c => c.Column.Name == "Compression"))
        {
            int[] cl = [.. System.Text.RegularExpressions.Regex.Matches(compression.Row, @"\d+").Select(m => int.Parse(m.Value))];
            Assert.Equal(28 * 28 * 8 / (cl[0] * Math.Ceiling(Math.Log2(cl[1]))), compression.Value, 6e-4);
        }
        foreach (string data in (string[])["Split-MNIST", "Split-AG News"])
            foreach (string method in (string[])["Fine-tuning", "MyGO"])
            {
                var row = PaperTables.Find("mygo/table1").Cells.Where(c => c.Row == $"{data}: {method}").Select(c => c.Value).ToList();
                Assert.Equal(row[..^1].Average(), row[^1], 0.0101);
            }
        foreach (string size in (string[])["Size5 DGMa", "Size5 DGMw", "Size10 DGMa", "Size10 DGMw"])
            Assert.Equal(cell("dgm/table4", "Weights", $"{size} (MB)").Value + cell("dgm/table4", "Masks", $"{size} (MB)").Value, cell("dgm/table4", "Total", $"{size} (MB)").Value, 0.05);
        foreach (string data in (string[])["MNIST", "SVHN"])
            foreach (string method in (string[])["DGMw", "MeRGAN"])
                Assert.Equal(cell("dgm/table1", $"{data}: {method}", "A10").Value, cell("dgm/table3", $"{data}: {method}", "A10(%)").Value);
        string[] same = ["10 episodes", "100 episodes", "1000 episodes", "10000 episodes", "100000 episodes"];
        foreach (string row in same)
            foreach (string column in (string[])["Real Data", "Real x Teacher y"])
                Assert.Equal(cell("srm/table7", row, column).Value, cell("srm/table9", row, column).Value);
    }

    // Maximally Interfered Retrieval counts the last row among the best ones, Automatic Recall Machines does not.
    [Theory]
    [InlineData("arm/table1")]
    [InlineData("arm/table2")]
    [InlineData("arm/table3")]
    public void Rows_that_another_code_made_are_measured_as_it_measures(string id)
    {
        var forgetting = PaperTables.Find(id).Cells.Where(c => c.Column.Name == "Forgetting").ToList();
        Assert.Contains(forgetting, c => c.Row == "GEN-MIR" && c.Column.Measure == "forgettingMir");
        Assert.All(forgetting, c => Assert.Equal(c.Row.Split(' ')[0] is "ER" or "ER-MIR" or "GEN" or "GEN-MIR" ? "forgettingMir" : "forgetting", c.Column.Measure));
    }

    [Fact]
    public void Colour_rows_run_on_the_data_of_the_code_that_made_them_or_say_why_not()
    {
        foreach (var cell in PaperTables.Find("arm/table1").Cells.Concat(PaperTables.Find("arm/table2").Cells))
        {
            bool generative = cell.Row is "GEN" or "GEN-MIR";
            if (cell.Recipe is null || cell.Column.Measure is not ("averageAccuracy" or "forgetting" or "forgettingMir" or "storageBits"))
                continue;
            Assert.Equal(generative, cell.NotComparable?.Contains("is not built", StringComparison.Ordinal) ?? false);
            Assert.False(generative && cell.Column.Measure != "storageBits" && cell.Provenance.Contains("released code", StringComparison.Ordinal), cell.Row);
            if (cell.Recipe.Stream.StartsWith("cifar", StringComparison.Ordinal))
                Assert.Equal(cell.Recipe.Options.Any(o => o.StartsWith("capacity=", StringComparison.Ordinal)) ? "cifar10-mir-5" : "cifar10-5", cell.Recipe.Stream);
            else
                Assert.Equal(cell.Recipe.Options.Any(o => o.StartsWith("capacity=", StringComparison.Ordinal)) ? "miniimagenet-mir-20" : "miniimagenet-20", cell.Recipe.Stream);
        }
    }

    [Fact]
    public void Rows_of_methods_that_exist_can_be_configured_at_either_size()
    {
        int configured = 0;
        foreach (var recipe in PaperTables.All.SelectMany(t => t.Recipes).Where(r => MethodTable.All.Any(m => m.Name == r.Method)))
            foreach (var preset in Enum.GetValues<Preset>())
            {
                Assert.Contains(recipe.Stream, StreamTable.All.Select(s => s.Name));
                var (cell, reason) = recipe.Resolve(preset, 0, DataFolder.From(null, null));
                Assert.True(cell is not null || reason == "data absent", $"{recipe.Command}: {reason}");
                // Quick runs need no data.
                Assert.True(preset == Preset.Paper || cell is not null, recipe.Command);
                configured += cell is null ? 0 : 1;
            }
        Assert.True(configured > 30);
        // The options of a row reach the cell.
        Assert.Equal(50, PaperTables.Find("arm/table3").Cells.First(c => c.Row == "ER 50").Recipe!.Resolve(Preset.Quick, 0, DataFolder.From(null, null)).Cell!.Options["capacity"]!.GetValue<int>());
    }

    [Fact]
    public void A_damaged_data_set_is_the_reason_of_its_rows_and_in_nobody_elses_way()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("mnist"));
        foreach (var name in new[] { "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1" })
            File.WriteAllText(Path.Combine(folder.File("mnist"), $"{name}-ubyte"), "rubbish");
        var (cell, reason) = new Recipe("er", "mnist-5k-5").Resolve(Preset.Paper, 0, DataFolder.From(folder.Path, null));
        Assert.Null(cell);
        Assert.StartsWith("data damaged: ", reason, StringComparison.Ordinal);
        Assert.Contains("train-images-idx3-ubyte", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_there_is_said()
    {
        using var folder = new TemporaryFolder();
        var store = new CellStore(folder.Path);
        var none = DataFolder.From(null, null);
        static bool measured(ReproducedCell c) => c.Column is "Accuracy" or "Forgetting" || c.Column == "+Model mem. MB" && c.Row == "ARM";
        Assert.All(new Reproduction(PaperTables.Find("arm/table3"), Preset.Paper, 2, none).Compare(store).Where(measured), c => Assert.Equal("not run: data absent", c.Verdict.ToString()));
        Assert.Empty(new Reproduction(PaperTables.Find("arm/table3"), Preset.Paper, 2, none).Plan());
        Assert.All(new Reproduction(new PaperTable("a/table1", "A paper", "A table", "none", 1, [new PaperCell("row", PaperColumn.Accuracy, 1, null, new Recipe("no-such-method", "split-mnist"))]), Preset.Paper, 2, none).Compare(store), c => Assert.Contains("not built", c.Verdict.ToString(), StringComparison.Ordinal));
        Assert.All(new Reproduction(PaperTables.Find("arm/table1"), Preset.Quick, 2, none).Compare(store).Where(measured), c => Assert.Equal("not run: no seed is finished", c.Verdict.ToString()));
    }

    [Fact]
    public void Seeds_that_failed_or_have_no_value_leave_no_verdict_and_are_told_everywhere()
    {
        using var folder = new TemporaryFolder();
        var (store, data) = (new CellStore(folder.Path), DataFolder.From(null, null));
        Recipe recipe = new("naive", "split-digits"), other = new("er", "split-digits");
        var table = new PaperTable("a/table1", "A paper", "A table", "none", 3, [new PaperCell("row", PaperColumn.Accuracy, 50, null, recipe) { Provenance = "here" }])
        { Claims = [new PaperClaim("one is above the other", recipe, "averageAccuracy", other) { Provenance = "here" }] };
        void finish(Recipe of, ulong seed, string value)
        {
            var cell = of.Resolve(Preset.Paper, seed, data).Cell!;
            store.Claim(cell)!.Dispose();
            store.Finish(cell, $"{{\"cell\":\"{cell.Id}\",{value}}}", []);
        }
        IReadOnlyList<ReproducedCell> rows() => new Reproduction(table, Preset.Paper, 3, data).Compare(store);
        for (ulong seed = 0; seed < 3; seed++)
        {
            finish(recipe, seed, "\"averageAccuracy\":0.5");
            finish(other, seed, $"\"averageAccuracy\":0.{seed}");
        }
        Assert.Equal(["equivalent", "claim holds"], rows().Select(r => r.Verdict.ToString()));
        finish(recipe, 1, "\"undefined\":{\"averageAccuracy\":\"no task\"}");
        Assert.All(rows(), r => Assert.Equal("inconclusive: 1 of 3 seeds failed or have no value: no task", r.Verdict.ToString()));
        var failed = recipe.Resolve(Preset.Paper, 1, data).Cell!;
        File.Delete(Path.Combine(store.Root, "cells", failed.Id, "result.json"));
        store.Fail(failed, "the loss is NaN.");
        Assert.All(rows(), r => Assert.Equal((2, "inconclusive: 1 of 3 seeds failed: the loss is NaN."), (r.Ours.Count, r.Verdict.ToString())));
        ReproductionReport.Write(folder.File("reports"), table, rows());
        Assert.All(Directory.GetFiles(folder.File("reports")), f => Assert.Equal(2, File.ReadAllText(f).Split("1 of 3 seeds failed: the loss is NaN.").Length - 1));
        // A seed that is still to come is not lost.
        File.Delete(Path.Combine(store.Root, "cells", failed.Id, "error.txt"));
        Assert.Equal("equivalent", rows()[0].Verdict.ToString());
    }

    [Fact]
    public void What_our_number_or_the_papers_means_stands_beside_the_verdict()
    {
        using var folder = new TemporaryFolder();
        var (store, none) = (new CellStore(folder.Path), DataFolder.From(null, null));
        IReadOnlyList<ReproducedCell> rows(string id) => new Reproduction(PaperTables.Find(id), Preset.Quick, 1, none).Compare(store);
        Assert.Equal(4, new Reproduction(PaperTables.Find("arm/figure4"), Preset.Quick, 1, none).Plan().Count);
        Assert.All(rows("arm/table8").Concat(rows("arm/table9")), r => Assert.StartsWith("the paper's spread is over 1000 images, ours over runs; ", r.Verdict.Reason, StringComparison.Ordinal));
        Assert.NotNull(PaperTables.Find("dgm/figure4").Cells.Single(c => c.Row == "DGMa").NotComparable);
    }

    /// <summary>A table of one real row, run for real at the quick size.</summary>
    [Fact]
    public void A_reproduction_runs_what_it_needs_once_and_reports_it_as_promised()
    {
        using var folder = new TemporaryFolder();
        using StringWriter output = new(), error = new();
        string json = folder.File("out.json");
        string[] line = ["reproduce", "arm/table3", "--preset", "quick", "--only", "Naive SGD,GEN*,Naive SGD (stationary)", "--seeds", "2", "--out", folder.File("runs"), "--json", json];
        Assert.Equal(0, App.Run([.. line, "--index", "0"], output, error));
        Assert.False(File.Exists(json));
        Assert.Equal(0, App.Run([.. line[..5], "Naive SGD,Naive SGD (stationary)", .. line[6..]], output, error));
        using var parsed = JsonDocument.Parse(File.ReadAllText(json));
        var rows = parsed.RootElement.EnumerateArray().ToList();
        // Accuracy and forgetting, one blank, and five of memory for each row.
        Assert.Equal(2 + 1 + 2 * 5, rows.Count);
        string[] keys = ["row", "column", "paper", "paperSpread", "mean", "interval", "n", "verdict", "reason", "command"];
        Assert.All(rows, r => Assert.Equal(keys, r.EnumerateObject().Select(p => p.Name)));
        var naive = rows.Single(r => r.GetProperty("row").GetString() == "Naive SGD" && r.GetProperty("column").GetString() == "Forgetting");
        Assert.Equal((95.6, 2.7, 2), (naive.GetProperty("paper").GetDouble(), naive.GetProperty("paperSpread").GetDouble(), naive.GetProperty("n").GetInt32()));
        Assert.InRange(naive.GetProperty("mean").GetDouble(), 50, 100);
        Assert.True(naive.GetProperty("interval").GetDouble() >= 0);
        Assert.Equal("not comparable", naive.GetProperty("verdict").GetString());
        Assert.StartsWith("preset quick", naive.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal("native reproduce arm/table3 --preset quick --seeds 2 --only \"Naive SGD\"", naive.GetProperty("command").GetString());
        Assert.Equal(["arm-table3.csv", "arm-table3.json", "arm-table3.md", "arm-table3.tex"], Directory.GetFiles(Path.Combine(folder.File("runs"), "reports")).Select(Path.GetFileName).Order());
        Assert.Equal(4, new CellStore(folder.File("runs")).All().Count);
        Assert.Contains("4 cells, 1 done already", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("native run naive --stream mnist-5k-5", File.ReadAllText(Path.Combine(folder.File("runs"), "reports", "arm-table3.md")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("8.63M", 8.63e6, 5e3)]
    [InlineData("478K", 478e3, 500)]
    [InlineData("0.04", 0.04, 0.005)]
    [InlineData("108", 108, 0.5)]
    public void A_printed_number_is_known_to_half_its_last_digit(string printed, double value, double half)
    {
        Assert.Equal(value, ArmMemory.Number(printed).Value);
        Assert.Equal(half, ArmMemory.Number(printed).Half, 1e-9);
    }

    // Printed 47.5K, 10K, 2.5K; 45.6K, 12K, 2.4K; 5K, 10K, 3K: what rounds to it is no difference, what does not is one.
    [Theory]
    [InlineData("CIFAR10", "#Train", 47_500, 50)]
    [InlineData("CIFAR10", "#Val", 2500, 50)]
    [InlineData("MiniImageNet", "#Test", 12_000, 500)]
    [InlineData("MNIST", "#Train", 5000, 500)]
    [InlineData("MNIST", "#Val", 3000, 500)]
    [InlineData("MNIST", "Tasks", 5, 0)]
    public void Rounded_numbers_have_a_margin_of_half_their_last_digit(string row, string column, double value, double margin)
    {
        var cell = PaperTables.Find("arm/table5").Cells.Single(c => c.Row == row && c.Column.Name == column);
        Assert.Equal((value, margin), (cell.Value, cell.Column.Margin));
    }

    [Fact]
    public void Counts_of_a_stream_need_no_run()
    {
        using var folder = new TemporaryFolder();
        var statistics = PaperTables.Find("arm/table5").Cells.Where(c => c.Row == "MNIST").Select(c => c with { Recipe = new Recipe("naive", "split-digits") }).ToList();
        var rows = new Reproduction(new PaperTable("a/table1", "A paper", "A table", "none", 1, statistics), Preset.Paper, 1, DataFolder.From(null, null)).Compare(new CellStore(folder.Path));
        Assert.Equal(7, rows.Count);
        Assert.Equal((5, 10, 2, 10), (rows[0].Ours.Mean, rows[1].Ours.Mean, rows[2].Ours.Mean, rows[6].Ours.Mean));
        Assert.Equal("equivalent", rows[6].Verdict.ToString());
    }

    [Fact]
    public void Hyper_parameters_of_table_6_are_our_defaults()
    {
        using var folder = new TemporaryFolder();
        var rows = new Reproduction(PaperTables.Find("arm/table6"), Preset.Paper, 1, DataFolder.From(null, null)).Compare(new CellStore(folder.Path));
        Assert.Equal(33, rows.Count);
        Assert.All(rows, r => Assert.True(r.Verdict.Name is "equivalent", $"{r.Row} {r.Column}: {r.Ours.Mean}, not {r.Paper}"));
    }
}

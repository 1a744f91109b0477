using System.Globalization;

namespace Native.Benchmarks;

/// <summary>Memory and replay size of tables 1 to 3 of Automatic Recall Machines: images and networks kept between steps, and images replayed per step (M).</summary>
internal static class ArmMemory
{
    private const string Provenance = "tables 1 to 3; appendix A.4 for M";

    // Row; #images; MB; #params; MB; M, as printed; - prints no number.
    private static readonly Dictionary<string, string> Printed = new(StringComparer.Ordinal)
    {
        ["arm/table1"] = """
        Naive SGD (stationary); 0; 0; 0; 0; 0
        ER 1000; 1000; 3.07; 0; 0; 10
        ER-MIR 1000; 1000; 3.07; 0; 0; 10
        iCarl (5 iter) 1000; 1000; 3.07; 0; 0; -
        GEM 1000; 1000; 3.07; 0; 0; -
        ER 200; 200; 0.61; 0; 0; 10
        ER-MIR 200; 200; 0.61; 0; 0; 10
        iCarl (5 iter) 200; 200; 0.61; 0; 0; -
        GEM 200; 200; 0.61; 0; 0; -
        ER 100; 100; 0.31; 0; 0; 10
        ER-MIR 100; 100; 0.31; 0; 0; 10
        ER 10; 10; 0.03; 0; 0; 10
        Naive SGD; 0; 0; 0; 0; 0
        GEN; 0; 0; 8.63M; 34.5; 100
        GEN-MIR; 0; 0; 9.50M; 38.0; 40
        Distill (LwF); 0; 0; 1.09M; 4.38; 100
        ADI; 0; 0; 1.09M; 4.38; 100
        ARM; 0; 0; 1.09M; 4.38; 100
        """,
        ["arm/table2"] = """
        Naive SGD (stationary); 0; 0; 0; 0; 0
        ER 10000; 10000; 212; 0; 0; 10
        ER-MIR 10000; 10000; 212; 0; 0; 10
        ER 1000; 1000; 21.2; 0; 0; 10
        ER-MIR 1000; 1000; 21.2; 0; 0; 10
        ER 500; 500; 10.6; 0; 0; 10
        ER-MIR 500; 500; 10.6; 0; 0; 10
        ER 100; 100; 2.12; 0; 0; 10
        ER-MIR 100; 100; 2.12; 0; 0; 10
        Naive SGD; 0; 0; 0; 0; 0
        GEN; 0; 0; 27.1M; 108; 10
        GEN-MIR; 0; 0; 27.1M; 108; 20
        Distill (LwF); 0; 0; 1.16M; 4.63; 100
        ADI; 0; 0; 1.16M; 4.63; 100
        ARM; 0; 0; 1.16M; 4.63; 100
        """,
        ["arm/table3"] = """
        Naive SGD (stationary); 0; 0; 0; 0; 0
        ER 500; 500; 0.39; 0; 0; 10
        ER-MIR 500; 500; 0.39; 0; 0; 10
        GEM 500; 500; 0.39; 0; 0; -
        ER 50; 50; 0.04; 0; 0; 10
        ER-MIR 50; 50; 0.04; 0; 0; 10
        ER 25; 25; 0.02; 0; 0; 10
        ER-MIR 25; 25; 0.02; 0; 0; 10
        ER 10; 10; 0.01; 0; 0; 10
        Naive SGD; 0; 0; 0; 0; 0
        GEN; 0; 0; 1.14M; 4.58; 40
        GEN-MIR; 0; 0; 1.08M; 4.31; 100
        Distill (LwF); 0; 0; 478K; 1.91; 10
        ADI; 0; 0; 478K; 1.91; 10
        ARM; 0; 0; 478K; 1.91; 10
        """,
    };

    /// <summary>The same table with these numbers after each row's own.</summary>
    public static PaperTable With(PaperTable table)
    {
        var lines = Printed[table.Id].Split('\n', StringSplitOptions.TrimEntries).Select(l => l.Split("; ")).ToDictionary(l => l[0], StringComparer.Ordinal);
        return table with { Cells = [.. table.Cells.GroupBy(c => c.Row).SelectMany(row => row.Concat(Row(row.Key, row.First().Recipe!, lines[row.Key], row.First().NotComparable)))] };
    }

    private static IEnumerable<PaperCell> Row(string row, Recipe recipe, string[] line, string? otherwise)
    {
        bool nothing = recipe.Method is "naive" or "stationary", images = recipe.Method is "er" or "er-mir" or "gem" or "icarl";
        // All that a method keeps is either images or networks, so its storage is the one and the other is none.
        PaperCell? cell(int at, string name, string? measure, double scale, string none, bool? higher = false)
        {
            if (line[at] == "-")
                return null;
            var (value, half) = Number(line[at]);
            // What another network keeps says nothing about theirs.
            string? apart = measure == "storageBits" ? otherwise : null;
            return new PaperCell(row, new PaperColumn(name, measure ?? "", higher, scale, half), value, null, measure is null ? null : recipe)
            {
                Provenance = Provenance,
                NotComparable = measure is null ? none : apart is not null ? apart : recipe.Method == "icarl" && measure == "storageBits" ? "ours counts the network of before as well, from which it distils" : null,
            };
        }
        string? m = recipe.Method switch { "er" or "er-mir" => "option.replayBatch", "arm" => "option.recalled", "adi" => "option.generated", _ => null };
        return new[]
        {
            cell(1, "+Sample mem. #images", images ? "option.capacity" : nothing ? "storageBits" : null, 1, "it keeps no images"),
            cell(2, "+Sample mem. MB", images || nothing ? "storageBits" : null, 1 / 8e6, "it keeps no images"),
            cell(3, "+Model mem. #params", images ? null : "storageBits", 1.0 / 32, "it keeps images alone"),
            cell(4, "+Model mem. MB", images ? null : "storageBits", 1 / 8e6, "it keeps images alone"),
            cell(5, "M", m, 1, nothing ? "it replays nothing" : "no option of ours is this number", null),
        }.OfType<PaperCell>();
    }

    /// <summary>A number as printed, <c>8.63M</c>, and half of its last digit.</summary>
    internal static (double Value, double Half) Number(string printed)
    {
        double unit = printed[^1] switch { 'K' => 1e3, 'M' => 1e6, _ => 1 };
        string digits = printed.TrimEnd('K', 'M');
        int decimals = digits.Contains('.', StringComparison.Ordinal) ? digits.Length - digits.IndexOf('.', StringComparison.Ordinal) - 1 : 0;
        return (Math.Round(double.Parse(digits, CultureInfo.InvariantCulture) * unit, 6), 0.5 * unit * Math.Pow(10, -decimals));
    }
}

using System.Text.Json.Nodes;
using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>A cell is its canonical text: what is equal has one id, what differs in anything has another.</summary>
public sealed class CellTests
{
    internal static Cell Tiny(string method = "naive", ulong seed = 0, int train = 100, params string[] options) => Cell.Of(new RunSpec(
        MethodTable.Find(method), "split-digits", Scenario.ClassIncremental, seed, new TrainerOptions(),
        new MethodSettings(Options: options.Select(MethodOptions.Pair).ToDictionary(), Stream: "split-digits"), MaxTrain: train, MaxTest: 50));

    [Theory]
    [InlineData("{\"a\":{\"c\":null,\"d\":[1,2]},\"b\":1}", "{ \"b\" : 1.0, \"a\" : {\"d\":[1,2], \"c\":null} }")]
    [InlineData("[1,100,0.1,1E-05,-2]", "[1.0, 1e2, 0.1, 0.00001, -2.0]")]
    [InlineData("[18446744073709551615,9007199254740993]", "[18446744073709551615, 9007199254740993]")]
    [InlineData("[true,false,\"é \\\"x\\\" \\n\"]", "[true,false,\"\\u00e9 \\\"x\\\" \\n\"]")]
    public void Equal_values_have_one_text(string canonical, string written) => Assert.Equal(canonical, CanonicalJson.Text(JsonNode.Parse(written)));

    [Fact]
    public void Lists_keep_their_order_and_numbers_their_bits()
    {
        Assert.NotEqual(CanonicalJson.Text(JsonNode.Parse("[1,2]")), CanonicalJson.Text(JsonNode.Parse("[2,1]")));
        var random = new Generator(1);
        for (int i = 0; i < 1000; i++)
        {
            double v = BitConverter.UInt64BitsToDouble(((ulong)random.NextUInt32() << 32) | random.NextUInt32());
            if (double.IsFinite(v))
                Assert.Equal(v, JsonNode.Parse(CanonicalJson.Text(JsonValue.Create(v)))!.GetValue<double>());
        }
    }

    [Fact]
    public void The_text_of_a_cell_names_everything_that_decides_its_bits()
    {
        var cell = Tiny("er", 3, 100, "capacity=50");
        Assert.Equal("{\"batchSize\":10,\"engine\":\"" + Native.Benchmarks.Engine.Id + "\",\"epochs\":1,\"maxTest\":50,\"maxTrain\":100,\"method\":\"er\",\"options\":{\"batchReservoir\":true,\"capacity\":50,"
            + "\"learningRate\":0.1,\"replayBatch\":10,\"width\":0},\"scenario\":\"class\",\"seed\":3,\"shuffleClasses\":false,\"stream\":\"split-digits\"}", CanonicalJson.Text(cell.ToJson()));
        Assert.Matches("^[0-9a-f]{16}$", cell.Id);
        Cell[] others =
        [
            cell with { Method = "er-mir" }, cell with { Stream = "split-mnist" }, cell with { Scenario = Scenario.TaskIncremental }, cell with { Seed = 4 },
            cell with { Options = Tiny("er", 3, 100, "capacity=51").Options }, cell with { Epochs = 2 }, cell with { BatchSize = 11 }, cell with { MaxTrain = null },
            cell with { MaxTest = 51 }, cell with { ShuffleClasses = true }, cell with { Engine = "0.0.0" },
        ];
        Assert.Equal(others.Length + 1, others.Append(cell).Select(c => c.Id).Distinct().Count());
        Assert.Equal(cell.Group, (cell with { Seed = 9 }).Group);
        Assert.NotEqual(cell.Group, (cell with { Epochs = 2 }).Group);
        Assert.NotEqual(cell.Group, cell.Id);
    }

    [Fact]
    public void A_cell_and_its_options_come_back_from_their_text()
    {
        foreach (var method in MethodTable.All)
        {
            var cell = Tiny(method.Name, ulong.MaxValue);
            var back = Cell.FromJson(JsonNode.Parse(CanonicalJson.Text(cell.ToJson())));
            Assert.Equal(cell.Id, back!.Id);
            Assert.Equal(method.Configure(new MethodSettings(Stream: "split-digits")), back.MethodOptions(method));
        }
        foreach (string other in (string[])["{}", "[]", "3", "{\"method\":\"er\",\"options\":{}}", CanonicalJson.Text(Tiny().ToJson()).Replace("class", "klass", StringComparison.Ordinal)])
            Assert.Null(Cell.FromJson(JsonNode.Parse(other)));
    }

    [Theory]
    [InlineData("er", true, "er", "x")]
    [InlineData("er", false, "er-mir", "gem")]
    [InlineData("er*", true, "er-mir")]
    [InlineData("ER 500", true, "er 500")]
    [InlineData("naive, arm/table?", true, "arm/table3")]
    [InlineData("lambda1 = 0, lambda2 = 0", true, "lambda1 = 0, lambda2 = 0")]
    [InlineData("naive,gem", false, "er")]
    public void A_filter_means_names(string only, bool means, params string[] names) => Assert.Equal(means, new Filter(only).Matches(names));

    [Fact]
    public void Means_are_over_the_first_tasks_after_their_phase_or_after_the_last()
    {
        var result = new CellResult(Tiny(), (System.Text.Json.Nodes.JsonObject)System.Text.Json.Nodes.JsonNode.Parse("{\"accuracyMatrix\":[[0.75,0,0],[0.5,1,0],[0.25,0.5,1]],\"flops\":7}")!, null);
        Assert.Equal((0.75, 0.375, 0.25, 7.0), (result["average2"], result["retained2"], result["task1"], result["flops"]));
        Assert.Equal((null, null, null), (result["average4"], result["retained4"], result["other"]));
    }
}

using System.Text.Json.Nodes;
using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>Cells on a device, from the command line: run, suite and reproduce with --device, and runs that change the device half way.</summary>
[Trait("Category", "Emulator")]
[Collection(WorkersCollection.Name)]
public sealed class DeviceCellsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StringWriter _output = new(), _error = new();

    public void Dispose()
    {
        _folder.Dispose();
        _output.Dispose();
        _error.Dispose();
    }

    private void Native(int code, params string[] args)
    {
        int found = App.Run([.. args, "--out", _folder.Path], _output, _error);
        Assert.True(found == code, $"{string.Join(' ', args)}: {found}\n{_output}\n{_error}");
    }

    private JsonObject Read(Cell cell, string file) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "cells", cell.Id, file)))!;

    [NeedsFact(GpuKit.Gxx)]
    public void Run_suite_and_reproduce_take_a_device_and_say_so()
    {
        Native(0, "run", "arm", "--stream", "split-digits", "--device", "emu:0", "--set", "width=3", "--set", "recalled=2", "--set", "steps=1", "--epochs", "1", "--batch", "200");
        Native(0, "suite", "--only", "naive", "--seeds", "1", "--stream", "split-digits", "--device", "emu:0");
        Native(0, "reproduce", "arm/table3", "--preset", "quick", "--only", "Naive SGD", "--seeds", "1", "--set", "width=3", "--device", "emu:0");
        var store = new CellStore(_folder.Path);
        var cells = store.All();
        Assert.Equal(["arm", "naive", "naive"], cells.Select(c => c.Method).Order(StringComparer.Ordinal));
        foreach (var cell in cells)
        {
            Assert.Equal(CellStatus.Done, store.Status(cell));
            Assert.Equal("emu", (string?)Read(cell, "result.json")["device"]);
            Assert.Equal("emu:0", (string?)Read(cell, "timing.json")["device"]);
            Assert.True((long?)Read(cell, "timing.json")["peakBytes"] > 10_000, "the memory of the device is what counts");
        }
        // A device is the command's, not the process's.
        Assert.Same(Device.Cpu, Device.Default);
        Assert.Equal("", _error.ToString());
        // Done is done, on whatever device.
        Native(0, "suite", "--only", "naive", "--seeds", "1", "--stream", "split-digits");
        Assert.Contains("1 cells, 1 done already", _output.ToString(), StringComparison.Ordinal);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_run_is_continued_where_it_was_begun_and_left_alone_elsewhere()
    {
        var cell = Cell.Of(new RunSpec(MethodTable.Find("er"), "split-digits", Scenario.ClassIncremental, 1, new TrainerOptions(),
            new MethodSettings(Options: new Dictionary<string, string>(StringComparer.Ordinal) { ["width"] = "4" }, Stream: "split-digits"), MaxTrain: 150, MaxTest: 20));
        CellStore whole = new(_folder.File("whole")), parts = new(_folder.File("parts"));
        int run(CellStore store, string device, int? stopIn = null)
        {
            using var _ = Env.Device.Override(device);
            using var stop = new CancellationTokenSource();
            try
            {
                int left = -1;
                OpKit.OnFreshThread(() => left = new CellRunner(store, new CellOptions(DataFolder.From(null, null), null), new Ui(_output, _error, stop.Token))
                {
                    Stepped = (_, p) =>
                    {
                        if (p.Phase == stopIn)
                            stop.Cancel();
                    },
                }.Run([cell]));
                return left;
            }
            catch (OperationCanceledException)
            {
                return -1;
            }
        }
        Assert.Equal(0, run(whole, "emu:0"));
        Assert.Equal(-1, run(parts, "emu:0", stopIn: 3));
        byte[] state = File.ReadAllBytes(parts.StatePath(cell));
        Assert.Equal(1, run(parts, "cpu"));
        Assert.Equal((CellStatus.Interrupted, null), (parts.Status(cell), parts.Error(cell)));
        Assert.Equal(state, File.ReadAllBytes(parts.StatePath(cell)));
        Assert.Matches("left as it is; state: .*state.safetensors was begun on emu and this is cpu, .* Continue it with --device emu, or delete the file to begin anew here.", _output.ToString());
        Assert.Equal(0, run(parts, "emu:0"));
        Assert.Equal(whole.ResultText(cell), parts.ResultText(cell));
        // Begun anew on the cpu it is the cpu's.
        Assert.Equal(-1, run(new CellStore(_folder.File("anew")), "emu:0", stopIn: 2));
        var anew = new CellStore(_folder.File("anew"));
        File.Delete(anew.StatePath(cell));
        Assert.Equal(0, run(anew, "cpu"));
        Assert.Equal("cpu", (string?)JsonNode.Parse(anew.ResultText(cell))!["device"]);
    }
}

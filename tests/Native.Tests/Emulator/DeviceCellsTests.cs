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
    public void Rounded_factors_hold_for_every_job_and_are_told()
    {
        string suite(string folder, params string[] options)
        {
            Assert.Equal(0, App.Run(["suite", "--only", "naive", "--seeds", "2", "--stream", "split-digits", "--device", "emu:0", "--out", _folder.File(folder), .. options], _output, _error));
            var store = new CellStore(_folder.File(folder));
            return string.Concat(store.All().Select(store.ResultText));
        }
        string plain = suite("plain"), rounded = suite("rounded", "--tf32");
        Assert.NotEqual(plain.Replace("emu", "emu-tf32", StringComparison.Ordinal), rounded);
        Assert.Contains("\"device\": \"emu-tf32\"", rounded, StringComparison.Ordinal);
        Assert.Equal(rounded, suite("jobs", "--tf32", "--jobs", "2"));
        Assert.False(Ambient.Current.Tf32 || Env.Tf32.Value);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void The_memory_limit_is_one_of_the_device_too_in_every_job() => OpKit.OnFreshThread(() =>
    {
        string[] suite = ["suite", "--only", "naive", "--seeds", "2", "--stream", "split-digits", "--device", "emu:0", "--mem-limit", "2", "--out", _folder.Path];
        foreach (string jobs in new[] { "1", "2" })
        {
            Assert.Equal(1, App.Run([.. suite, "--jobs", jobs, "--retry"], _output, _error));
            var store = new CellStore(_folder.Path);
            Assert.All(store.All(), c => Assert.Matches("^memory: cannot allocate .* on emu:0; .* limit 2 MiB", store.Error(c)));
        }
        Assert.Equal((0, 0), (Ambient.Current.Allocator.Limit, Ambient.Current.Cuda(Device.Parse("emu:0")).Lasting.Limit));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void The_trap_names_the_operation_of_a_step_that_would_be_recorded()
    {
        string[] run = ["run", "naive", "--stream", "split-digits", "--device", "emu:0", "--nan-trap"];
        Assert.Equal(2, App.Run([.. run, "--lr", "1e30"], _output, _error));
        Assert.Matches(" (produced|holds) .* finite", _error.ToString());
        // It changes nothing of a run without.
        run = [.. run, "--set", "width=6"];
        Assert.Equal(0, App.Run([.. run, "--json", _folder.File("trapped.json")], _output, _error));
        Assert.Equal(0, App.Run([.. run.Except(["--nan-trap"]), "--json", _folder.File("plain.json")], _output, _error));
        Assert.Equal(File.ReadAllText(_folder.File("plain.json")), File.ReadAllText(_folder.File("trapped.json")));
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

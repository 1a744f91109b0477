using System.Diagnostics;
using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>Folders of cells: claims, failures, interruptions, other people's files, and processes that are killed.</summary>
[Collection(WorkersCollection.Name)]
public sealed class CellStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StringWriter _output = new(), _error = new();

    public void Dispose()
    {
        _folder.Dispose();
        _output.Dispose();
        _error.Dispose();
    }

    private static CellOptions Options => new(DataFolder.From(null, null), null, EverySteps: 2);

    private CellRunner Runner(CellStore store, CellOptions? options = null, Action<Cell, TrainerProgress>? stepped = null, CancellationToken cancel = default) =>
        new(store, options ?? Options, new Ui(_output, _error, cancel)) { Stepped = stepped };

    private string File(CellStore store, Cell cell, string name) => Path.Combine(store.Root, "cells", cell.Id, name);

    [Fact]
    public void A_cell_is_claimed_once_until_it_is_let_go()
    {
        CellStore store = new(_folder.Path), same = new(_folder.Path);
        var cell = CellTests.Tiny();
        Assert.Equal(CellStatus.Waiting, store.Status(cell));
        using (store.Claim(cell))
        {
            Assert.Null(same.Claim(cell));
            Assert.Null(store.Claim(cell));
            Assert.Equal(CellStatus.Running, same.Status(cell));
            using var other = same.Claim(CellTests.Tiny(seed: 1));
            Assert.NotNull(other);
        }
        Assert.Equal(CellStatus.Waiting, same.Status(cell));
        using var again = same.Claim(cell);
        Assert.NotNull(again);
    }

    [Fact]
    public void Done_cells_are_skipped_and_a_failed_one_keeps_its_error_and_blocks_nobody()
    {
        var store = new CellStore(_folder.Path);
        // A rate that overflows at once; a method that is none.
        Cell bad = CellTests.Tiny("naive", 0, 100, "learningRate=1e30"), unknown = CellTests.Tiny() with { Method = "nobody" }, good = CellTests.Tiny();
        var ran = new List<string>();
        Runner(store, stepped: (c, p) => ran.Add(c.Id)).Run([bad, unknown, good, good with { Seed = 1 }]);
        Assert.Equal([CellStatus.Failed, CellStatus.Failed, CellStatus.Done, CellStatus.Done], new[] { bad, unknown, good, good with { Seed = 1 } }.Select(store.Status));
        Assert.Matches("^(train: the loss is|predict: output)", store.Error(bad));
        Assert.StartsWith("method: 'nobody' is not known;", store.Error(unknown), StringComparison.Ordinal);
        Assert.Null(store.Error(good));
        Assert.False(System.IO.File.Exists(store.StatePath(good)));
        ran.Clear();
        string before = store.ResultText(good);
        Runner(store, stepped: (c, p) => ran.Add(c.Id)).Run([bad, good]);
        Assert.Empty(ran);
        Runner(store, Options with { Retry = true }, stepped: (c, p) => ran.Add(c.Id)).Run([bad, good]);
        Assert.Equal([bad.Id], ran.Distinct());
        Assert.Equal(CellStatus.Failed, store.Status(bad));
        Assert.Equal(before, store.ResultText(good));
    }

    [Fact]
    public void Jobs_beside_each_other_give_the_same_bytes_as_one_after_the_other()
    {
        Cell[] plan = [.. new[] { "naive", "er", "joint" }.SelectMany(m => new[] { CellTests.Tiny(m), CellTests.Tiny(m, 1) })];
        CellStore one = new(_folder.File("one")), three = new(_folder.File("three"));
        Runner(one).Run(plan);
        Runner(three, Options with { Jobs = 3 }).Run(plan);
        Assert.All(plan, c => Assert.Equal(one.ResultText(c), three.ResultText(c)));
        Assert.Equal(plan.Length, plan.Select(one.ResultText).Distinct().Count());
    }

    [Fact]
    public void Stopped_on_request_a_cell_is_continued_and_ends_with_the_same_bytes()
    {
        CellStore whole = new(_folder.File("whole")), parts = new(_folder.File("parts"));
        var cell = CellTests.Tiny("er", 2);
        Runner(whole).Run([cell]);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Runner(parts, Options with { EverySteps = null }, cancel: stop.Token, stepped: (_, p) =>
        {
            if (p.Phase == 3)
                stop.Cancel();
        }).Run([cell]));
        Assert.Equal(CellStatus.Interrupted, parts.Status(cell));
        Assert.True(System.IO.File.Exists(parts.StatePath(cell)));
        int first = 0;
        Runner(parts, stepped: (_, p) => first = first == 0 ? p.Phase : first).Run([cell]);
        Assert.True(first >= 3, $"it began again at phase {first}");
        Assert.Equal(whole.ResultText(cell), parts.ResultText(cell));
    }

    [Fact]
    public void A_damaged_description_is_the_failure_of_its_cell_which_a_retry_writes_anew()
    {
        var store = new CellStore(_folder.Path);
        Cell done = CellTests.Tiny(), open = CellTests.Tiny(seed: 1), fine = CellTests.Tiny(seed: 2);
        Runner(store).Run([done]);
        store.Claim(open)!.Dispose();
        string before = store.ResultText(done), text = System.IO.File.ReadAllText(File(store, done, "cell.json"));
        foreach (var cell in new[] { done, open })
            System.IO.File.WriteAllText(File(store, cell, "cell.json"), "{ half");
        Assert.Equal((CellStatus.Failed, CellStatus.Failed), (store.Status(done), store.Status(open)));
        Assert.Null(store.Result(done));
        Assert.Matches("^cells: .*cell.json is damaged or foreign: it is no JSON", store.Error(open));
        Assert.Equal(1, App.Run(["suite", "status", "--out", store.Root], _output, _error));
        Assert.Equal("", _error.ToString());
        Assert.Contains($"damaged: {done.Id}: cells: ", _output.ToString(), StringComparison.Ordinal);
        // Nobody else is kept from working.
        Runner(store).Run([done, open, fine]);
        Assert.Equal([CellStatus.Failed, CellStatus.Failed, CellStatus.Done], new[] { done, open, fine }.Select(store.Status));
        Assert.Contains("no JSON", Assert.Throws<DataFormatException>(() => CellMerge.Run([store], new CellStore(_folder.File("merged")), CancellationToken.None)).Message, StringComparison.Ordinal);
        Runner(store, Options with { Retry = true }).Run([done, open, fine]);
        Assert.Equal([CellStatus.Done, CellStatus.Done, CellStatus.Done], new[] { done, open, fine }.Select(store.Status));
        Assert.Equal((before, text), (store.ResultText(done), System.IO.File.ReadAllText(File(store, done, "cell.json"))));
        Assert.Empty(store.Damaged());
    }

    [Fact]
    public void A_plan_with_a_damaged_description_is_told_and_run()
    {
        string[] suite = ["suite", "--only", "naive", "--seeds", "2", "--stream", "split-digits", "--out", _folder.Path];
        Assert.Equal(0, App.Run(suite, _output, _error));
        var store = new CellStore(_folder.Path);
        var cell = store.All()[0];
        System.IO.File.WriteAllText(File(store, cell, "cell.json"), "");
        System.IO.File.Delete(File(store, cell, "result.json"));
        Assert.Equal(1, App.Run(["suite", "status", "--out", _folder.Path], _output, _error));
        Assert.Contains($"failed: {cell.Id} {cell.Label}: cells: ", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, App.Run(suite, _output, _error));
        Assert.Equal(0, App.Run([.. suite, "--retry"], _output, _error));
        Assert.Equal(CellStatus.Done, store.Status(cell));
        Assert.Equal("", _error.ToString());
    }

    [Fact]
    public void Damaged_and_foreign_files_get_one_sentence()
    {
        var store = new CellStore(_folder.Path);
        Cell cell = CellTests.Tiny(), other = CellTests.Tiny(seed: 1);
        Runner(store).Run([cell, other]);
        string sentence(Action action) => Assert.ThrowsAny<TensorException>(action).Message;
        string reason() => Assert.Single(store.Damaged(), d => d.Id == cell.Id).Reason;
        string text = System.IO.File.ReadAllText(File(store, cell, "cell.json"));
        System.IO.File.WriteAllText(File(store, cell, "cell.json"), "{ half");
        Assert.Matches("^cells: .*cell.json is damaged or foreign: it is no JSON: .*Move it away; what it stood for is then run anew.$", reason());
        System.IO.File.WriteAllText(File(store, cell, "cell.json"), "[1]");
        Assert.Contains("it is JSON of another kind", reason(), StringComparison.Ordinal);
        System.IO.File.WriteAllText(File(store, cell, "cell.json"), "{}");
        Assert.Contains("it describes no cell", reason(), StringComparison.Ordinal);
        System.IO.File.Copy(File(store, other, "cell.json"), File(store, cell, "cell.json"), overwrite: true);
        Assert.Contains($"it describes the cell {other.Id}, and its folder is named {cell.Id}", reason(), StringComparison.Ordinal);
        Assert.Contains($"it describes the cell {other.Id}", sentence(() => store.Claim(cell)), StringComparison.Ordinal);
        System.IO.File.WriteAllText(File(store, cell, "cell.json"), text);
        Directory.CreateDirectory(Path.Combine(store.Root, "cells", "holiday"));
        System.IO.File.WriteAllText(Path.Combine(store.Root, "cells", "holiday", "photo.jpg"), "");
        Assert.Contains("holiday is damaged or foreign: it has no cell.json", Assert.Single(store.Damaged()).Reason, StringComparison.Ordinal);
        Assert.Equal(new[] { cell, other }.OrderBy(c => c.Id, StringComparer.Ordinal), store.All());
    }

    [Fact]
    public void A_damaged_state_fails_its_cell_with_a_sentence_and_no_other()
    {
        var store = new CellStore(_folder.Path);
        Cell cell = CellTests.Tiny(), other = CellTests.Tiny(seed: 1);
        store.Claim(cell)!.Dispose();
        System.IO.File.WriteAllText(store.StatePath(cell), "rubbish");
        Runner(store).Run([cell, other]);
        Assert.StartsWith("safetensors:", store.Error(cell), StringComparison.Ordinal);
        Assert.Equal(CellStatus.Done, store.Status(other));
        // What can be read is no reason to begin anew; what cannot is in the way of every further try.
        Runner(store, Options with { Retry = true }).Run([cell]);
        Assert.Equal((CellStatus.Done, null), (store.Status(cell), store.Error(cell)));
    }

    [Fact]
    public void A_failed_run_is_tried_again_when_that_is_asked_for()
    {
        string[] run = ["run", "naive", "--stream", "split-digits", "--lr", "1e30", "--out", _folder.Path];
        int tries() => _output.ToString().Split("FAILED:").Length - 1;
        Assert.Equal((1, 1), (App.Run(run, _output, _error), tries()));
        Assert.Equal((1, 1), (App.Run(run, _output, _error), tries()));
        Assert.Equal((1, 2), (App.Run([.. run, "--retry"], _output, _error), tries()));
        Assert.Equal("", _error.ToString());
        Assert.Equal(2, App.Run(["run", "naive", "--retry"], _output, _error));
        Assert.Contains("--retry needs a folder of cells", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("result.json", "", "it is no JSON")]
    [InlineData("result.json", "[]", "it is JSON of another kind")]
    [InlineData("result.json", "{}", "'cell' is not the name of its folder")]
    [InlineData("result.json", "{\"cell\":\"ID\",\"storageBits\":\"many\"}", "'storageBits' is no whole number")]
    [InlineData("result.json", "{\"cell\":\"ID\",\"finalState\":[1]}", "'finalState' is no text")]
    [InlineData("result.json", "{\"cell\":\"ID\",\"accuracyMatrix\":[[true]]}", "'accuracyMatrix' is no array of arrays of numbers")]
    [InlineData("result.json", "{\"cell\":\"ID\",\"undefined\":{\"forgetting\":1}}", "'undefined' is no object of texts")]
    [InlineData("result.json", "{\"cell\":\"ID\",\"cell\":\"ID\"}", "it is no JSON")]
    [InlineData("timing.json", "", "it is no JSON")]
    [InlineData("timing.json", "{\"trainSeconds\":\"long\"}", "'trainSeconds' is no number")]
    [InlineData("timing.json", "{\"device\":7}", "'device' is no text")]
    public void A_damaged_result_is_the_failure_of_its_cell_and_of_no_other(string file, string text, string reason)
    {
        var store = new CellStore(_folder.Path);
        Cell cell = CellTests.Tiny(), other = CellTests.Tiny(seed: 1);
        Runner(store).Run([cell, other]);
        string before = store.ResultText(cell);
        System.IO.File.WriteAllText(File(store, cell, file), text.Replace("ID", cell.Id, StringComparison.Ordinal));
        Assert.Equal((CellStatus.Failed, CellStatus.Done), (store.Status(cell), store.Status(other)));
        Assert.Matches($"^cells: .*{file} is damaged or foreign: {reason}.* Move it away", store.Error(cell));
        Assert.Null(store.Result(cell));
        Assert.Equal(1, App.Run(["suite", "status", "--out", store.Root], _output, _error));
        Assert.Equal("", _error.ToString());
        Assert.Contains($"failed: {cell.Id} {cell.Label}: cells: ", _output.ToString(), StringComparison.Ordinal);
        Runner(store).Run([cell, other]);
        Assert.Equal(CellStatus.Failed, store.Status(cell));
        Runner(store, Options with { Retry = true }).Run([cell, other]);
        Assert.Equal((CellStatus.Done, before), (store.Status(cell), store.ResultText(cell)));
    }

    [Fact]
    public void Files_that_a_killed_process_left_half_written_go_with_the_next_claim_and_at_the_end()
    {
        var store = new CellStore(_folder.Path);
        var cell = CellTests.Tiny();
        store.Claim(cell)!.Dispose();
        string first = store.StatePath(cell) + ".abc.tmp", second = File(store, cell, "result.json.77.tmp");
        System.IO.File.WriteAllText(first, "half");
        using (store.Claim(cell))
            Assert.False(System.IO.File.Exists(first));
        Runner(store, stepped: (_, _) => System.IO.File.WriteAllText(second, "half")).Run([cell]);
        Assert.Equal(CellStatus.Done, store.Status(cell));
        Assert.Equal(["cell.json", "lock", "result.json", "timing.json"], Directory.GetFiles(Path.Combine(store.Root, "cells", cell.Id)).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Merging_does_not_depend_on_how_the_cells_were_spread()
    {
        Cell[] plan = [.. Enumerable.Range(0, 3).Select(s => CellTests.Tiny(seed: (ulong)s)), CellTests.Tiny("naive", 0, 100, "learningRate=1e30")];
        CellStore[] parts = [.. Enumerable.Range(0, 4).Select(i => new CellStore(_folder.File($"part{i}")))];
        Runner(parts[0]).Run(plan[..2]);
        Runner(parts[1]).Run(plan[1..]);
        Runner(parts[2]).Run([plan[2], plan[0]]);
        Runner(parts[3]).Run([plan[3], plan[1]]);
        string merged(string name, params int[] order)
        {
            var to = new CellStore(_folder.File(name));
            Assert.Equal(plan.Length, CellMerge.Run([.. order.Select(i => parts[i])], to, default));
            return string.Join('\n', to.All().Select(c => $"{c.Id} {to.Status(c)} {(to.Result(c) is null ? to.Error(c) : to.ResultText(c))}"));
        }
        string first = merged("a", 0, 1);
        Assert.Contains("Failed train: the loss", first, StringComparison.Ordinal);
        Assert.Equal(first, merged("b", 1, 0));
        Assert.Equal(first, merged("c", 2, 3));
        Assert.Equal(first, merged("d", 3, 0, 2, 1));
        // A result that is not that of its cell is found.
        System.IO.File.AppendAllText(File(parts[0], plan[0], "result.json"), " ");
        Assert.Matches("^merge: cell .* has another result in .*Delete one of the two.$", Assert.Throws<UsageException>(() => merged("e", 0, 2)).Message);
    }

    [Fact]
    public void A_merged_state_is_continued_from_where_it_was_furthest()
    {
        var cell = CellTests.Tiny("er", 5);
        CellStore early = new(_folder.File("early")), late = new(_folder.File("late")), whole = new(_folder.File("whole"));
        foreach (var (store, phase) in new[] { (early, 1), (late, 4) })
        {
            using var stop = new CancellationTokenSource();
            Assert.Throws<OperationCanceledException>(() => Runner(store, cancel: stop.Token, stepped: (_, p) =>
            {
                if (p.Phase == phase)
                    stop.Cancel();
            }).Run([cell]));
        }
        Runner(whole).Run([cell]);
        foreach (var order in new CellStore[][] { [early, late], [late, early] })
        {
            var to = new CellStore(_folder.File($"to{order[0].Root.Length}{Path.GetFileName(order[0].Root)}"));
            CellMerge.Run(order, to, default);
            int first = 0;
            Runner(to, stepped: (_, p) => first = first == 0 ? p.Phase : first).Run([cell]);
            Assert.True(first >= 4, $"it began again at phase {first}");
            Assert.Equal(whole.ResultText(cell), to.ResultText(cell));
        }
    }

    [Fact]
    public void Results_of_another_version_are_kept_and_not_counted()
    {
        var store = new CellStore(_folder.Path);
        Cell now = CellTests.Tiny(), old = now with { Engine = "0.1.0+000000000000" };
        Runner(store).Run([now]);
        store.Claim(old)!.Dispose();
        store.Finish(old, $"{{\"cell\":\"{old.Id}\"}}", []);
        Assert.NotEqual(now.Id, old.Id);
        Assert.Equal(0, App.Run(["suite", "status", "--out", store.Root], _output, _error));
        Assert.Contains("0 failed, 1 done", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains($"1 cells, 1 of them with results, are of another version of the engine (0.1.0+000000000000; this is {Native.Benchmarks.Engine.Id}): they are kept and not counted",
            _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_version_of_a_cell_is_that_of_every_source_that_decides_its_bits()
    {
        string[] files = [.. new[] { "Tensor", "Kernels", "Autograd", "Methods" }
            .SelectMany(p => Directory.EnumerateFiles(Path.Combine(OpKit.Root, p), "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(OpKit.Root, f).Replace('\\', '/')))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
            .Where(f => Path.GetExtension(f) is ".cs" or ".cu" or ".cuh" or ".targets")];
        string[] lines = [.. files.Select(f => $"../{f} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.IO.File.ReadAllBytes(Path.Combine(OpKit.Root, f))))}")];
        Assert.True(lines.Length > 300);
        Assert.Equal($"{Native.Benchmarks.Engine.Version}+{Native.Benchmarks.Engine.Fingerprint(lines)}", Native.Benchmarks.Engine.Id);
        Assert.Equal(Native.Benchmarks.Engine.Fingerprint(lines), Native.Benchmarks.Engine.Fingerprint(lines.Reverse().Select(l => l.Replace('/', '\\'))));
        lines[7] = lines[7][..^1] + (lines[7][^1] == '0' ? '1' : '0');
        Assert.NotEqual(Native.Benchmarks.Engine.Fingerprint(lines), Native.Benchmarks.Engine.Id.Split('+')[1]);
    }

    private Process Suite(string folder, string arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet") { UseShellExecute = false, RedirectStandardOutput = true };
        start.ArgumentList.Add(typeof(App).Assembly.Location);
        foreach (string a in $"suite --stream split-digits {arguments} --out".Split(' '))
            start.ArgumentList.Add(a);
        start.ArgumentList.Add(folder);
        start.Environment.Remove("NATIVE_DATA");
        return Process.Start(start)!;
    }

    [Fact]
    public void Processes_killed_at_any_moment_leave_what_is_continued_to_the_same_bytes()
    {
        const string Arguments = "--only er --seeds 1 --checkpoint-every";
        using (var alone = Suite(_folder.File("alone"), $"{Arguments} 1000"))
        {
            alone.StandardOutput.ReadToEnd();
            alone.WaitForExit();
            Assert.Equal(0, alone.ExitCode);
        }
        CellStore expected = new(_folder.File("alone")), killed = new(_folder.File("killed"));
        var cell = Assert.Single(expected.All());
        var random = new Generator(3);
        for (int i = 0; i < 3; i++)
        {
            using var process = Suite(killed.Root, $"{Arguments} 3");
            // Until it has saved something new, and then somewhere in its middle.
            var before = System.IO.File.GetLastWriteTimeUtc(killed.StatePath(cell));
            var patience = Stopwatch.StartNew();
            while (System.IO.File.GetLastWriteTimeUtc(killed.StatePath(cell)) == before && !process.HasExited && patience.Elapsed < TimeSpan.FromMinutes(1))
                Thread.Sleep(2);
            Thread.Sleep((int)random.NextInt64(150));
            process.Kill();
            process.WaitForExit();
            Assert.NotEqual(0, process.ExitCode);
            Assert.Equal(CellStatus.Interrupted, killed.Status(cell));
        }
        using (var last = Suite(killed.Root, $"{Arguments} 1000"))
        {
            last.StandardOutput.ReadToEnd();
            last.WaitForExit();
            Assert.Equal(0, last.ExitCode);
        }
        Assert.Equal(expected.ResultText(cell), killed.ResultText(cell));
    }

    [Fact]
    public async Task Two_processes_on_one_folder_never_run_the_same_cell()
    {
        using Process a = Suite(_folder.Path, "--only naive,er,lwf --seeds 2"), b = Suite(_folder.Path, "--only naive,er,lwf --seeds 2");
        var other = b.StandardOutput.ReadToEndAsync();
        string[] lines = [.. (await a.StandardOutput.ReadToEndAsync() + await other).Split('\n').Where(l => l.Contains("average accuracy ", StringComparison.Ordinal) && l.Contains("seed", StringComparison.Ordinal))];
        await a.WaitForExitAsync();
        await b.WaitForExitAsync();
        Assert.Equal((0, 0), (a.ExitCode, b.ExitCode));
        Assert.Equal(6, lines.Length);
        Assert.Equal(6, lines.Select(l => l[(l.IndexOf(' ', StringComparison.Ordinal) + 1)..l.IndexOf(':', StringComparison.Ordinal)]).Distinct().Count());
        var store = new CellStore(_folder.Path);
        Assert.All(store.All(), c => Assert.Equal(CellStatus.Done, store.Status(c)));
    }
}

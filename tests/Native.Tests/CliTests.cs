using System.Text.Json;
using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>The command line as a user meets it: exit codes, sentences, files. Commands run in this process, with their writers captured.</summary>
[Collection(WorkersCollection.Name)]
public sealed class CliTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static (int Code, string Output, string Error) Native(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int code = App.Run(args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    [Theory]
    [InlineData("rum naive", "native: 'rum' is not a verb; there are run, suite, reproduce, recall, doctor, gradcheck, data, bench, profile, results, kernels, cache. Did you mean run?")]
    [InlineData("run niave", "method: 'niave' is not known; there are METHODS. Did you mean 'naive'?")]
    [InlineData("run naive --sceanrio class", "native run: --sceanrio is not an option. Did you mean --scenario? See 'native run --help'.")]
    [InlineData("run --sceanrio naive", "native run: --sceanrio is not an option. Did you mean --scenario? See 'native run --help'.")]
    [InlineData("run naive --qqqqqqqq", "native run: --qqqqqqqq is not an option. See 'native run --help'.")]
    [InlineData("--mem-limt 3 doctor", "native doctor: --mem-limt is not an option. Did you mean --mem-limit? See 'native doctor --help'.")]
    [InlineData("run naive --scenario klass", "scenario: 'klass' is not known; there are class, task, domain. Did you mean 'class'?")]
    [InlineData("run", "native run: METHOD is missing. See 'native run --help'.")]
    [InlineData("run naive er", "native run: 'er' is one argument too many. See 'native run --help'.")]
    [InlineData("run naive --seed", "native run: --seed needs a value. See 'native run --help'.")]
    [InlineData("run naive --seed -1", "native run: --seed takes a whole number of 0 or more; got '-1'.")]
    [InlineData("run naive --json --seed 1", "native run: --json needs a value before --seed. See 'native run --help'.")]
    [InlineData("run naive --seed 1 --seed 2", "native run: --seed is given 2 times. Give it once.")]
    [InlineData("run naive --nan-trap=maybe", "native run: --nan-trap is a switch and takes no value; got 'maybe'. Leave the value out.")]
    [InlineData("run naive --json nowhere/", "write: nowhere/ is a folder. Name a file.")]
    [InlineData("run naive --data /proc --epochs -1", "train: epochs must be 1 or more; got -1.")]
    [InlineData("run naive --data /proc --batch 0", "train: batch size must be 1 or more; got 0.")]
    [InlineData("run er --data /proc --buffer -1", "er: a memory of -1 images holds nothing. Give --buffer 1 or more.")]
    [InlineData("run naive --epochs two", "native run: --epochs takes a whole number; got 'two'.")]
    [InlineData("run naive --lr fast", "native run: --lr takes a number; got 'fast'.")]
    [InlineData("run naive --stream split-digits --epochs 0", "train: epochs must be 1 or more; got 0.")]
    [InlineData("run naive --lr 0", "naive: learningRate = 0 is not a positive number.")]
    [InlineData("run naive --buffer 4", "naive: it keeps no images, so a memory of 4 means nothing. Leave --buffer out.")]
    [InlineData("run naive --set learningrat=1", "naive: option: 'learningrat' is not known; there are learningRate, width. Did you mean 'learningRate'?")]
    [InlineData("run naive --set width=4 --set width=5", "native run: --set width is given 2 times. Give it once.")]
    [InlineData("recall naive --set width=4 --set width=5", "native recall: --set width is given 2 times. Give it once.")]
    [InlineData("run naive --set width", "set: 'width' is not name=value. Write for example --set steps=20.")]
    [InlineData("run naive --checkpoint-every 5s", "native run: --checkpoint-every needs a folder to save in. Add --out DIR.")]
    [InlineData("run naive --out x --allow-unofficial", "native run: --allow-unofficial data are not those that a cell of --out stands for. Leave one of the two out.")]
    [InlineData("suite --preset qick", "preset: 'qick' is not known; there are quick, paper. Did you mean 'quick'?")]
    [InlineData("suite --jobs 0", "jobs: 0 cells at once is no number of jobs. Give 1 to 1024.")]
    [InlineData("suite --seeds 0", "seeds: 0 is no number of seeds. Give 1 to 10000.")]
    [InlineData("suite status --out /no/such/folder", "suite: /no/such/folder is not a folder. Name the --out of a suite.")]
    [InlineData("suite merge /no/such/folder", "merge: /no/such/folder has no cells. Name the --out of a suite.")]
    [InlineData("suite merge", "native suite merge: DIR is missing. See 'native suite merge --help'.")]
    [InlineData("suite stats", "native suite: 'stats' is not a verb; there are status, merge. Did you mean status?")]
    [InlineData("reproduce arm/table", "table: 'arm/table' is not known; there are TABLES. Did you mean 'arm/table1'?")]
    [InlineData("reproduce", "native reproduce: TABLE is missing. See 'native reproduce --help'.")]
    [InlineData("run naive --device emu:1", "device: 'emu:1' is not a device. Use cpu, cuda:N or emu:0.")]
    [InlineData("run naive --threads 0", "--threads: 0 is not a number of threads. Give 1 to 1024.")]
    [InlineData("run naive --mem-limit -1", "--mem-limit: -1 MiB is not a limit. Give 0 (none) to 1099511627776.")]
    [InlineData("data", "native data: a verb is missing; there are list, get, check.")]
    [InlineData("data lst", "native data: 'lst' is not a verb; there are list, get, check. Did you mean list?")]
    [InlineData("data get mnits --data /proc", "data set: 'mnits' is not known; there are mnist, cifar-10, cifar-100, svhn, omniglot, ag-news, miniimagenet, imagenet-50. Did you mean 'mnist'?")]
    [InlineData("data get --data /proc", "data get: no data set is named. 'native data list' shows them.")]
    [InlineData("data get miniimagenet --data /proc", "data get: miniimagenet cannot be fetched; MiniImageNet (Vinyals et al.): .npz files made by hand, see NpzFolder.")]
    [InlineData("data check --data /no/such/folder", "data: /no/such/folder is not a folder; --data names it. Correct the path.")]
    [InlineData("gradcheck --order 4", "gradcheck: --order takes 1, 2 or 3; got 4.")]
    [InlineData("gradcheck --sample 3", "gradcheck: --sample 3 says nothing without an op. Add --op NAME.")]
    [InlineData("gradcheck --op tanh --sample 6", "gradcheck: tanh has no sample 6; it has 6, counted from 0.")]
    [InlineData("gradcheck --op lt", "gradcheck: lt has no derivative to check. Without --op, every op that has one is checked.")]
    [InlineData("bench methods --steps 2", "bench methods: --steps must be 3 to 100000, for a median; got 2.")]
    [InlineData("bench methods --only joint", "bench methods: joint does not learn one task after the other with one set of outputs. Leave it out.")]
    [InlineData("bench ops --seconds 0", "bench: --seconds must be above 0 and at most 3600; got 0.")]
    public void Mistakes_are_answered_with_one_sentence_and_exit_code_2(string line, string sentence)
    {
        var (code, _, error) = Native(line.Split(' '));
        Assert.Equal(Full(sentence), error.TrimEnd());
        Assert.Equal(2, code);
    }

    private static string Full(string sentence) => sentence.Replace("METHODS", string.Join(", ", MethodTable.All.Select(m => m.Name)), StringComparison.Ordinal)
        .Replace("TABLES", string.Join(", ", PaperTables.All.Select(t => t.Id)), StringComparison.Ordinal);

    [Fact]
    public void A_missing_driver_is_answered_with_what_was_tried()
    {
        if (Driver.TryVersion() is not null)
            return; // there is one here: the tests of GpuKit speak for it
        var (code, _, error) = Native("run", "naive", "--device", "cuda:0");
        Assert.StartsWith("cuda:0 is unavailable: libcuda was not found in ", error, StringComparison.Ordinal);
        Assert.Contains("Install an NVIDIA driver, or name the library's folder in NATIVE_CUDA_PATH.", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }

    [Theory]
    [InlineData("method: '' is not known; there are METHODS.", "run", "")]
    [InlineData("write: the name of the file is empty. Name a file.", "run", "naive", "--json", "")]
    [InlineData("cells: the name of the folder is empty. Give --out DIR.", "suite", "--out", "")]
    public void Empty_names_are_answered_with_one_sentence(string sentence, params string[] line)
    {
        var (code, _, error) = Native(line);
        Assert.Equal((2, Full(sentence)), (code, error.TrimEnd()));
    }

    [Fact]
    public void A_bad_set_does_not_hide_the_others()
    {
        var (code, _, error) = Native("data", "check", "--data", _folder.Path);
        Assert.StartsWith($"data: {_folder.Path} holds none of the data sets mnist, cifar-10,", error);
        Assert.Equal(2, code);
        foreach (string folder in (string[])["mnist", "omniglot"])
            Directory.CreateDirectory(_folder.File(folder));
        (code, string output, _) = Native("data", "check", "--data", _folder.Path);
        Assert.Equal(App.Failed, code);
        Assert.Contains("MNIST's train-images-idx3-ubyte is not there", output);
        Assert.Contains("Omniglot's images_background.zip is not there", output);
    }

    [Fact]
    public void Data_that_are_a_device_are_refused_unread()
    {
        Directory.CreateDirectory(_folder.File("mnist"));
        string link = _folder.File("mnist/train-images-idx3-ubyte.gz");
        File.CreateSymbolicLink(link, "/dev/zero");
        var (code, _, error) = Native("data", "check", "mnist", "--data", _folder.Path);
        Assert.Equal((2, $"idx: {link}: it is empty, or not a regular file. Fetch it again, or name the file itself."), (code, error.TrimEnd()));
    }

    [Fact]
    public void Switches_have_the_bounds_of_their_options()
    {
        Assert.Equal(1024, Env.Threads.Parse("1024"));
        Assert.Equal("NATIVE_THREADS: '1025' is not a whole number of 0 to 1024.", Assert.Throws<UsageException>(() => Env.Threads.Parse("1025")).Message);
        Assert.Equal(1L << 60, Env.MemoryLimit.Parse($"{1L << 40}") << 20);
        Assert.Throws<UsageException>(() => Env.MemoryLimit.Parse($"{(1L << 40) + 1}"));
        Assert.Throws<UsageException>(() => Env.MemoryLimit.Parse("-1"));
    }

    [Fact]
    public void An_unknown_op_gets_the_nearest()
    {
        var (code, _, error) = Native("gradcheck", "--op", "tanj");
        Assert.StartsWith("gradcheck: there is no op 'tanj'. Did you mean 'tanh'?", error);
        Assert.Equal(2, code);
    }

    [Fact]
    public void An_unknown_stream_gets_the_list_and_the_nearest()
    {
        var (code, _, error) = Native("run", "naive", "--stream", "split-mnis");
        Assert.Equal($"stream: 'split-mnis' is not known; there are {string.Join(", ", StreamTable.All.Select(s => s.Name))}. Did you mean 'split-mnist'?",
            error.TrimEnd());
        Assert.Equal(2, code);
    }

    [Fact]
    public void A_named_folder_without_the_data_is_an_error_and_not_a_reason_for_other_data()
    {
        var (code, _, error) = Native("run", "naive", "--data", _folder.Path);
        Assert.StartsWith("data: MNIST's train-images-idx3-ubyte is not there; looked for ", error);
        Assert.Equal(2, code);
    }

    [Fact]
    public void A_memory_limit_is_kept_and_ends_with_the_command()
    {
        var (code, _, error) = Native("run", "naive", "--stream", "split-digits", "--mem-limit", "1");
        Assert.StartsWith("memory: cannot allocate ", error);
        Assert.Contains("limit 1 MiB", error);
        Assert.Equal(2, code);
        using var scope = TensorScope.Begin();
        Tensor.Zeros([1 << 20]);
    }

    [Fact]
    public void The_trap_names_the_operation_that_made_infinity()
    {
        string[] diverge = ["run", "naive", "--stream", "split-digits", "--lr", "1e30"];
        Assert.StartsWith("train: the loss is ", Native(diverge).Error);
        var (code, _, error) = Native([.. diverge, "--nan-trap"]);
        Assert.Contains(": produced ", error);
        Assert.Contains("This is the first operation to do so", error);
        Assert.Equal(2, code);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes_and_another_does_not()
    {
        byte[] Run(string name, string method, string seed, string threads)
        {
            string file = _folder.File(name);
            var (code, output, error) = Native(
                "run", method, "--stream", "split-digits", "--batch", "100", "--seed", seed, "--threads", threads, "--json", file);
            Assert.True(code == 0, error);
            Assert.Contains("drawn by the program", output);
            return File.ReadAllBytes(file);
        }
        foreach (string method in new[] { "naive", "joint", "er" })
        {
            byte[] first = Run("a.json", method, "3", "2");
            Assert.Equal(first, Run("b.json", method, "3", "1"));
            Assert.NotEqual(first, Run("c.json", method, "4", "2"));
        }
        Assert.Equal(["a.json", "b.json", "c.json"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("naive", "class", 5)]
    [InlineData("er", "task", 5)]
    [InlineData("er", "domain", 5)]
    [InlineData("joint", "class", 1)]
    public void Json_holds_fractions_and_says_why_a_figure_is_missing(string method, string scenario, int rows)
    {
        string file = _folder.File("sub/run.json");
        var (code, output, error) = Native("run", method, "--stream", "split-digits", "--scenario", scenario, "--batch", "50", "--json", file);
        Assert.True(code == 0, error);
        Assert.Contains("after phase", output);
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        var run = json.RootElement;
        Assert.Equal(method, run.GetProperty("method").GetString());
        Assert.Equal(scenario, run.GetProperty("scenario").GetString());
        Assert.Contains("drawn by the program", run.GetProperty("data").GetProperty("train").GetProperty("provenance").GetString());
        var matrix = run.GetProperty("accuracyMatrix").EnumerateArray().Select(r => r.EnumerateArray().Select(v => v.GetDouble()).ToArray()).ToArray();
        Assert.Equal(rows, matrix.Length);
        Assert.All(matrix, r => Assert.True(r.Length == 5 && r.All(v => v is >= 0 and <= 1)));
        Assert.Equal(5, run.GetProperty("initialAccuracy").GetArrayLength());
        Assert.Equal(matrix[^1].Average(), run.GetProperty("averageAccuracy").GetDouble(), 1e-12);
        var undefined = run.GetProperty("undefined").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString());
        Assert.Equal(method == "joint", undefined.ContainsKey("forgetting"));
        Assert.Equal(method == "joint" ? JsonValueKind.Null : JsonValueKind.Number, run.GetProperty("forgetting").ValueKind);
        Assert.Equal(scenario == "class", undefined.ContainsKey("forwardTransfer"));
        Assert.Equal(8, run.GetProperty("definitions").EnumerateObject().Count());
        if (method == "er")
            Assert.True(matrix[^1].Average() > 0.7, output);
    }

    [Fact]
    public void Ctrl_C_ends_with_130_and_leaves_no_file()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        using StringWriter output = new(), error = new();
        Assert.Equal(130, App.Run(["run", "naive", "--stream", "split-digits", "--json", _folder.File("a.json")], output, error, cancel.Token));
        Assert.Equal("native: interrupted. No file was left half-written.", error.ToString().TrimEnd());
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Ctrl_C_saves_the_cell_ends_with_130_and_the_next_run_continues_it()
    {
        using var cancel = new CancellationTokenSource();
        using StringWriter output = new(), error = new();
        string[] line = ["run", "er", "--stream", "split-digits", "--batch", "20", "--out", _folder.Path, "--checkpoint-every", "1000m"];
        // As a person does it: some time after the start.
        var person = new Thread(() =>
        {
            while (!Directory.Exists(Path.Combine(_folder.Path, "cells")) || Directory.GetDirectories(Path.Combine(_folder.Path, "cells")).Length == 0)
                Thread.Sleep(5);
            cancel.Cancel();
        });
        person.Start();
        Assert.Equal(130, App.Run(line, output, error, cancel.Token));
        person.Join();
        var store = new CellStore(_folder.Path);
        var cell = Assert.Single(store.All());
        Assert.Equal(CellStatus.Interrupted, store.Status(cell));
        var (code, status, _) = Native("suite", "status", "--out", _folder.Path);
        Assert.Contains("1 interrupted", status, StringComparison.Ordinal);
        Assert.Equal(0, code);
        Assert.Equal(0, Native(line).Code);
        Assert.Contains("done", Native(line).Output, StringComparison.Ordinal);
        Assert.Contains("1 done", Native("suite", "status", "--out", _folder.Path).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_of_our_own_is_called_one_and_ends_with_70()
    {
        using StringWriter output = new(), error = new();
        output.Dispose();
        Assert.Equal(70, App.Run(["data", "list"], output, error));
        Assert.StartsWith("native: this is a bug in Native, not in what you typed: ObjectDisposedException: ", error.ToString());
    }

    [Fact]
    public void A_target_that_cannot_be_written_is_refused_before_the_run()
    {
        var (code, output, error) = Native("run", "naive", "--stream", "split-digits", "--json", _folder.Path);
        Assert.Equal($"write: {_folder.Path} is a folder. Name a file.", error.TrimEnd());
        Assert.Equal("", output);
        Assert.Equal(2, code);
    }

    [Fact]
    public void Doctor_prints_every_switch_and_checks_the_engine()
    {
        var (code, output, error) = Native("doctor", "--mem-limit", "512");
        Assert.True(code == 0, output + error);
        Assert.All(Env.All, s => Assert.Contains(s.Name, output));
        Assert.Contains("tensor limit 512 MiB", output);
        Assert.Contains("cuda:0 is unavailable", output);
        Assert.Contains("kernel cache  ", output);
        Assert.Contains("self-check matmul: ok", output);
        Assert.Contains("self-check gradients: ok", output);
        Assert.DoesNotContain("\u001b", output);
    }

    [Fact]
    public void Gradcheck_of_one_op_reports_each_order()
    {
        var (code, output, _) = Native("gradcheck", "--op", "tanh", "--order", "3");
        Assert.Equal(0, code);
        Assert.Contains("3 of 3 checks passed", output);
    }

    [Fact]
    public void Gradcheck_of_a_broken_derivative_fails_and_prints_the_line_that_repeats_it()
    {
        static string[] failure(string output) => [.. output.Split('\n').SkipWhile(l => !l.Contains("FAILED; order 2")).TakeWhile(l => !l.StartsWith("  replay: "))];
        string output, line;
        using (new Mutation(op => op.Name == "matmul", Fault.Sign, 0))
        {
            var (code, text, error) = Native("gradcheck", "--op", "matmul", "--order", "2", "--seed", "7");
            Assert.Equal((1, ""), (code, error));
            output = text;
            line = output.Split('\n').Last(l => l.StartsWith("  replay: ")).Trim()["replay: ".Length..];
            // Nothing in it that a shell would read in a way of its own.
            Assert.Matches("^native gradcheck --op matmul --sample [0-9]+ --order 2 --seed 7$", line);
            var again = Native(line.Split(' ')[1..]);
            Assert.Equal(1, again.Code);
            Assert.True(failure(output).Length > 2, output);
            Assert.Equal(failure(output), failure(again.Output));
        }
        Assert.Equal(0, Native(line.Split(' ')[1..]).Code);
    }

    [Fact]
    public void Help_and_the_list_of_data_are_no_errors()
    {
        Assert.Contains("gradcheck", Native().Output);
        Assert.Contains("--scenario", Native("run", "--help").Output);
        Assert.Equal(0, Native("data", "list").Code);
        Assert.Contains("split-digits", Native("data", "list").Output);
    }

    [Fact]
    public void Speed_is_reported_beside_the_roof()
    {
        string file = _folder.File("bench.json");
        var (code, output, _) = Native("bench", "ops", "--only", "matmul-64-nt", "--seconds", "0.02", "--json", file);
        Assert.Equal(0, code);
        Assert.Contains("GFLOP/s (f32 multiply-add)", output);
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        var op = json.RootElement.GetProperty("ops")[0];
        Assert.Equal("matmul-64-nt", op.GetProperty("op").GetString());
        Assert.True(op.GetProperty("minimumSeconds").GetDouble() <= op.GetProperty("medianSeconds").GetDouble());
        Assert.True(op.GetProperty("gflops").GetDouble() > 0);
    }
}

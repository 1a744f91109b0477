using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>How cells are run.</summary>
/// <param name="Data">Where real data are.</param>
/// <param name="Every">Time between savings of a cell's state; null for none by time.</param>
/// <param name="EverySteps">Steps between savings; null for none by steps.</param>
/// <param name="Jobs">Cells run at once in this process.</param>
/// <param name="Retry">Try again what failed before.</param>
internal sealed record CellOptions(DataFolder Data, TimeSpan? Every, long? EverySteps = null, int Jobs = 1, bool Retry = false)
{
    public static CellOptions Default(DataFolder data) => new(data, RunCheckpoint.DefaultEvery);
}

/// <summary>Runs the cells of a plan that are not done and that nobody else is running; any number of processes may do so on one store.</summary>
internal sealed class CellRunner(CellStore store, CellOptions options, Ui ui)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _elsewhere = [];
    private CellProgress _progress = null!;

    /// <summary>Called for each step now and then, with the cell; for tests.</summary>
    public Action<Cell, TrainerProgress>? Stepped { get; init; }

    /// <summary>Works until every cell is done, has failed, or is in the hands of another process. Returns how many were left as they are, begun on another device.</summary>
    public int Run(IReadOnlyList<Cell> plan)
    {
        _elsewhere.Clear();
        _progress = new CellProgress(store, plan, options.Jobs);
        if (options.Retry)
            foreach (var cell in plan.Where(c => store.Status(c) == CellStatus.Failed))
                store.Retry(cell);
        // What another process had may have been left by it, killed, when this one has done the rest.
        int left;
        do
        {
            left = Open(plan).Count;
            Pass(Open(plan));
        }
        while (Open(plan).Count is > 0 and var now && now < left);
        ui.EndStatus();
        return _elsewhere.Count;
    }

    private List<Cell> Open(IReadOnlyList<Cell> plan) => [.. plan.Where(c => !_elsewhere.Contains(c.Id) && store.Status(c) is CellStatus.Waiting or CellStatus.Interrupted)];

    private void Pass(List<Cell> open)
    {
        int next = -1;
        void work()
        {
            while (Interlocked.Increment(ref next) is var i && i < open.Count)
            {
                ui.Cancel.ThrowIfCancellationRequested();
                RunOne(open[i]);
            }
        }
        int jobs = Math.Min(options.Jobs, open.Count);
        if (jobs <= 1)
        {
            work();
            return;
        }
        // A thread each, with its own tensors and scopes; what the commanding thread was told (--mem-limit, --nan-trap, --tf32) holds for each.
        var (limit, trap, tf32) = (Ambient.Current.MemoryLimit, NanTrap.IsOn, Ambient.Current.Tf32);
        Exception?[] ends = new Exception?[jobs];
        Thread[] threads = [.. Enumerable.Range(0, jobs).Select(k => new Thread(() =>
        {
            try
            {
                (Ambient.Current.MemoryLimit, Ambient.Current.Tf32) = (limit, tf32);
                using var trapped = trap ? NanTrap.Enable() : null;
                work();
            }
            catch (Exception e)
            {
                ends[k] = e;
            }
        }))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        if (ends.FirstOrDefault(e => e is not null and not OperationCanceledException) is { } bug)
            throw new AggregateException(bug);
        ui.Cancel.ThrowIfCancellationRequested();
    }

    /// <summary>Runs one cell if nobody else does and it is not done.</summary>
    public void RunOne(Cell cell)
    {
        // A description that is damaged meanwhile is the failure of its cell.
        using var claim = store.Status(cell) == CellStatus.Failed ? null : store.Claim(cell);
        if (claim is null || store.Result(cell) is not null || store.Error(cell) is not null)
            return;
        var clock = Stopwatch.StartNew();
        string outcome;
        try
        {
            // Left as it is, neither failed nor begun anew: whoever has that device goes on with it.
            if (RunCheckpoint.Elsewhere(store.StatePath(cell)) is { } refusal)
            {
                lock (_gate)
                {
                    _elsewhere.Add(cell.Id);
                    ui.Line($"{cell.Label}{Settings(cell)}: left as it is; {refusal}");
                }
                return;
            }
            Ambient.Current.AllocatorOf(Device.Default).ResetPeak();
            var run = Execute(cell);
            store.Finish(cell, Text(cell, run), Timing(run));
            outcome = run.Metrics.First(m => m.Key == "averageAccuracy") is { Value: not null } m ? $"average accuracy {m}" : "done";
        }
        catch (OperationCanceledException)
        {
            throw;
        }
        catch (Exception e)
        {
            string error = e is TensorException ? e.Message : $"{e.GetType().Name}: {e.Message}\n{e.StackTrace}";
            store.Fail(cell, error);
            outcome = $"FAILED: {error.Split('\n')[0]}";
        }
        lock (_gate)
            ui.Line($"{_progress?.Ended(cell, clock.Elapsed)}{cell.Label}{Settings(cell)}: {outcome} ({clock.Elapsed.TotalSeconds:F1} s)");
    }

    /// <summary>Runs a cell, continuing from its state if there is one, and returns what it yielded.</summary>
    private RunRecord Execute(Cell cell)
    {
        if (cell.Engine != Engine.Id)
            throw new UsageException($"cell {cell.Id}: it belongs to version {cell.Engine} of the engine and this is {Engine.Id}. Run it with that one.");
        var row = MethodTable.Find(cell.Method);
        var request = new StreamRequest(options.Data, cell.Scenario, cell.Seed)
        { Explicit = true, ShuffleClasses = cell.ShuffleClasses, MaxTrain = cell.MaxTrain, MaxTest = cell.MaxTest };
        var stream = StreamTable.Find(cell.Stream).Build(request);
        var spec = new RunSpec(row, cell.Stream, cell.Scenario, cell.Seed, new TrainerOptions(cell.Epochs, cell.BatchSize), new MethodSettings(),
            cell.ShuffleClasses, cell.MaxTrain, cell.MaxTest);
        var checkpoint = new RunCheckpoint(store.StatePath(cell), options.Every, options.EverySteps, Identity: cell.Id);
        using var shared = TrainedNets.In(Path.Combine(store.Root, "trained", Engine.Id));
        return MethodRun.Execute(spec, cell.MethodOptions(row), stream, checkpoint, p =>
        {
            Stepped?.Invoke(cell, p);
            if (_progress is null)
                return;
            lock (_gate)
                ui.Status(_progress.Line(cell, p));
        }, ui.Cancel, m =>
        {
            if (m is IPictures shows)
                store.Picture(cell, shows.Pictures());
        });
    }

    private static string Settings(Cell cell) => CellTable.Changed(cell) is { Length: > 0 } changed ? $" ({CellTable.Short(changed)})" : "";

    // The same bytes wherever and however often interrupted the cell was run: no times, no paths, of the device its kind, which decides how sums are rounded.
    private static string Text(Cell cell, RunRecord run)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("cell", cell.Id);
            MethodRun.WriteJson(json, run);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    private static JsonObject Timing(RunRecord run) => new()
    {
        ["trainSeconds"] = run.Result.TrainTime.TotalSeconds,
        ["testSeconds"] = run.Result.TestTime.TotalSeconds,
        ["device"] = Device.Default.Name,
        ["peakBytes"] = Ambient.Current.AllocatorOf(Device.Default).Stats.Peak,
        ["threads"] = Workers.Count,
        ["commit"] = Engine.Commit,
    };
}

/// <summary>How far a plan is, and how long the rest takes: each cell is expected to take what its like took, else the mean of all.</summary>
internal sealed class CellProgress(CellStore store, IReadOnlyList<Cell> plan, int jobs)
{
    private readonly Dictionary<string, List<double>> _seconds = Known(store, plan);
    private readonly Dictionary<string, double> _running = new(StringComparer.Ordinal);
    private readonly HashSet<string> _ended = [.. plan.Where(c => store.Status(c) is CellStatus.Done or CellStatus.Failed).Select(c => c.Id)];

    /// <summary>Notes that a cell has ended; returns the count for its line.</summary>
    public string Ended(Cell cell, TimeSpan took)
    {
        _running.Remove(cell.Id);
        _ended.Add(cell.Id);
        Add(_seconds, cell, took.TotalSeconds);
        return $"{_ended.Count}/{plan.Count} ";
    }

    /// <summary>The status line while a cell runs.</summary>
    public string Line(Cell cell, TrainerProgress p)
    {
        double share = p.Phases == 0 || p.Phase == 0 ? 0 : (p.Phase - 1 + (p.Steps == 0 ? 0 : (double)p.Step / p.Steps)) / p.Phases;
        _running[cell.Id] = share;
        if (share > 0.05 && !_seconds.ContainsKey(Like(cell)))
            Add(_seconds, cell, p.Elapsed.TotalSeconds / share);
        string left = Remaining() is { } t ? $", about {Words(t)} left" : "";
        return $"{_ended.Count}/{plan.Count} done{left}; {cell.Label}: phase {p.Phase}/{p.Phases}, step {p.Step}/{p.Steps}";
    }

    /// <summary>Seconds until the plan is through; null before anything is known.</summary>
    public double? Remaining()
    {
        if (_seconds.Count == 0)
            return null;
        double mean = _seconds.Values.SelectMany(v => v).Average();
        return plan.Where(c => !_ended.Contains(c.Id))
            .Sum(c => (_seconds.TryGetValue(Like(c), out var of) ? of.Average() : mean) * (1 - _running.GetValueOrDefault(c.Id))) / jobs;
    }

    /// <summary>A duration in words: <c>40 s</c>, <c>12 min</c>, <c>3.5 h</c>.</summary>
    public static string Words(double seconds) => seconds switch
    {
        < 100 => $"{seconds:F0} s",
        < 6000 => $"{seconds / 60:F0} min",
        _ => $"{seconds / 3600:F1} h",
    };

    private static string Like(Cell cell) => cell.Group;

    private static Dictionary<string, List<double>> Known(CellStore store, IReadOnlyList<Cell> plan)
    {
        var known = new Dictionary<string, List<double>>(StringComparer.Ordinal);
        foreach (var cell in plan)
            if (store.TimingOf(cell) is { } t)
                Add(known, cell, (t["trainSeconds"]?.GetValue<double>() ?? 0) + (t["testSeconds"]?.GetValue<double>() ?? 0));
        return known;
    }

    private static void Add(Dictionary<string, List<double>> to, Cell cell, double seconds)
    {
        if (!to.TryGetValue(Like(cell), out var list))
            to[Like(cell)] = list = [];
        list.Add(seconds);
    }
}

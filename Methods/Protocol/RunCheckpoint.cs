using System.Diagnostics;

namespace Native.Methods;

/// <summary>Where and how often a run saves its state, to be continued bit by bit after whatever ended it.</summary>
/// <param name="Path">The file; a run that finds it there continues from it.</param>
/// <param name="Every">Time between savings; null for none by time.</param>
/// <param name="EverySteps">Steps between savings; null for none by steps.</param>
/// <param name="Seeds">The run's random sequences, saved with it.</param>
/// <param name="Identity">What the run is; a state of any other is refused.</param>
public sealed record RunCheckpoint(string Path, TimeSpan? Every = null, long? EverySteps = null, SeedStreams? Seeds = null, string Identity = "")
{
    /// <summary>Half a minute: what is lost at most, at less than a percent of the time.</summary>
    public static TimeSpan DefaultEvery { get; } = TimeSpan.FromSeconds(30);

    private const string Rounded = "-tf32";

    /// <summary>What computes here: cpu, cuda or emu, with <c>-tf32</c> where factors are rounded. Each rounds in its own way, so a run is continued where it was begun.</summary>
    public static string BackEnd => Device.Default.Kind.ToString().ToLowerInvariant() + (Device.Default.RoundsFactors ? Rounded : "");

    /// <summary>Why a run that was saved to a file cannot be continued here; null when it can, or when there is none.</summary>
    /// <exception cref="DataFormatException">The file is damaged or something else.</exception>
    public static string? Elsewhere(string path)
    {
        if (!File.Exists(path))
            return null;
        string begun = "";
        new RunStateReader(path).Text(BackEndField, ref begun);
        return Refusal(path, begun);
    }

    /// <summary>Whether the file is a saved run, or is not there; false for one that is damaged or something else, which no run can be continued from.</summary>
    public static bool IsReadable(string path)
    {
        try
        {
            Elsewhere(path);
            return true;
        }
        catch (DataFormatException)
        {
            return false;
        }
    }

    internal const string BackEndField = "backEnd";

    internal static string? Refusal(string path, string begun) => begun == BackEnd ? null
        : $"state: {path} was begun on {begun} and this is {BackEnd}, which rounds otherwise, so that the run would have the bits of neither. Continue it with {Options(begun)}, or delete the file to begin anew here.";

    private static string Options(string backEnd) => backEnd.EndsWith(Rounded, StringComparison.Ordinal) ? $"--device {backEnd[..^Rounded.Length]} --tf32"
        : $"--device {backEnd}{(BackEnd == backEnd + Rounded ? " and without --tf32" : "")}";

    /// <summary>Reads an interval as typed: <c>30s</c>, <c>5m</c>, or a number of steps.</summary>
    /// <exception cref="UsageException">Neither.</exception>
    public static (TimeSpan? Every, long? EverySteps) ParseInterval(string text)
    {
        string number = text.TrimEnd('s', 'm');
        if (text.Length - number.Length <= 1 && long.TryParse(number, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long n)
            && n is >= 1 and <= 1_000_000_000)
            return text[^1] switch
            {
                's' => (TimeSpan.FromSeconds(n), null),
                'm' => (TimeSpan.FromMinutes(n), null),
                _ => (null, n),
            };
        throw new UsageException($"checkpoint: '{text}' is no interval. Give seconds as 30s, minutes as 5m, or a number of steps as 500.");
    }
}

/// <summary>Saves a run when it is time to, and reads it back.</summary>
internal sealed class RunSaver(RunCheckpoint? checkpoint, IMethod method, Generator shuffle, RunPosition position)
{
    private readonly Stopwatch _since = Stopwatch.StartNew();
    private long _steps;
    private RunStateWriter? _beforeTest;

    /// <summary>Called before a state is taken.</summary>
    public Action Settle { get; set; } = () => { };

    /// <summary>Continues from the file, if there is one.</summary>
    public void Load()
    {
        if (checkpoint is null || !File.Exists(checkpoint.Path))
            return;
        var reader = new RunStateReader(checkpoint.Path);
        Describe(reader);
        reader.Finish();
    }

    /// <summary>Called after each step; saves when it is time.</summary>
    public void Stepped()
    {
        _steps++;
        if (checkpoint is not null && (_steps >= checkpoint.EverySteps || _since.Elapsed >= checkpoint.Every))
            Save();
    }

    /// <summary>Saves the state as it is now, between two steps.</summary>
    public void Save()
    {
        if (checkpoint is null)
            return;
        Write(Capture());
    }

    /// <summary>
    /// Runs a test. If it is interrupted, the state from before it is saved: a method may draw noise to predict, and half of a test cannot be continued.
    /// </summary>
    public double[] Test(Func<double[]> test)
    {
        _beforeTest = checkpoint is null ? null : Capture();
        try
        {
            return test();
        }
        catch (OperationCanceledException)
        {
            if (_beforeTest is not null)
                Write(_beforeTest);
            throw;
        }
        finally
        {
            _beforeTest = null;
        }
    }

    private RunStateWriter Capture()
    {
        Settle();
        var writer = new RunStateWriter();
        Describe(writer);
        return writer;
    }

    private void Write(RunStateWriter state)
    {
        state.Save(checkpoint!.Path);
        _since.Restart();
        _steps = 0;
    }

    private void Describe(RunState state)
    {
        string identity = checkpoint!.Identity;
        state.Text("identity", ref identity);
        if (identity != checkpoint.Identity)
            throw new DataFormatException($"state: {checkpoint.Path} is of the run '{identity}', not of '{checkpoint.Identity}'. Delete it to begin this run anew.");
        string begun = RunCheckpoint.BackEnd;
        state.Text(RunCheckpoint.BackEndField, ref begun);
        if (RunCheckpoint.Refusal(checkpoint.Path, begun) is { } refusal)
            throw new UsageException(refusal);
        position.Persist(state);
        state.Generator("shuffle", shuffle);
        checkpoint.Seeds?.Persist(state);
        method.Persist(state);
    }
}

/// <summary>Where a run stands: everything of the loop that the next step depends on.</summary>
internal sealed class RunPosition(AccuracyMatrix matrix)
{
    private int _phase = 1, _step;
    private bool _begun, _ended;
    private long _steps;
    private double _loss = double.NaN, _trainSeconds, _testSeconds;
    private int[] _order = [];
    private Work _work;

    /// <summary>The accuracies so far.</summary>
    public AccuracyMatrix Matrix => matrix;

    /// <summary>Training phase, from 1.</summary>
    public int Phase => _phase;

    /// <summary>Steps done in this phase.</summary>
    public int Step => _step;

    /// <summary>Whether the method was told that the phase begins.</summary>
    public ref bool Begun => ref _begun;

    /// <summary>Whether the method was told that the phase is over.</summary>
    public ref bool Ended => ref _ended;

    /// <summary>Steps of all finished phases and this one.</summary>
    public long Steps => _steps;

    /// <summary>Loss of the latest step that was looked at.</summary>
    public ref double Loss => ref _loss;

    /// <summary>The images of the current epoch, in the order in which they are shown.</summary>
    public ref int[] Order => ref _order;

    /// <summary>Time in training, earlier sittings included.</summary>
    public ref double TrainSeconds => ref _trainSeconds;

    /// <summary>Time in tests, earlier sittings included.</summary>
    public ref double TestSeconds => ref _testSeconds;

    /// <summary>Operations and updates of training, earlier sittings included.</summary>
    public ref Work Work => ref _work;

    /// <summary>One more step is done.</summary>
    public void Advance()
    {
        _step++;
        _steps++;
    }

    /// <summary>One more step without data is done.</summary>
    public void Rested(double loss) => _loss = loss;

    /// <summary>On to the next phase.</summary>
    public void NextPhase()
    {
        _phase++;
        (_step, _begun, _ended, _loss, _order) = (0, false, false, double.NaN, []);
    }

    /// <summary>Describes it all.</summary>
    public void Persist(RunState state)
    {
        state.Number("loop.phase", ref _phase);
        state.Number("loop.step", ref _step);
        state.Flag("loop.begun", ref _begun);
        state.Flag("loop.ended", ref _ended);
        state.Number("loop.steps", ref _steps);
        state.Real("loop.loss", ref _loss);
        state.Real("loop.trainSeconds", ref _trainSeconds);
        state.Real("loop.testSeconds", ref _testSeconds);
        state.Ints("loop.order", ref _order);
        var (flops, updates) = (_work.Flops, _work.OptimizerSteps);
        state.Number("loop.flops", ref flops);
        state.Number("loop.updates", ref updates);
        _work = new Work(flops, updates);
        double[] rows = [.. Enumerable.Range(0, matrix.Rows).SelectMany(matrix.Row)];
        state.Doubles("loop.accuracies", ref rows);
        for (int i = matrix.Rows; state.Loading && i < rows.Length / matrix.Tasks; i++)
            matrix.AddRow(rows.AsSpan(i * matrix.Tasks, matrix.Tasks));
    }
}

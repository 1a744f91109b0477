using System.CommandLine;

namespace Native.Benchmarks;

/// <summary>
/// Options that every verb takes, in force for the extent of one command. The memory limit and the trap are set on the commanding thread only,
/// which is the one that computes: tests run commands beside each other.
/// </summary>
internal sealed class Globals
{
    private readonly Option<long?> _memLimit = new("--mem-limit")
    { Description = "Upper bound on tensor memory, in MiB; 0 = none.", HelpName = "MiB", Recursive = true };

    private readonly Option<bool> _nanTrap = new("--nan-trap")
    { Description = "Stop at the first operation that makes NaN or infinity from finite inputs.", Recursive = true };

    private readonly Option<int?> _threads = new("--threads")
    { Description = "Threads of the CPU back end; results do not depend on it.", HelpName = "N", Recursive = true };

    private readonly Option<string?> _device = new("--device")
    { Description = "Device: cpu, cuda:N, or emu:0, the CUDA back end on the host (default: NATIVE_DEVICE, else cpu).", HelpName = "NAME", Recursive = true };

    private readonly Option<bool> _tf32 = new("--tf32")
    { Description = "Products and convolutions in f32 on a GPU's tensor cores: factors rounded to 10 bits of mantissa. No effect on the CPU.", Recursive = true };

    /// <summary>Declares them.</summary>
    public void AddTo(RootCommand root)
    {
        root.Add(_memLimit);
        root.Add(_nanTrap);
        root.Add(_threads);
        root.Add(_device);
        root.Add(_tf32);
    }

    /// <summary>Applies what was given until the result is disposed.</summary>
    public IDisposable Apply(ParseResult parse, Ui ui)
    {
        var undo = new Undo();
        try
        {
            var line = Profiler.Line;
            Profiler.Line = ui.Error.WriteLine;
            undo.Add(() => Profiler.Line = line);
            if (DebugLines.On(2))
            {
                var roof = DebugLines.Roof;
                DebugLines.Roof = new DebugRoof().Seconds;
                undo.Add(() => DebugLines.Roof = roof);
            }
            if (DebugLines.On(1))
                DebugLines.Print(1, $"cpu: {DoctorCommand.Processor()}, vectors of {DoctorCommand.Vectors()}, {Workers.Count} threads");
            if (parse.GetValue(_memLimit) is { } limit)
            {
                if (limit is < 0 or > Env.MostMemory)
                    throw new UsageException($"--mem-limit: {limit} MiB is not a limit. Give 0 (none) to {Env.MostMemory}.");
                var ambient = Ambient.Current;
                long before = ambient.MemoryLimit;
                ambient.MemoryLimit = limit << 20;
                undo.Add(() => ambient.MemoryLimit = before);
            }
            if (parse.GetValue(_threads) is { } threads)
            {
                if (threads is < 1 or > (int)Env.MostThreads)
                    throw new UsageException($"--threads: {threads} is not a number of threads. Give 1 to {Env.MostThreads}.");
                int before = Workers.Count;
                Workers.SetCount(threads);
                undo.Add(() => Workers.SetCount(before));
            }
            if (parse.GetValue(_device) is { } device)
                undo.Add(Env.Device.Override(Device.Parse(device).Name));
            if (parse.GetValue(_nanTrap))
                undo.Add(NanTrap.Enable());
            if (parse.GetValue(_tf32))
            {
                var ambient = Ambient.Current;
                bool before = ambient.Tf32;
                ambient.Tf32 = true;
                undo.Add(() => ambient.Tf32 = before);
            }
            return undo;
        }
        catch
        {
            undo.Dispose();
            throw;
        }
    }

    private sealed class Undo : IDisposable
    {
        private readonly Stack<Action> _actions = new();

        public void Add(Action action) => _actions.Push(action);

        public void Add(IDisposable disposable) => _actions.Push(disposable.Dispose);

        public void Dispose()
        {
            while (_actions.TryPop(out var action))
                action();
        }
    }
}

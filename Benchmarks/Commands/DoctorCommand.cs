using System.CommandLine;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary><c>native doctor</c>: what a bug report needs, and a quick check that the engine computes.</summary>
internal static class DoctorCommand
{
    public static Command Create(Ui ui)
    {
        var data = DataCommand.FolderOption();
        var libraries = new Option<bool>("--libraries") { Description = "Lists every place where a CUDA library was looked for in vain." };
        var command = new Command("doctor", "Prints the environment and checks the engine.") { data, libraries };
        command.SetAction(parse => Run(ui, DataFolder.From(parse.GetValue(data)), parse.GetValue(libraries) || Env.Debug.Value > 0));
        return command;
    }

    private static int Run(Ui ui, DataFolder folder, bool searches)
    {
        var cuda = DoctorCuda.Ask();
        var facts = new List<string[]>
        {
            new[] { "engine", $"Native {Engine.Id}" },
            new[] { "runtime", $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}" },
            new[] { "system", RuntimeInformation.OSDescription },
            new[] { "processor", $"{Processor()}, {Environment.ProcessorCount} logical" },
            new[] { "vectors", Vectors() },
            new[] { "threads", $"{Workers.Count}" },
            new[] { "memory", $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20} MiB available; tensor limit {Limit()}" },
            new[] { "device cpu", $"ok{(Device.Default == Device.Cpu ? " (default)" : "")}" },
            new[] { "device cuda", Reason("cuda:0") },
            new[] { "device emu", Reason("emu:0") },
            new[] { "kernel cache", CacheCommand.Describe(KernelCache.Default) },
            new[] { "data folder", folder.Root ?? $"none (--data DIR, or the variable {DataFolder.Variable})" },
        };
        facts.InsertRange(facts.FindIndex(f => f[0] == "kernel cache"), cuda.Rows);
        facts.AddRange(StreamTable.All.Select(s => new[] { $"stream {s.Name}", s.State(folder) }));
        ui.Table(["what", "is"], facts);
        foreach (string advice in cuda.Advice())
            ui.Line($"advice: {advice}");
        if (searches)
            foreach (string search in cuda.Searches)
                ui.Line($"{search}\n");
        else if (cuda.Searches.Count > 0)
            ui.Line("'native doctor --libraries' lists where the CUDA libraries were looked for.\n");
        ui.Table(["switch", "value", "meaning"], Env.All.Select(s => new[] { s.Name, s.Text.Length == 0 ? "(unset)" : s.Text, s.Help }));
        var checks = new (string Name, Func<string?> Run)[] { ("matmul", CheckMatMul), ("gradients", CheckGradients) };
        bool ok = true;
        foreach (var (name, run) in checks)
        {
            string? fault = run();
            ok &= fault is null;
            ui.Line($"self-check {name}: {fault ?? "ok"}");
        }
        return ok ? App.Success : App.Failed;
    }

    private static string Limit() => Ambient.Current.Allocator.Limit is var limit and > 0 ? $"{limit >> 20} MiB" : "none";

    private static string Reason(string device)
    {
        try
        {
            return $"ok ({Device.Parse(device)})";
        }
        catch (DeviceException e)
        {
            return e.Message.Split('\n')[0];   // what was tried follows, and has its own option
        }
    }

    public static string Vectors()
    {
        string width = Vector512.IsHardwareAccelerated ? "512 bits" : Vector256.IsHardwareAccelerated ? "256 bits"
            : Vector128.IsHardwareAccelerated ? "128 bits" : "none";
        var sets = new (string Name, bool Has)[] { ("AVX-512", Avx512F.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported) };
        return $"{width} in use; {string.Join(", ", sets.Select(s => $"{s.Name} {(s.Has ? "yes" : "no")}"))}";
    }

    public static string Processor()
    {
        const string Info = "/proc/cpuinfo";
        string? line = File.Exists(Info) ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    // 37 x 53 x 41 reaches the tails of every kernel; small whole numbers make the answer exact.
    private static string? CheckMatMul()
    {
        const int M = 37, K = 53, N = 41;
        using var scope = TensorScope.Begin("doctor");
        var a = Enumerable.Range(0, M * K).Select(i => (float)(i % 7 - 3)).ToArray();
        var b = Enumerable.Range(0, K * N).Select(i => (float)(i % 5 - 2)).ToArray();
        var y = Tensor.From(a, [M, K]).MatMul(Tensor.From(b, [K, N])).ToArray<float>();
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++)
            {
                float sum = 0;
                for (int k = 0; k < K; k++)
                    sum += a[i * K + k] * b[k * N + j];
                if (y[i * N + j] != sum)
                    return $"FAILED: element [{i},{j}] is {y[i * N + j]}, not {sum}";
            }
        return null;
    }

    private static string? CheckGradients()
    {
        using var scope = TensorScope.Begin("doctor");
        var report = GradCheck.Run(x => (x[0].Tanh() * x[1].Exp()).Sum(), [Tensor.From([0.5, -1.0], [2]), Tensor.From([0.25, 0.75], [2])],
            new GradCheckOptions { Name = "tanh(a) exp(b)", Order = 2 });
        return report.Passed ? null : $"FAILED: {report}";
    }
}

using System.CommandLine;
using System.Diagnostics;

namespace Native.Benchmarks;

/// <summary><c>native kernels list|source|compile</c>: the CUDA kernels, the text a compiler is given, and whether it takes it.</summary>
internal static class KernelsCommand
{
    public static Command Create(Ui ui)
    {
        var only = new Argument<string?>("family") { Description = "Only this family.", Arity = ArgumentArity.ZeroOrOne };
        var targets = new Option<string>("--arch") { Description = "Architectures, separated by commas.", DefaultValueFactory = _ => "sm_80", HelpName = "LIST" };
        var json = new Option<string?>("--json") { Description = "Write the list to this file.", HelpName = "FILE" };
        var list = new Command("list", "Lists every CUDA kernel with the registers, shared and local memory it takes; compiles what is not in the cache.") { only, targets, json };
        list.SetAction((parse, cancel) => Task.FromResult(KernelList.Run(ui, Chosen(parse.GetValue(only)), parse.GetValue(targets)!.Split(','), parse.GetValue(json), CudaRuntimeCompiler.Load, cancel)));
        var name = new Argument<string>("family") { Description = "A family of `native kernels list`." };
        var dtype = new Option<string>("--dtype") { Description = "Element type.", DefaultValueFactory = _ => "f32", HelpName = "NAME" };
        var source = new Command("source", "Prints the program of a family, headers included, as it is compiled.") { name, dtype };
        source.SetAction(parse => Source(ui, parse.GetValue(name)!, parse.GetValue(dtype)!));
        var archs = new Option<string>("--arch") { Description = "Architectures, separated by commas.", DefaultValueFactory = _ => "sm_80,sm_90", HelpName = "LIST" };
        var compile = new Command("compile", "Compiles every kernel with NVRTC; needs no GPU.") { archs };
        compile.SetAction((parse, cancel) => Task.FromResult(Compile(ui, parse.GetValue(archs)!.Split(','), cancel)));
        return new Command("kernels", "The CUDA kernels.") { list, source, compile };
    }

    // Not through the cache: the point is to see the compiler work.
    private static int Compile(Ui ui, string[] archs, CancellationToken cancel)
    {
        var compiler = CudaRuntimeCompiler.Load();
        ui.Line($"NVRTC {Driver.VersionText(compiler.Version)} ({compiler.Source})");
        var rows = new List<string[]>();
        bool clean = true;
        foreach (string arch in archs)
        {
            CheckArch(compiler, arch);
            foreach (var family in Families())
                foreach (var dtype in family.DTypes)
                {
                    cancel.ThrowIfCancellationRequested();
                    long start = Stopwatch.GetTimestamp();
                    byte[] image = compiler.Compile($"{family.Name}_{dtype.Name()}", family.Source(dtype), arch, out string log);
                    clean &= log.Length == 0;
                    rows.Add([family.Name, dtype.Name(), arch, $"{family.Entries(dtype).Count}", $"{image.Length >> 10}", $"{Stopwatch.GetElapsedTime(start).TotalSeconds:F1}", log.Length == 0 ? "ok" : log]);
                }
        }
        ui.Table(["family", "type", "arch", "kernels>", "KiB>", "s>", "log"], rows);
        return clean ? App.Success : App.Failed;
    }

    /// <summary><see cref="UsageException"/> with those there are when the compiler does not know an architecture.</summary>
    public static void CheckArch(CudaRuntimeCompiler compiler, string arch)
    {
        if (!compiler.Archs.Any(a => $"sm_{a}" == arch))
            throw new UsageException($"kernels: this NVRTC does not know {arch}. It knows {string.Join(", ", compiler.Archs.Select(a => $"sm_{a}"))}.");
    }

    private static int Source(Ui ui, string name, string dtype)
    {
        Families();
        var family = KernelCatalog.Find(name);
        foreach (var t in family.DTypes)
        {
            if (t.Name() != dtype)
                continue;
            ui.Output.Write(family.Source(t));
            return App.Success;
        }
        throw new UsageException($"kernels: {name} is not compiled for '{dtype}'. It is for {string.Join(", ", family.DTypes.Select(t => t.Name()))}.");
    }

    private static IReadOnlyList<KernelFamily> Chosen(string? name)
    {
        var all = Families();
        return name is null ? all : [KernelCatalog.Find(name)];
    }

    // The op table defines the rows of the generated families.
    private static IReadOnlyList<KernelFamily> Families()
    {
        _ = OpTable.All.Count;
        return KernelCatalog.Families();
    }
}

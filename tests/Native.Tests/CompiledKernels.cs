namespace Native.Tests;

/// <summary>Every program of the catalog as NVRTC compiles it, with the assembler's report: once per architecture and run, and not at all when it is in the cache.</summary>
internal static class CompiledKernels
{
    /// <summary>The papers' machines.</summary>
    public static readonly string[] Archs = ["sm_70", "sm_80", "sm_90"];

    private static readonly Dictionary<string, Lazy<IReadOnlyList<CompiledProgram>>> ByArch =
        Archs.ToDictionary(a => a, a => new Lazy<IReadOnlyList<CompiledProgram>>(() => Compile(a)), StringComparer.Ordinal);

    /// <summary>All programs for an architecture; none when the compiler has left it behind, as NVRTC 13 has sm_70.</summary>
    public static IReadOnlyList<CompiledProgram> For(string arch) => ByArch[arch].Value;

    private static List<CompiledProgram> Compile(string arch)
    {
        var compiler = CudaRuntimeCompiler.Load();
        if (!compiler.Archs.Any(a => $"sm_{a}" == arch))
            return compiler.Archs[0] > 70 && arch == "sm_70" ? [] : throw new DeviceException($"NVRTC {compiler.Version} does not know {arch}.");
        Assert.NotEmpty(OpTable.All);
        var programs = new List<CompiledProgram>();
        foreach (var family in KernelCatalog.Families())
            foreach (var dtype in family.DTypes)
            {
                var (image, report) = KernelCache.Default.Reported(compiler, $"{family.Name}_{dtype.Name()}", family.Source(dtype), arch);
                programs.Add(new(family, dtype, [.. family.Entries(dtype).Select(e => $"{e}_{dtype.Name()}")], image, report));
            }
        return programs;
    }
}

/// <summary>A family for one element type: the kernels that its text declares, its CUBIN and the report.</summary>
internal sealed record CompiledProgram(KernelFamily Family, DType DType, string[] Kernels, byte[] Image, KernelReport Report);

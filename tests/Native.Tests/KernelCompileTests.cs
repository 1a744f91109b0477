namespace Native.Tests;

/// <summary>Every kernel of the catalog becomes a CUBIN for every architecture that the papers' machines have, without a warning.</summary>
[Trait("Category", "Nvrtc")]
public sealed class KernelCompileTests
{
    [NeedsFact(GpuKit.Nvrtc)]
    public void Every_family_compiles_for_sm_70() => CompileAll("sm_70");

    [NeedsFact(GpuKit.Nvrtc)]
    public void Every_family_compiles_for_sm_80() => CompileAll("sm_80");

    [NeedsFact(GpuKit.Nvrtc)]
    public void Every_family_compiles_for_sm_90() => CompileAll("sm_90");

    private static void CompileAll(string arch)
    {
        var compiler = CudaRuntimeCompiler.Load();
        // NVRTC 13 has left sm_70 behind; what it does not know it cannot be asked for.
        if (arch == "sm_70" && compiler.Archs[0] > 70)
            return;
        Assert.NotEmpty(OpTable.All);
        var faults = new List<string>();
        foreach (var family in KernelCatalog.Families())
            foreach (var dtype in family.DTypes)
            {
                byte[] image = compiler.Compile($"{family.Name}_{dtype.Name()}", family.Source(dtype), arch, out string log);
                if (log.Length > 0)
                    faults.Add($"{family.Name} {dtype.Name()}: {log}");
                // A CUBIN is an ELF file that names its kernels.
                Assert.Equal([0x7F, (byte)'E', (byte)'L', (byte)'F'], image[..4]);
                foreach (string entry in family.Entries(dtype))
                    Assert.True(image.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes($"{entry}_{dtype.Name()}\0")) >= 0, $"{entry}_{dtype.Name()} is not in the CUBIN");
            }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }
}

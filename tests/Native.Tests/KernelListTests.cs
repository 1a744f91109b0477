using System.Text.Json;
using Native.Benchmarks;

namespace Native.Tests;

/// <summary><c>native kernels list</c>: what every kernel takes, and what is said where that cannot be known.</summary>
public sealed class KernelListTests
{
    // As NVRTC 11.8 writes it for sm_70 and sm_90, and as CUDA 12 does; a function that is no kernel, and a warning.
    private const string Log = """
        ptxas info    : 412 bytes gmem
        ptxas warning : Stack size for entry function 'b_f32' cannot be statically determined
        ptxas info    : Compiling entry function 'a_f64' for 'sm_70'
        ptxas info    : Function properties for a_f64
        ptxas         .     24 bytes stack frame, 8 bytes spill stores, 16 bytes spill loads
        ptxas info    : Function properties for __internal_helper
        ptxas         .     40 bytes stack frame, 32 bytes spill stores, 32 bytes spill loads
        ptxas info    : Used 30 registers, 2048 bytes smem, 400 bytes cmem[0], 8 bytes cmem[2]
        ptxas info    : Compiling entry function 'b_f32' for 'sm_90'
        ptxas info    : Function properties for b_f32
            0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
        ptxas info    : Used 41 registers, used 1 barriers
        """;

    [Fact]
    public void A_report_is_read()
    {
        var report = KernelReport.Parse(Log.ReplaceLineEndings("\n"));
        Assert.Equal([new KernelUse("a_f64", 30, 2048, 24, 8, 16), new KernelUse("b_f32", 41, 0, 0, 0, 0)], report.Kernels);
        Assert.Equal("ptxas warning : Stack size for entry function 'b_f32' cannot be statically determined", report.Warnings);
        Assert.Equal("c_f32: the compiler reports no registers for it. It reports a_f64, b_f32.", Assert.Throws<KernelException>(() => report["c_f32"]).Message);
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void The_list_has_what_a_kernel_takes_on_each_architecture()
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("list.json");
        string text = Native("kernels", "list", "upsample", "--arch", "sm_80,sm_90", "--json", file);
        Assert.Matches(@"(?m)^family +kernel +type +arch +registers +shared B +local B +spilled B$", text);
        Assert.Matches(@"(?m)^upsample +upsample_nearest +f32 +sm_90 +\d+ +0 +0 +0$", text);
        using var json = JsonDocument.Parse(File.ReadAllBytes(file));
        var kernels = json.RootElement.GetProperty("kernels").EnumerateArray().ToList();
        Assert.Equal(["f32 sm_80", "f32 sm_90", "f64 sm_80", "f64 sm_90"],
            kernels.Select(k => $"{k.GetProperty("type")} {k.GetProperty("arch")}").Where(k => k.StartsWith('f')));
        Assert.All(kernels, k => Assert.InRange(k.GetProperty("registers").GetInt32(), 1, 255));
        Assert.Equal(Driver.VersionText(CudaRuntimeCompiler.Load().Version), json.RootElement.GetProperty("nvrtc").GetString());
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void What_is_not_known_gets_a_sentence()
    {
        Assert.StartsWith("kernels: this NVRTC does not know sm_81. It knows sm_", Native("kernels", "list", "--arch", "sm_81"));
        Assert.StartsWith("kernels: there is no family 'upsmaple'. There are compare, ", Native("kernels", "list", "upsmaple"));
    }

    [Fact]
    public void Without_nvrtc_the_kernels_are_named_with_the_reason_why_no_more_is_known()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        string file = folder.File("list.json");
        int code = KernelList.Run(new Ui(output, output, default), [KernelCatalog.Find("upsample")], ["sm_80"], file, () => throw new DeviceException("libnvrtc was not found in 5 places."), default);
        Assert.Equal(0, code);
        Assert.Matches(@"(?m)^upsample +upsample_nearest +f32\r?$", output.ToString());
        Assert.Contains("Registers, shared and local memory are not known without NVRTC: libnvrtc was not found in 5 places.", output.ToString());
        using var json = JsonDocument.Parse(File.ReadAllBytes(file));
        Assert.Equal("libnvrtc was not found in 5 places.", json.RootElement.GetProperty("nvrtcMissing").GetString());
        Assert.False(json.RootElement.GetProperty("kernels")[0].TryGetProperty("registers", out _));
    }

    // What the command prints, or says that is wrong.
    private static string Native(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        return (App.Run(arguments, output, error) == 0 ? output : error).ToString().ReplaceLineEndings("\n");
    }
}

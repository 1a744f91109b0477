using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>NVRTC: our headers become CUBINs without a warning on every architecture it knows, and a mistake is shown with its line.</summary>
[Trait("Category", "Nvrtc")]
public sealed class CudaRuntimeCompilerTests(ITestOutputHelper output)
{
    private const string Probe = """
        extern "C" __global__ void probe_f32(const float* x, float* y, long long n)
        {
            long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = nat_pow(nat_tanh(x[i]), nat_erf(x[i]));
        }
        extern "C" __global__ void probe_f64(const double* x, double* y, long long n)
        {
            long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = nat_pow(nat_tanh(x[i]), nat_sin(x[i]));
        }
        """;

    [NeedsFact(GpuKit.Nvrtc)]
    public void Instances_of_templates_are_found_by_their_lowered_names()
    {
        const string Text = "namespace ours { template <class T> __global__ void scale(T* x, T by) { x[threadIdx.x] *= by; } }";
        var compiler = CudaRuntimeCompiler.Load();
        byte[] ptx = compiler.Compile("scale", Text, "compute_80", ["ours::scale<float>", "&ours::scale<double>"], out string[] lowered);
        // By the rules of C++'s binary interface.
        Assert.Equal(["_ZN4ours5scaleIfEEvPT_S1_", "_ZN4ours5scaleIdEEvPT_S1_"], lowered);
        Assert.All(lowered, name => Assert.Contains($".entry {name}(", Strings(ptx), StringComparison.Ordinal));
        Assert.Throws<KernelException>(() => compiler.Compile("scale", Text, "compute_80", ["ours::shrink<float>"], out _));
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void Our_headers_become_cubins_without_a_warning()
    {
        var compiler = CudaRuntimeCompiler.Load();
        output.WriteLine($"NVRTC {Driver.VersionText(compiler.Version)} ({compiler.Source}) compiles for sm_{string.Join(", sm_", compiler.Archs)}");
        int[] wanted = [70, 80, 90], known = [.. wanted.Intersect(compiler.Archs)];
        // CUDA 13 dropped the first; none dropped two.
        Assert.True(known.Length >= 2, $"NVRTC {compiler.Version} knows none of ours");
        foreach (int arch in known)
        {
            byte[] cubin = compiler.Compile("probe", Text("common.cuh") + Text("special.cuh") + Probe, $"sm_{arch}", out string log);
            Assert.Equal("", log);
            Assert.Equal([0x7F, (byte)'E', (byte)'L', (byte)'F'], cubin[..4]);
            Assert.Contains("probe_f32", Strings(cubin));
            Assert.Contains("probe_f64", Strings(cubin));
            // -lineinfo: a profiler finds the line; where the compiler survives it.
            if (compiler.Options($"sm_{arch}").Contains("-lineinfo"))
                Assert.Contains(".debug_line", Strings(cubin));
            else
                Assert.True(arch == 90 && compiler.Version < 12000, $"sm_{arch} has no line information");
        }
        string ptx = Strings(compiler.Compile("probe", Text("common.cuh") + Text("special.cuh") + Probe, "compute_80", out _));
        Assert.Contains(".target sm_80", ptx);
        Assert.EndsWith("\0", ptx);
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void A_product_and_a_sum_round_apart()
    {
        const string Text = """extern "C" __global__ void axpy(const float* x, float* y) { y[0] = x[0] * x[1] + x[2]; }""";
        string ptx = Strings(CudaRuntimeCompiler.Load().Compile("axpy", Text, "compute_80", out _));
        Assert.Contains("mul.f32", ptx.Replace("mul.rn.f32", "mul.f32"));
        Assert.DoesNotContain("fma", ptx);
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void A_mistake_is_shown_with_its_line()
    {
        const string Wrong = "// one\n// two\nextern \"C\" __global__ void wrong_f32(float* x)\n{\n    x[0] = tanff(1.f);\n}\n";
        var compiler = CudaRuntimeCompiler.Load();
        string message = Assert.Throws<KernelException>(() => compiler.Compile("wrong_f32", Wrong, "sm_80", out _)).Message;
        Assert.StartsWith($"kernel wrong_f32 failed to compile for sm_80 (NVRTC {Driver.VersionText(compiler.Version)}): NVRTC_ERROR_COMPILATION\nwrong_f32.cu(5): error:", message);
        Assert.Contains("\"tanff\" is undefined", message);
        Assert.EndsWith("""
            wrong_f32.cu, line 5:
                 3 | extern "C" __global__ void wrong_f32(float* x)
                 4 | {
            >    5 |     x[0] = tanff(1.f);
                 6 | }
                 7 |
            """.ReplaceLineEndings("\n"), message.TrimEnd());
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void Threads_compile_side_by_side_and_give_the_same_bytes()
    {
        var compiler = CudaRuntimeCompiler.Load();
        string source = Text("common.cuh") + Text("special.cuh") + Probe;
        byte[] alone = compiler.Compile("probe", source, "sm_80", out _);
        byte[][] together = new byte[4][];
        Thread[] threads = [.. together.Select((_, i) => new Thread(() => together[i] = compiler.Compile("probe", source, "sm_80", out string _)))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.All(together, bytes => Assert.True(bytes.AsSpan().SequenceEqual(alone), "a compilation beside others gave other bytes"));
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void A_warning_is_in_the_log()
    {
        const string Text = """extern "C" __global__ void unused(float* x) { int nobody; x[0] = 1.f; }""";
        CudaRuntimeCompiler.Load().Compile("unused", Text, "sm_80", out string log);
        Assert.Contains("\"nobody\" was declared but never referenced", log);
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void An_architecture_that_is_not_known_gets_the_nearest_that_runs_there()
    {
        var compiler = CudaRuntimeCompiler.Load();
        int newest = compiler.Archs[^1];
        Assert.All(compiler.Archs, a => Assert.Equal($"sm_{a}", compiler.Target(a)));
        // A generation ahead takes PTX; a sister of sm_80 that no version lists takes the CUBIN of the one below her, and not that of a board.
        Assert.Equal($"compute_{newest}", compiler.Target(newest / 10 * 10 + 20));
        Assert.Equal(compiler.Archs.Contains(86) ? "sm_86" : "sm_80", compiler.Target(88));
        Assert.Contains("it begins at", Assert.Throws<DeviceException>(() => compiler.Target(compiler.Archs[0] - 1)).Message);
    }

    [Fact]
    public void Without_nvrtc_the_error_says_what_was_tried()
    {
        using var folder = new TemporaryFolder();
        string message = Assert.Throws<DeviceException>(() => CudaRuntimeCompiler.Open(GpuKit.Bare(folder.Path) with { CudaPath = folder.Path }, null)).Message;
        Assert.StartsWith($"libnvrtc was not found in 5 places:\n  NATIVE_CUDA_PATH = {folder.Path}: no libnvrtc.so* in {folder.Path}", message);
        Assert.EndsWith("or name its folder in NATIVE_CUDA_PATH.", message);
    }

    private static string Text(string resource)
    {
        using var reader = new StreamReader(typeof(CudaRuntimeCompiler).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }

    private static string Strings(byte[] bytes) => System.Text.Encoding.Latin1.GetString(bytes);
}

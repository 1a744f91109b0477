using System.Text.RegularExpressions;

namespace Native.Tests;

/// <summary>What NATIVE_DEBUG prints at each level, on the cpu and on a GPU whose driver is emulated. Alone, because the lines are the process's.</summary>
[Trait("Category", "Emulator")]
[Collection(WorkersCollection.Name)]
public sealed partial class DebugLadderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Operations_print_the_same_lines_on_every_device(int level)
    {
        var cpu = Lines(level, () => Work(Device.Cpu));
        Device? device = null;
        var gpu = Lines(level, () => Work(device = DriverKit.Faulty().Device));
        if (level >= 1)
        {
            Assert.Equal($"{device}: emulated, sm_80, 2 multiprocessors, MiB, driver of CUDA 12.0, the emulated driver", Regex.Replace(gpu[0], @"\d+ MiB", "MiB"));
            gpu.RemoveAt(0);
        }
        // The CPU adds two gradients without an operation; so does a GPU. Times differ, and the names of the devices.
        Assert.Equal(cpu.Select(Normal), gpu.Select(Normal));
        Assert.Equal(level < 2, cpu.Count == 0);
        if (level == 2)
            Assert.Matches(@"^cpu     tanh +\d+\.\d us +\d+\.\d GB/s +\d+\.\d GFLOP/s$", cpu[0]);
        if (level < 3)
            return;
        Assert.Matches($@"^cpu     tanh .* GFLOP/s  f32\[4,3\] strides \[1,4\] -> f32\[4,3\], DebugLadderTests\.cs:\d+$", cpu[0]);
        Assert.Contains(cpu, l => l.StartsWith("cpu     matmul", StringComparison.Ordinal) && l.Contains("GFLOP/s  f32[4,3] f32[3,4] strides [1,3] -> f32[4,4]", StringComparison.Ordinal));
        Assert.Contains(cpu, l => l.StartsWith("cpu     tanh_grad", StringComparison.Ordinal) && l.Contains(", backward of tanh, DebugLadderTests.cs:", StringComparison.Ordinal));
    }

    [Fact]
    public void The_command_line_compares_with_the_measured_roof()
    {
        var lines = new StringWriter();
        using (Env.Debug.Override(2))
            OpKit.OnFreshThread(() => Assert.Equal(0, Benchmarks.App.Run(["gradcheck", "--op", "softmax", "--sample", "0", "--order", "1"], TextWriter.Null, lines)));
        string[] all = lines.ToString().Split('\n');
        Assert.Matches(@"^cpu: .+, \d+ threads$", all[0]);
        Assert.Matches(@"^cpu     softmax +\d+\.\d us +\d+\.\d GB/s +\d+\.\d GFLOP/s +\d+% of roof L$", all[1]);
        Assert.Null(DebugLines.Roof);
    }

    [Theory]
    [InlineData(1e-3, 2e-3, "M")]
    [InlineData(3e-3, 2e-3, "C")]
    [InlineData(1e-6, 1.5e-6, "L")]
    public void What_bounds_an_operation_has_a_letter(double compute, double memory, string letter)
    {
        DebugLines.Roof = (_, flops, bytes) =>
        {
            Assert.Equal((2 * 3 * 4 * 5, 4 * (12 + 20 + 15)), (flops, bytes));
            return (compute, memory);
        };
        try
        {
            var line = Assert.Single(Lines(2, () => Tensor.Ones([3, 4]).MatMul(Tensor.Ones([4, 5]))));
            Assert.Matches($@"GFLOP/s +\d+% of roof {letter}$", line);
        }
        finally
        {
            DebugLines.Roof = null;
        }
    }

    [NeedsFact(GpuKit.Gxx)]
    public void Level_4_adds_launches_with_grid_and_arguments_and_the_kernels_text()
    {
        var lines = Lines(4, () => Work(DriverKit.Faulty().Device));
        int text = lines.FindIndex(l => l.StartsWith("  text of pointwise_tanh_strided_f32; native kernels source pointwise --dtype f32 prints the whole program:\n", StringComparison.Ordinal));
        Assert.Matches(@"\n    POINTWISE\(tanh, \(T\)\(nat_tanh\(a\)\)\)\n    KERNEL\(pointwise_tanh_strided, PointwiseStrided\) \{ nat_strided<fn_tanh>\(args\); \}$", lines[text]);
        Assert.Matches(@"^  launch pointwise_tanh_strided_f32 grid\(1\) block\(256\) f32\[4,3\], f32\[4,3\] strides \[1,4\] at DebugLadderTests\.cs:\d+$", lines[text + 1]);
        Assert.Matches(@"^    \d+ bytes: Y=0x[0-9a-f]+ A=0x[0-9a-f]+ B=0x0 C=0x0 P=0 Q=0 N=12 LayoutA=\[4:1,3:4\] LayoutB=\[1:0\] LayoutC=\[1:0\]$", lines[text + 2]);
        Assert.StartsWith("cuda:", lines[text + 3], StringComparison.Ordinal);
        // A kernel written by hand is printed from the comment above it to its last brace, whatever stands around it.
        string reduction = Assert.Single(lines, l => l.StartsWith("  text of reduce_sum_inner_f32", StringComparison.Ordinal));
        Assert.Contains("REDUCTION(sum, ", reduction, StringComparison.Ordinal);
        Assert.Contains(lines, l => l.StartsWith("  launch cublas_gemm_f32 f32[4,4], f32[4,3], f32[3,4] strides [1,3] at ", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.StartsWith("  PTX", StringComparison.Ordinal) || l.StartsWith("  cache", StringComparison.Ordinal));
        // Each text once, each launch every time.
        Assert.Equal(lines.Where(l => l.StartsWith("  text", StringComparison.Ordinal)).Distinct(), lines.Where(l => l.StartsWith("  text", StringComparison.Ordinal)));
        Assert.True(lines.Count(l => l.StartsWith("  launch ", StringComparison.Ordinal)) >= 8);
    }

    [Fact]
    public void Every_kernel_of_the_catalog_has_a_text_of_its_own()
    {
        _ = OpTable.All.Count;
        foreach (var family in KernelCatalog.Families())
            foreach (var dtype in family.DTypes)
                foreach (string entry in family.Entries(dtype))
                {
                    string text = family.Text(entry, dtype);
                    Assert.Single(Heads().Matches(text));
                    Assert.Contains($"({entry},", text, StringComparison.Ordinal);
                    Assert.True(text.Count(c => c == '{') == text.Count(c => c == '}') && text.TrimEnd().EndsWith('}'), $"{entry}:\n{text}");
                }
    }

    [Fact]
    public void The_cpu_says_that_levels_4_to_6_have_nothing_to_show()
    {
        foreach (int level in new[] { 4, 5, 6 })
        {
            var lines = Lines(level, () => Work(Device.Cpu));
            Assert.Equal(DebugLines.NoKernels, Assert.Single(lines, l => l.StartsWith("cpu: ", StringComparison.Ordinal)));
            Assert.Equal(Lines(3, () => Work(Device.Cpu)).Select(Normal), lines.Where(l => l != DebugLines.NoKernels).Select(Normal));
        }
    }

    [NeedsFact(GpuKit.Gxx, GpuKit.Nvrtc)]
    public void Level_5_adds_the_cache_and_the_PTX()
    {
        using var cache = Env.Cache.Override(_folder.File("kernels"));
        var lines = Lines(5, () => _ = Tensor.Ones([4, 3], device: DriverKit.Faulty().Device).T.Contiguous());
        string listing = Assert.Single(lines, l => l.StartsWith("  PTX of copy_strided_f32: \n", StringComparison.Ordinal));
        Assert.Single(Regex.Matches(listing, @"\.visible \.entry \w+\("));
        Assert.Contains(".visible .entry copy_strided_f32(", listing, StringComparison.Ordinal);
        Assert.EndsWith("ret;\n\n    }", listing.Replace("\n    \n", "\n\n"), StringComparison.Ordinal);
        Assert.Single(lines, l => Regex.IsMatch(l, @"^  cache: copy_f32 for compute_80, \d+ bytes, compiled in \d+ ms, kept in ") && l.EndsWith(_folder.File("kernels"), StringComparison.Ordinal));
        lines = Lines(5, () => _ = Tensor.Ones([4, 3], device: DriverKit.Faulty().Device).T.Contiguous());
        Assert.Contains(lines, l => Regex.IsMatch(l, @"^  cache: copy_f32 for compute_80, \d+ bytes, found in "));
        Assert.DoesNotContain(lines, l => l.Contains("compiled in", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.StartsWith("  SASS", StringComparison.Ordinal) || l.StartsWith("  use", StringComparison.Ordinal));
    }

    [NeedsFact(GpuKit.Gxx, GpuKit.Nvrtc)]
    public void Level_6_adds_the_SASS_and_what_the_kernel_takes()
    {
        using var cache = Env.Cache.Override(_folder.File("kernels"));
        // A disassembler that says what it was asked, and whether the file is a CUBIN (ELF, machine 190).
        string tool = _folder.File("tools/bin/cuobjdump");
        Directory.CreateDirectory(Path.GetDirectoryName(tool)!);
        File.WriteAllText(tool, "#!/bin/sh\necho $1 $2 $3 $(od -An -tx1 -N4 $4) $(od -An -tu2 -j18 -N2 $4)\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(tool, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using (Env.CudaPath.Override(_folder.File("tools")))
        {
            var lines = Lines(6, () => _ = Tensor.Ones([4, 3], device: DriverKit.Faulty().Device).T.Contiguous());
            Assert.Contains("  SASS of copy_strided_f32: \n    -sass -fun copy_strided_f32 7f 45 4c 46 190", lines);
            // The emulated driver knows one number only.
            Assert.Contains("  use of copy_strided_f32: 0 registers, 0 bytes of shared memory, 0 bytes of local memory per thread, at most 1024 threads per block", lines);
            Assert.Contains(lines, l => l.StartsWith("  PTX of copy_strided_f32: \n", StringComparison.Ordinal));
        }
        Assert.Contains(Emulated(6), l => l == "  use of copy_strided_f32: none of a multiprocessor's; native kernels list has what NVRTC's assembler reports.");
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_disassembler_that_is_missing_or_fails_stops_nothing()
    {
        string tool = _folder.File("tools/bin/cuobjdump");
        Directory.CreateDirectory(Path.GetDirectoryName(tool)!);
        File.WriteAllText(tool, "not a program");
        using var path = Env.CudaPath.Override(_folder.File("tools"));
        var lines = Lines(6, () => Assert.Equal(1, Tensor.Ones([4, 3], device: DriverKit.Faulty().Device).T.Contiguous().ToArray<float>()[0]));
        Assert.Contains(lines, l => l.StartsWith("  SASS of copy_strided_f32: none; ", StringComparison.Ordinal));
    }

    [NeedsFact(GpuKit.Gxx)]
    public void What_a_graph_records_is_said_to_be_recorded()
    {
        var lines = Lines(4, () =>
        {
            var device = DriverKit.Faulty().Device;
            Tensor x = Tensor.Ones([4, 3], device: device);
            using var graph = CudaGraph.Capture("step", device, () => x.Exp());
            for (int i = 0; i < 4; i++)
                graph.Replay();
        });
        Assert.Contains(lines, l => Regex.IsMatch(l, @"^cuda:\d+ +exp +recorded  f32\[4,3\] -> f32\[4,3\], DebugLadderTests"));
        Assert.Single(lines, l => l.StartsWith("  record pointwise_exp_dense_f32 ", StringComparison.Ordinal));
        Assert.Equal(2, lines.Count(l => l.StartsWith("  launch pointwise_exp_dense_f32 ", StringComparison.Ordinal)));
        Assert.Equal(2, lines.Count(l => l.StartsWith("  launch graph 'step' (DebugLadderTests.cs:", StringComparison.Ordinal)));
    }

    private static void Work(Device device)
    {
        Tensor x = Tensor.Ones([3, 4], device: device).T.RequireGrad(), y = x.Tanh();
        Tensor loss = y.MatMul(y.T).Sum();
        loss.Backward();
        Assert.Equal(12, x.Grad!.Count);
    }

    private static List<string> Emulated(int level)
    {
        var device = CudaDevice.Open(Device.Parse("emu:0"));
        var kernel = KernelCatalog.Families().First(f => f.Name == "copy").Launched.First(k => k.Name == "copy_strided");
        return Lines(level, () => KernelListing.Print(device, kernel, DType.F32, 0));
    }

    // Of a thread that has seen no other level.
    private static List<string> Lines(int level, Action run)
    {
        var lines = new List<string>();
        var before = Profiler.Line;
        using var debug = Env.Debug.Override(level);
        Profiler.Line = lines.Add;
        try
        {
            OpKit.OnFreshThread(run);
        }
        finally
        {
            Profiler.Line = before;
        }
        return lines;
    }

    // The same line but for the device and the figures.
    private static string Normal(string line) => Figure().Replace(Name().Replace(line, "device "), "0");

    [GeneratedRegex(@"^(cpu|cuda:\d+) +")]
    private static partial Regex Name();

    [GeneratedRegex(@" +\d+\.\d")]
    private static partial Regex Figure();

    [GeneratedRegex(@"^KERNEL(_SYNC)?\(", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Heads();
}

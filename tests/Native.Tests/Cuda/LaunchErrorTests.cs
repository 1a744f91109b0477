using System.Runtime.CompilerServices;

namespace Native.Tests;

/// <summary>
/// Errors that a GPU reports later than their cause, injected into the emulated driver: one exception with the story, short references to it afterwards,
/// silence from everything that only gives back.
/// </summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class LaunchErrorTests
{
    private const string Illegal = "CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered";

    [NeedsFact(GpuKit.Gxx)]
    public void A_late_error_names_the_launches_before_it() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device), y = (x * x).T.Contiguous().Sum(1);
        driver.FailAt("MemcpyDtoHAsync", 1, CudaResult.IllegalAddress);
        int line = Line() + 1;
        var e = Assert.Throws<CudaException>(() => y.ToArray<float>());
        string[] lines = e.Message.Split('\n');
        Assert.Equal($"{device}: copying to the host: {Illegal}; first seen after reduce_sum_inner_f32 grid(1) block(256), at LaunchErrorTests.cs:{line}. "
            + $"The error is asynchronous: rerun with NATIVE_SYNC=1 to find the launch. {device} is lost to this process.", OneThread(lines[0]));
        Assert.Equal("Latest launches of this thread, latest first:", lines[1]);
        Assert.Equal("  reduce_sum_inner_f32 grid(1) block(256) f32[3], f32[3,4]", lines[2]);
        Assert.Equal("  copy_strided_f32 grid(1) block(256) f32[3,4], f32[3,4] strides [1,3]", lines[3]);
        Assert.Equal("  pointwise_mul_dense_f32 grid(1) block(256) f32[4,3], f32[4,3], f32[4,3]", lines[4]);
        Assert.Equal(700, e.Number);
        Assert.Equal(lines[2..], e.Launches.Take(lines.Length - 2).Select(l => "  " + l));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NATIVE_SYNC_pins_the_launch_and_its_line() => OpKit.OnFreshThread(() =>
    {
        using var sync = Env.Sync.Override(true);
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device), y = x * 2;
        driver.FailAt("StreamSynchronize", 2, CudaResult.IllegalAddress);
        Tensor z = y + x;
        int line = Line() + 1;
        var e = Assert.Throws<CudaException>(() => z.Exp());
        Assert.StartsWith($"{device}: pointwise_exp_dense_f32 grid(1) block(256) f32[4,3], f32[4,3] failed: {Illegal}; launched at LaunchErrorTests.cs:{line}. {device} is lost to this process.\n",
            OneThread(e.Message), StringComparison.Ordinal);
        Assert.DoesNotContain("NATIVE_SYNC", e.Message, StringComparison.Ordinal);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_kernel_in_the_backward_pass_is_pinned_to_the_users_line() => OpKit.OnFreshThread(() =>
    {
        using var sync = Env.Sync.Override(true);
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device).RequireGrad(), loss = x.Tanh().Sum();
        driver.FailAt("LaunchKernel", 2, CudaResult.LaunchFailed);
        int line = Line() + 1;
        var e = Assert.Throws<CudaException>(() => loss.Backward());
        Assert.Contains($"CUDA_ERROR_LAUNCH_FAILED (719): unspecified launch failure; launched in the backward pass of tanh at LaunchErrorTests.cs:{line}.", e.Message, StringComparison.Ordinal);
        Assert.Null(Ambient.Current.Differentiating);
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(700)]
    [InlineData(702)]
    [InlineData(710)]
    [InlineData(716)]
    [InlineData(719)]
    public void A_lost_context_is_told_once(int number) => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device), y;
        using (TensorScope.Begin("step"))
        {
            y = x * x;
            driver.FailAt("LaunchKernel", 1, (CudaResult)number);
            var first = Assert.Throws<CudaException>(() => y + x);
            Assert.Contains($"first seen after pointwise_add_dense_f32 grid(1) block(256), at LaunchErrorTests.cs:", first.Message, StringComparison.Ordinal);
            Assert.Equal(number, first.Number);
            Assert.True(first.Message.Length > 300);
            string name = CudaError.Describe((CudaResult)number).Name;
            string echo = $"{device} is lost to this process since an earlier failure, {name} ({number}) seen after pointwise_add_dense_f32 grid(1) block(256) "
                + "f32[4,3], f32[4,3], f32[4,3]. See the first error; start the process again.";
            // Every way to use the device: launch, read, write, allocate, wait, copy, multiply, and a thread that comes to it new.
            Action[] uses =
            [
                () => _ = x * 2, () => _ = x.ToArray<float>(), () => x.CopyFrom(new float[12]), () => _ = Tensor.Zeros([1 << 20], device: device), () => Ambient.Current.Cuda(device).Synchronize(),
                () => _ = x.Clone(), () => _ = x.MatMul(y.T), () => OpKit.OnFreshThread(() => _ = x.Sum()), () => _ = Tensor.Ones([2]).To(device),
            ];
            foreach (var use in uses)
                Assert.Equal(echo, Assert.Throws<DeviceException>(use).Message);
        }
        // The scope has closed without a word; so do what is left, the pool and the driver's side of it.
        x.Dispose();
        Ambient.Current.Cuda(device).Allocator.Trim();
        Assert.Empty(driver.AfterLoss);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Finalizers_stay_silent_on_a_lost_context()
    {
        var (device, driver) = DriverKit.Faulty();
        OpKit.OnFreshThread(() => Drop(device, driver));
        // The thread is gone: its tensors and its pool are the collector's. An exception there would end the process.
        for (int i = 0; i < 3; i++)
        {
#pragma warning disable RS0030 // The subject of the test.
            GC.Collect();
#pragma warning restore RS0030
            GC.WaitForPendingFinalizers();
        }
        Assert.Empty(driver.AfterLoss);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void What_fails_while_it_gives_back_is_silent_too() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor.Ones([4, 3], device: device).Dispose();
        driver.FailAt("MemFree", 1, CudaResult.IllegalAddress);
        Ambient.Current.Cuda(device).Allocator.Trim();
        // The next use finds out and tells.
        Assert.Throws<CudaException>(() => Tensor.Ones([4, 3], device: device));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_refused_launch_is_no_lost_context() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device);
        driver.FailAt("LaunchKernel", 1, CudaResult.LaunchOutOfResources, lasting: false);
        var e = Assert.Throws<CudaException>(() => x + x);
        Assert.Equal($"{device}: launching pointwise_add_dense_f32 grid(1) block(256) f32[4,3], f32[4,3], f32[4,3]: "
            + "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701): too many resources requested for launch.", e.Message);
        Assert.Equal(2, (x + x).ToArray<float>()[0]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_product_that_fails_for_an_earlier_launch_says_so() => OpKit.OnFreshThread(() =>
    {
        var blas = new NullDriver();
        var (device, driver) = DriverKit.Faulty(blas);
        Tensor x = Tensor.Ones([4, 3], device: device), y = x * x;
        _ = y.MatMul(x.T);
        // cuBLAS has noticed that something is wrong, and cannot tell what.
        blas.Product = BlasStatus.ExecutionFailed;
        driver.FailAt("StreamSynchronize", 1, CudaResult.IllegalAddress);
        var e = Assert.Throws<CudaException>(() => y.MatMul(x.T));
        Assert.Contains("first seen after cublas_gemm_f32", e.Message, StringComparison.Ordinal);
        Assert.Equal("cublas_gemm_f32 f32[4,4], f32[4,3], f32[3,4] strides [1,3]", e.Launches[0]);
        Assert.Throws<DeviceException>(() => y.MatMul(x.T));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_product_that_cuBLAS_refuses_is_cuBLASs_error() => OpKit.OnFreshThread(() =>
    {
        var blas = new NullDriver { Product = BlasStatus.NotSupported };
        var (device, _) = DriverKit.Faulty(blas);
        Tensor x = Tensor.Ones([4, 3], device: device);
        Assert.Contains("CUBLAS_STATUS_NOT_SUPPORTED", Assert.Throws<KernelException>(() => x.MatMul(x.T)).Message, StringComparison.Ordinal);
        Assert.Equal(1, x.ToArray<float>()[0]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NATIVE_SYNC_waits_for_products_too() => OpKit.OnFreshThread(() =>
    {
        using var sync = Env.Sync.Override(true);
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device);
        driver.FailAt("StreamSynchronize", 1, CudaResult.IllegalAddress);
        Assert.StartsWith($"{device}: cublas_gemm_f32 f32[4,4], f32[4,3], f32[3,4] strides [1,3] failed: {Illegal}; launched at LaunchErrorTests.cs:",
            Assert.Throws<CudaException>(() => x.MatMul(x.T)).Message, StringComparison.Ordinal);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Two_threads_that_see_it_at_once_tell_it_once() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device);
        int stories = 0, echoes = 0;
        using var both = new Barrier(2);
        // Both are told by the driver, and both are putting the story together, before either has told anybody.
        driver.Before = _ => both.SignalAndWait();
        driver.FailAll("StreamSynchronize", CudaResult.IllegalAddress);
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            try
            {
                Ambient.Current.Cuda(device).Synchronize();
            }
            catch (CudaException)
            {
                Interlocked.Increment(ref stories);
            }
            catch (DeviceException)
            {
                Interlocked.Increment(ref echoes);
            }
        }))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.Equal((1, 1), (stories, echoes));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void An_error_inside_a_replay_names_the_graph() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device);
        int line = Line() + 1;
        var graph = CudaGraph.Capture("step", device, () => (x * x).Sum());
        for (int i = 0; i < 4; i++)
            graph.Replay();
        Assert.Equal(12, graph.Output.Item<float>());
        driver.FailAt("StreamSynchronize", 1, CudaResult.IllegalAddress);
        var e = Assert.Throws<CudaException>(() => graph.Output.Item<float>());
        Assert.Contains($"first seen after graph 'step' (LaunchErrorTests.cs:{line}), at LaunchErrorTests.cs:", e.Message, StringComparison.Ordinal);
        Assert.Throws<DeviceException>(graph.Replay);
        graph.Dispose();
        Assert.Empty(driver.AfterLoss);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NATIVE_SYNC_pins_the_launch_inside_a_graph() => OpKit.OnFreshThread(() =>
    {
        using var sync = Env.Sync.Override(true);
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device);
        int line = 0;
        using var graph = CudaGraph.Capture("step", device, () =>
        {
            Tensor y = x * x;
            line = Line() + 1;
            return y.Exp();
        });
        for (int i = 0; i < 4; i++)
            graph.Replay();
        Assert.Equal(0, graph.Nodes);
        driver.FailAt("StreamSynchronize", 2, CudaResult.IllegalAddress);
        Assert.StartsWith($"{device}: pointwise_exp_dense_f32 grid(1) block(256) f32[4,3], f32[4,3] failed: {Illegal}; launched at LaunchErrorTests.cs:{line}.",
            Assert.Throws<CudaException>(graph.Replay).Message, StringComparison.Ordinal);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Two_threads_one_story() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        Tensor x = Tensor.Ones([4, 3], device: device);
        OpKit.OnFreshThread(() => _ = Tensor.Ones([2], device: device));
        driver.FailAt("StreamSynchronize", 1, CudaResult.IllegalAddress);
        var e = Assert.Throws<CudaException>(() => x.ToArray<float>());
        Assert.Contains(" 2 threads have used the device: the launch may be another's. ", e.Message, StringComparison.Ordinal);
        Assert.Throws<DeviceException>(() => x.ToArray<float>());
    });

    [Fact]
    public void The_ring_keeps_the_last_launches_and_allocates_nothing()
    {
        var ring = new LaunchRing();
        Assert.Empty(ring.Texts);
        var layout = Layout.Of([2, 3]);
        string[] names = [.. Enumerable.Range(0, 100).Select(i => $"kernel{i}")];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            for (int k = 0; k < i % 9; k++)
                ring.Operand(layout, DType.F32);
            ring.Add(names[i], DType.F64, new CudaGrid(3, i % 2 + 1, 1, 128));
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(LaunchRing.Length, ring.Texts.Count);
        Assert.Equal("kernel99_f64 grid(3,2,1) block(128)", ring.Texts[0]);
        Assert.Equal("kernel98_f64 grid(3) block(128) " + string.Join(", ", Enumerable.Repeat("f32[2,3]", 6)) + ", 2 more", ring.Texts[1]);
        Assert.Equal("kernel36_f64 grid(3) block(128)", ring.Texts[^1]);
        Assert.Equal("kernel99_f64 grid(3,2,1) block(128)", ring.Latest);
    }

    [Fact]
    public void Every_result_that_ends_a_context_has_a_name()
    {
        var ends = Enumerable.Range(0, 1000).Where(n => CudaError.EndsContext((CudaResult)n)).ToList();
        Assert.Equal([214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719], ends);
        Assert.DoesNotContain(ends, n => CudaError.Describe((CudaResult)n).Name == "CUDA_ERROR");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(Device device, FaultyDriver driver)
    {
        var kept = Enumerable.Range(0, 20).Select(i => Tensor.Ones([100 + i], device: device)).ToList();
        driver.FailAt("LaunchKernel", 1, CudaResult.IllegalAddress);
        Assert.Throws<CudaException>(() => kept[0] + kept[0]);
    }

    // Whether another test's thread has used the device is not what is looked at here: each has its own, so there is one.
    private static string OneThread(string message)
    {
        Assert.DoesNotContain("threads have used", message, StringComparison.Ordinal);
        return message;
    }

    private static int Line([CallerLineNumber] int line = 0) => line;
}

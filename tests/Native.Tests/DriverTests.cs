using System.Runtime.InteropServices;

namespace Native.Tests;

/// <summary>The binding of libcuda against a driver that writes down how it was called: every argument arrives whole and in its place.</summary>
[Trait("Category", "Emulator")]
public sealed unsafe class DriverTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [NeedsFact(GpuKit.Gxx)]
    public void Every_argument_arrives()
    {
        var (driver, fake) = Load();
        nint stream = unchecked((nint)0x0102030405060708), happened = unchecked((nint)0x1112131415161718), pointer = unchecked((nint)0x7f01020304050607);
        const long Large = 5_000_000_001;   // more than 32 bits

        Says(fake, "cuInit 0", driver.Init());
        Ok(driver.DriverGetVersion(out int version));
        Assert.Equal(12040, version);
        Says(fake, "cuDeviceGetCount", driver.DeviceGetCount(out int count));
        Assert.Equal(2, count);
        Says(fake, "cuDeviceGetName 41", driver.DeviceGetName(1, out string name));
        Assert.Equal("Fake 41", name);
        Says(fake, "cuDeviceTotalMem 41", driver.DeviceTotalMem(1, out long bytes));
        Assert.Equal(151_000_000_000, bytes);
        Says(fake, "cuDeviceGetAttribute 75 40", driver.DeviceGetAttribute(0, CudaAttribute.ComputeCapabilityMajor, out int major));
        Assert.Equal(9, major);
        Says(fake, "cuDevicePrimaryCtxRetain 40", driver.DevicePrimaryCtxRetain(0, out nint context));
        Assert.Equal(0x1122334455667788, context);
        Says(fake, "cuCtxSetCurrent 0x1122334455667788", driver.CtxSetCurrent(context));

        Says(fake, "cuMemGetInfo", driver.MemGetInfo(out long free, out long total));
        Assert.Equal((5_000_000_000, 6_000_000_000), (free, total));
        Says(fake, "cuMemAlloc 5000000001", driver.MemAlloc(out nint block, Large));
        Assert.Equal(0x7f0123456789abcd, block);
        Says(fake, "cuMemFree 7f0123456789abcd", driver.MemFree(block));
        Says(fake, "cuMemAllocAsync 5000000001 0x102030405060708", driver.MemAllocAsync(out nint ordered, Large, stream));
        Assert.Equal(0x7f89abcdef012345, ordered);
        Says(fake, "cuMemFreeAsync 7f89abcdef012345 0x102030405060708", driver.MemFreeAsync(ordered, stream));
        Says(fake, "cuMemHostAlloc 5000000001 0", driver.MemHostAlloc(out nint pinned, Large));
        Assert.Equal(0x7fabcdef01234567, pinned);
        Says(fake, "cuMemFreeHost 0x7fabcdef01234567", driver.MemFreeHost(pinned));
        Says(fake, "cuMemcpyHtoDAsync 7f01020304050607 0x1112131415161718 5000000001 0x102030405060708", driver.MemcpyHtoDAsync(pointer, (void*)happened, Large, stream));
        Says(fake, "cuMemcpyDtoHAsync 0x1112131415161718 7f01020304050607 5000000001 0x102030405060708", driver.MemcpyDtoHAsync((void*)happened, pointer, Large, stream));
        Says(fake, "cuMemcpyDtoDAsync 7f01020304050607 1112131415161718 5000000001 0x102030405060708", driver.MemcpyDtoDAsync(pointer, happened, Large, stream));
        Says(fake, "cuMemsetD8Async 7f01020304050607 255 5000000001 0x102030405060708", driver.MemsetD8Async(pointer, 255, Large, stream));

        Says(fake, "cuModuleLoadData image", driver.ModuleLoadData(out nint module, "image\0"u8));
        Assert.Equal(0xa1, module);
        Says(fake, "cuModuleGetFunction 0xa1 softmax_f32", driver.ModuleGetFunction(out nint function, module, "softmax_f32"));
        Assert.Equal(0xb2, function);
        Says(fake, "cuModuleUnload 0xa1", driver.ModuleUnload(module));
        Says(fake, "cuFuncGetAttribute 4 0xb2", driver.FuncGetAttribute(out int registers, CudaFunctionAttribute.Registers, function));
        Assert.Equal(77, registers);
        Says(fake, "cuFuncSetAttribute 0xb2 8 99000", driver.FuncSetAttribute(function, CudaFunctionAttribute.MaxDynamicSharedBytes, 99000));
        Says(fake, "cuOccupancyMaxActiveBlocksPerMultiprocessor 0xb2 256 0", driver.OccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, function, 256));
        Assert.Equal(12, blocks);

        Says(fake, "cuStreamCreate 1", driver.StreamCreate(out nint made));
        Assert.Equal(0xc3, made);
        Says(fake, "cuStreamDestroy 0xc3", driver.StreamDestroy(made));
        Says(fake, "cuStreamSynchronize 0x102030405060708", driver.StreamSynchronize(stream));
        Says(fake, "cuStreamWaitEvent 0x102030405060708 0x1112131415161718 0", driver.StreamWaitEvent(stream, happened));
        Says(fake, "cuEventCreate 0", driver.EventCreate(out nint handle));
        Assert.Equal(0xd4, handle);
        Says(fake, "cuEventDestroy 0xd4", driver.EventDestroy(handle));
        Says(fake, "cuEventRecord 0x1112131415161718 0x102030405060708", driver.EventRecord(happened, stream));
        Says(fake, "cuEventQuery 0x1112131415161718", driver.EventQuery(happened));
        Says(fake, "cuEventSynchronize 0x1112131415161718", driver.EventSynchronize(happened));
        Says(fake, "cuEventElapsedTime 0x1112131415161718 0x102030405060708", driver.EventElapsedTime(out float milliseconds, happened, stream));
        Assert.Equal(2.5f, milliseconds);

        Says(fake, "cuStreamBeginCapture 0x102030405060708 1", driver.StreamBeginCapture(stream));
        Says(fake, "cuStreamEndCapture 0x102030405060708", driver.StreamEndCapture(stream, out nint graph));
        Assert.Equal(0xe5, graph);
        Says(fake, "cuStreamIsCapturing 0x102030405060708", driver.StreamIsCapturing(stream, out bool capturing));
        Assert.True(capturing);
        Says(fake, "cuStreamIsCapturing (nil)", driver.StreamIsCapturing(0, out capturing));
        Assert.False(capturing);
        Says(fake, "cuGraphInstantiateWithFlags 0xe5 0", driver.GraphInstantiate(out nint executable, graph));
        Assert.Equal(0xf6, executable);
        Says(fake, "cuGraphExecUpdate_v2 0xf6 0xe5", driver.GraphExecUpdate(executable, graph));
        Says(fake, "cuGraphLaunch 0xf6 0x102030405060708", driver.GraphLaunch(executable, stream));
        Says(fake, "cuGraphExecDestroy 0xf6", driver.GraphExecDestroy(executable));
        Says(fake, "cuGraphGetNodes 0xe5 1", driver.GraphGetNodeCount(graph, out long nodes));
        Assert.Equal(3_000_000_000, nodes);
        Says(fake, "cuGraphDestroy 0xe5", driver.GraphDestroy(graph));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Pointer;
        public double Scale;
        public int Count;
        public float Small;
        public long Last;
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_launch_passes_the_struct_and_allocates_nothing()
    {
        var (driver, fake) = Load();
        var arguments = new Arguments { Pointer = unchecked((nint)0x7f01020304050607), Scale = 0.1, Count = -7, Small = 1.5f, Last = -5_000_000_000 };
        var grid = new CudaGrid(70000, 3, 2, 128);
        Says(fake, "cuLaunchKernel 0xb2 grid 70000 3 2 block 128 1 1 shared 0 stream 0xc3 extra 0 arguments 7f01020304050607 0.1 -7 1.5 -5000000000",
            driver.LaunchKernel(0xb2, grid, 0xc3, &arguments, sizeof(Arguments)));

        long before = GC.GetAllocatedBytesForCurrentThread();
        int failed = 0;
        for (int i = 0; i < 100; i++)
            failed += (int)driver.LaunchKernel(0xb2, grid, 0xc3, &arguments, sizeof(Arguments));
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(0, failed);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_failure_is_returned_and_leaves_no_stale_value()
    {
        var (driver, fake) = Load();
        fake.Fail(2);
        Assert.Equal(CudaResult.OutOfMemory, driver.MemAlloc(out _, 8));
        fake.Fail(700);
        Assert.Equal(CudaResult.IllegalAddress, driver.StreamSynchronize(0));
        // The fake knows devices 0 to 7; the handle of another one is never used.
        fake.Clear();
        Assert.Equal(CudaResult.InvalidDevice, driver.DeviceTotalMem(8, out long bytes));
        Assert.Equal(CudaResult.InvalidDevice, driver.DeviceGetName(8, out string name));
        Assert.Equal(CudaResult.InvalidDevice, driver.DevicePrimaryCtxRetain(8, out nint context));
        Assert.Equal((0, "", 0), (bytes, name, context));
        Assert.Equal("", fake.Log);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_result_reads_as_the_driver_names_it()
    {
        var (driver, _) = Load();
        Assert.Equal(("CUDA_ERROR_FAKE", "a fake text"), driver.Describe(CudaResult.IllegalAddress));
        var e = Assert.Throws<CudaException>(() => driver.Check(CudaResult.IllegalAddress, "cuMemcpyDtoHAsync"));
        Assert.Equal("cuMemcpyDtoHAsync: CUDA_ERROR_FAKE (700): a fake text. The error is asynchronous: rerun with NATIVE_SYNC=1 to find the launch.", e.Message);
        Assert.Equal(700, e.Number);
        // A number that the driver has no name for.
        Assert.Equal("CUDA_ERROR", driver.Describe((CudaResult)12345).Name);
        driver.Check(CudaResult.Success, "nothing");
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_driver_of_CUDA_11_updates_graphs_by_the_old_signature()
    {
        var (driver, fake) = Load("-DFAKE_VERSION=11080");
        Says(fake, "cuGraphExecUpdate 0xf6 0xe5", driver.GraphExecUpdate(0xf6, 0xe5));
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_missing_entry_names_the_version_and_the_entry()
    {
        string path = GpuKit.Build("fake_cuda.cpp", _folder.File("lib64/libcuda.so.1"), "-DFAKE_VERSION=11010", "-DFAKE_WITHOUT_INSTANTIATE");
        var search = LibraryLoader.Find(CudaLibrary.Driver, GpuKit.Bare(_folder.Path) with { CudaPath = _folder.Path });
        Assert.Equal($"cuda: {path} is a driver of CUDA 11.1 and has no cuGraphInstantiateWithFlags. Install a driver of CUDA 11.4 (R470) or newer.",
            Assert.Throws<DeviceException>(() => Driver.Open(search)).Message);
    }

    [Fact]
    public void Every_entry_is_asked_for_once()
    {
        var asked = new List<string>();
        _ = new Driver("a list", name =>
        {
            asked.Add(name);
            return name == "cuGraphExecUpdate_v2" ? 0 : 1;
        });
        Assert.Equal(asked.Distinct(StringComparer.Ordinal), asked);
        Assert.All(asked, name => Assert.Matches("^cu[A-Z][A-Za-z0-9]*(_v2)?$", name));
        Assert.Contains("cuGraphExecUpdate", asked);
        // Where the plain name is the interface of 2010, with 32-bit sizes or without the device's pointer width.
        string[] renewed = ["cuDeviceTotalMem", "cuMemGetInfo", "cuMemAlloc", "cuMemFree", "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemcpyDtoDAsync",
            "cuStreamDestroy", "cuEventDestroy", "cuStreamBeginCapture"];
        Assert.Empty(renewed.Intersect(asked, StringComparer.Ordinal));
        Assert.Empty(renewed.Select(n => n + "_v2").Except(asked, StringComparer.Ordinal));
        // One method of the seam, one entry at least.
        Assert.True(asked.Count >= typeof(ICudaDriver).GetMethods().Count(m => !m.IsSpecialName), $"{asked.Count} entries");
    }

    [Fact]
    public void Errors_say_what_to_do()
    {
        foreach (var result in Enum.GetValues<CudaResult>())
        {
            var (name, text) = CudaError.Describe(result);
            Assert.NotEqual("CUDA_ERROR", name);
            Assert.NotEqual("", text);
            // CUDA_ERROR_OUT_OF_MEMORY is OutOfMemory.
            Assert.Equal(result == CudaResult.Success ? "CUDASUCCESS" : "CUDAERROR" + result.ToString().ToUpperInvariant(), name.Replace("_", ""));
        }
        Assert.Contains("smaller batch", CudaError.Advice(CudaResult.OutOfMemory));
        Assert.Contains("CUDA_VISIBLE_DEVICES", CudaError.Advice(CudaResult.NoDevice));
        Assert.Contains("older than the toolkit", CudaError.Advice((CudaResult)35));
        Assert.Contains("native cache clear", CudaError.Advice(CudaResult.NoBinaryForGpu));
        Assert.Contains("stub", CudaError.Advice((CudaResult)34));
        foreach (int number in new[] { 700, 716, 719 })
            Assert.Equal("The error is asynchronous: rerun with NATIVE_SYNC=1 to find the launch.", CudaError.Advice((CudaResult)number));
    }

    private static void Ok(CudaResult result) => Assert.Equal(CudaResult.Success, result);

    private static void Says(Fake fake, string expected, CudaResult result)
    {
        Ok(result);
        Assert.Equal(expected, fake.Log);
        fake.Clear();
    }

    private (Driver, Fake) Load(params string[] options)
    {
        string path = GpuKit.Build("fake_cuda.cpp", _folder.File("libcuda.so.1"), options);
        var search = LibraryLoader.Find(CudaLibrary.Driver, GpuKit.Bare(_folder.Path) with { CudaPath = _folder.Path });
        Assert.Equal(path, search.Path);
        return (Driver.Open(search), new Fake(search));
    }

    /// <summary>The other side of the fake library.</summary>
    private sealed class Fake(LibrarySearch library)
    {
        public string Log => Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)library.Entry("fake_log"))())!.TrimEnd('\n');

        public void Clear() => ((delegate* unmanaged<void>)library.Entry("fake_clear"))();

        public void Fail(int result) => ((delegate* unmanaged<int, void>)library.Entry("fake_fail"))(result);
    }
}

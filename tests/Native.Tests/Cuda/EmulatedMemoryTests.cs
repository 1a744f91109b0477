namespace Native.Tests;

/// <summary>The emulated driver's memory beside its plain allocations, as strict as the real one's.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed unsafe class EmulatedMemoryTests
{
    private static EmulatedDriver Driver => EmulatedDriver.Shared;

    [Fact]
    public void Copies_of_pinned_memory_are_recorded_and_those_of_pageable_memory_refused() => OpKit.OnFreshThread(() =>
    {
        Ok(Driver.StreamCreate(out nint stream));
        Ok(Driver.MemHostAlloc(out nint pinned, 64));
        Ok(Driver.MemAlloc(out nint memory, 64));
        int pageable = 1;
        *(int*)(pinned + 8) = 2;
        Ok(Driver.StreamBeginCapture(stream));
        Ok(Driver.MemcpyHtoDAsync(memory, (void*)(pinned + 8), 4, stream));
        Ok(Driver.MemcpyDtoHAsync((void*)(pinned + 60), memory, 4, stream));
        Ok(Driver.StreamEndCapture(stream, out nint graph));
        Ok(Driver.GraphInstantiate(out nint executable, graph));
        // What the slot holds when the graph runs, not when it was recorded.
        *(int*)(pinned + 8) = 3;
        Ok(Driver.GraphLaunch(executable, stream));
        Assert.Equal(3, *(int*)(pinned + 60));

        Ok(Driver.StreamBeginCapture(stream));
        Assert.Equal(CudaResult.StreamCaptureUnsupported, Driver.MemcpyHtoDAsync(memory, &pageable, 4, stream));
        Assert.Equal(CudaResult.StreamCaptureInvalidated, Driver.StreamEndCapture(stream, out _));
        // One byte past its end it is pinned no more.
        Ok(Driver.StreamBeginCapture(stream));
        Assert.Equal(CudaResult.StreamCaptureUnsupported, Driver.MemcpyDtoHAsync((void*)(pinned + 61), memory, 4, stream));
        Assert.Equal(CudaResult.StreamCaptureInvalidated, Driver.StreamEndCapture(stream, out _));

        Ok(Driver.MemcpyHtoDAsync(memory, &pageable, 4, stream));
        Assert.Equal(1, *(int*)memory);
        Ok(Driver.MemFreeHost(pinned));
        Assert.Equal(CudaResult.InvalidValue, Driver.MemFreeHost(pinned));
        Ok(Driver.MemFree(memory));
        Ok(Driver.GraphExecDestroy(executable));
        Ok(Driver.GraphDestroy(graph));
    });

    [Fact]
    public void Memory_in_a_streams_order_is_guarded_memory() => OpKit.OnFreshThread(() =>
    {
        Ok(Driver.DeviceGetAttribute(0, CudaAttribute.MemoryPoolsSupported, out int supported));
        Assert.Equal(1, supported);
        Ok(Driver.StreamCreate(out nint stream));
        Ok(Driver.MemAllocAsync(out nint memory, 40, stream));
        Ok(Driver.MemsetD8Async(memory, 7, 40, stream));
        Ok(Driver.MemFreeAsync(memory, stream));
        Assert.Equal(CudaResult.InvalidValue, Driver.MemFreeAsync(memory, stream));
        Ok(Driver.MemAllocAsync(out memory, 40, stream));
        ((byte*)memory)[40] = 0;
        Assert.Equal(CudaResult.IllegalAddress, Driver.MemFreeAsync(memory, stream));
    });

    [Theory]
    [InlineData("cuMemHostAlloc")]
    [InlineData("cuMemFreeHost")]
    [InlineData("cuMemAllocAsync")]
    [InlineData("cuMemFreeAsync")]
    public void What_would_break_a_capture_is_refused(string call) => OpKit.OnFreshThread(() =>
    {
        Ok(Driver.StreamCreate(out nint stream));
        Ok(Driver.MemHostAlloc(out nint pinned, 8));
        Ok(Driver.MemAlloc(out nint memory, 8));
        Ok(Driver.StreamBeginCapture(stream));
        Assert.Equal(CudaResult.StreamCaptureUnsupported, call switch
        {
            "cuMemHostAlloc" => Driver.MemHostAlloc(out _, 8),
            "cuMemFreeHost" => Driver.MemFreeHost(pinned),
            "cuMemAllocAsync" => Driver.MemAllocAsync(out _, 8, stream),
            _ => Driver.MemFreeAsync(memory, stream),
        });
        Assert.Equal(CudaResult.StreamCaptureInvalidated, Driver.StreamEndCapture(stream, out _));
        Ok(Driver.MemFreeHost(pinned));
        Ok(Driver.MemFree(memory));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Only_what_can_be_set_of_a_kernel_is_set() => OpKit.OnFreshThread(() =>
    {
        var cuda = CudaDevice.Open(Device.Parse("emu:0"));
        nint function = KernelCatalog.Families().First(f => f.Name == "copy").Launched[0].Function(CudaBackend.Of(cuda), cuda, DType.F32);
        Ok(Driver.FuncSetAttribute(function, CudaFunctionAttribute.MaxDynamicSharedBytes, 96 << 10));
        Ok(Driver.FuncSetAttribute(function, CudaFunctionAttribute.PreferredSharedCarveout, -1));
        Assert.Equal(CudaResult.InvalidValue, Driver.FuncSetAttribute(function, CudaFunctionAttribute.MaxDynamicSharedBytes, (96 << 10) + 1));
        Assert.Equal(CudaResult.InvalidValue, Driver.FuncSetAttribute(function, CudaFunctionAttribute.PreferredSharedCarveout, 101));
        Assert.Equal(CudaResult.InvalidValue, Driver.FuncSetAttribute(function, CudaFunctionAttribute.Registers, 32));
        Assert.Equal(CudaResult.InvalidHandle, Driver.FuncSetAttribute(12, CudaFunctionAttribute.MaxDynamicSharedBytes, 0));
    });

    private static void Ok(CudaResult result) => Assert.Equal(CudaResult.Success, result);
}

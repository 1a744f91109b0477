namespace Native;

/// <summary>
/// One thread's use of one device: a stream on which everything happens in order, and a pool of memory of its own. Within it no event is needed,
/// since a block that is used again is used later on the same stream.
/// </summary>
internal sealed unsafe class CudaState
{
    public CudaState(CudaDevice device, Ambient owner)
    {
        Cuda = device;
        device.MakeCurrent();
        device.Check(device.Driver.StreamCreate(out nint stream), "creating a stream");
        Stream = stream;
        Allocator = new CachingAllocator(new Memory(device, stream), owner);
    }

    public CudaDevice Cuda { get; }

    public nint Stream { get; }

    public CachingAllocator Allocator { get; }

    /// <summary>Kernels and products of matrices queued so far.</summary>
    public long Launches { get; set; }

    /// <summary>What the assembly above keeps with a stream: its handle of matrix products.</summary>
    public object? Attached { get; set; }

    /// <summary>Waits for everything queued so far.</summary>
    public void Synchronize()
    {
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.StreamSynchronize(Stream), "waiting for the device");
    }

    /// <summary>Device to host; the bytes are there when the call returns.</summary>
    public void Read(nint from, void* to, long bytes)
    {
        if (bytes == 0)
            return;
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.MemcpyDtoHAsync(to, from, bytes, Stream), "copying to the host");
        Synchronize();
    }

    /// <summary>Host to device; the host's bytes may change when the call returns.</summary>
    public void Write(nint to, void* from, long bytes)
    {
        if (bytes == 0)
            return;
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.MemcpyHtoDAsync(to, from, bytes, Stream), "copying to the device");
    }

    /// <summary>Within the device, in order on the stream.</summary>
    public void Copy(nint to, nint from, long bytes)
    {
        if (bytes == 0)
            return;
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.MemcpyDtoDAsync(to, from, bytes, Stream), "copying on the device");
    }

    /// <summary>The device's memory under the pool.</summary>
    private sealed class Memory(CudaDevice device, nint stream) : IRawMemory
    {
        public Device Device => device.Device;

        public nint TryAllocate(long bytes)
        {
            device.MakeCurrent();
            var result = device.Driver.MemAlloc(out nint pointer, Math.Max(bytes, 1));
            if (result == CudaResult.OutOfMemory)
                return 0;
            device.Check(result, $"allocating {bytes} bytes");
            return pointer;
        }

        public void Free(nint pointer, long bytes)
        {
            // From the finalizer there is nobody to tell; on the owner's thread a failure here repeats what a launch has reported before.
            device.MakeCurrent();
            device.Driver.MemFree(pointer);
        }

        public void Fill(nint pointer, long bytes, byte value)
        {
            if (bytes == 0)
                return;
            device.MakeCurrent();
            device.Check(device.Driver.MemsetD8Async(pointer, value, bytes, stream), "filling memory");
        }
    }
}

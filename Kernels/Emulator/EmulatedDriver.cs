using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Native;

/// <summary>
/// The driver API over host memory: allocations with guard words around them, kernels from <see cref="HostCompiler"/> run at once and in order, graphs
/// as lists of what was recorded. As strict as the real one: what it forbids during a capture is refused with its codes, and a kernel that
/// writes beside its memory or reaches a barrier with only some of its threads fails.
/// </summary>
internal sealed unsafe partial class EmulatedDriver : ICudaDriver
{
    // Also the alignment that the real driver gives.
    private const int Guard = 256;

    private readonly ConcurrentDictionary<nint, long> _pinned = new();
    private readonly ConcurrentDictionary<nint, Module> _modules = new();
    private readonly ConcurrentDictionary<nint, Function> _functions = new();
    private long _handles = 0x1000;

    [ThreadStatic]
    private static string? _detail;

    public static EmulatedDriver Shared { get; } = new();

    /// <summary>Runs threads and blocks in descending order: no result may depend on it.</summary>
    public bool Reversed { get; set; }

    /// <summary>How many devices it says it has.</summary>
    public int Devices { get; init; } = 1;

    /// <summary>Launches so far.</summary>
    public long Launches => Interlocked.Read(ref _launches);

    private long _launches;

    public string Source => "the emulated driver";

    public CudaResult Init() => CudaResult.Success;

    public CudaResult DriverGetVersion(out int version)
    {
        version = 12000;
        return CudaResult.Success;
    }

    public CudaResult DeviceGetCount(out int count)
    {
        count = Devices;
        return CudaResult.Success;
    }

    public CudaResult DeviceGetName(int ordinal, out string name)
    {
        name = "emulated";
        return CudaResult.Success;
    }

    public CudaResult DeviceTotalMem(int ordinal, out long bytes)
    {
        bytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return CudaResult.Success;
    }

    public CudaResult DeviceGetAttribute(int ordinal, CudaAttribute attribute, out int value)
    {
        value = attribute switch
        {
            CudaAttribute.MaxThreadsPerBlock => 1024,
            CudaAttribute.SharedMemoryPerBlock => 48 << 10,
            CudaAttribute.WarpSize => 32,
            CudaAttribute.ComputeCapabilityMajor => 8,
            CudaAttribute.MultiprocessorCount => 2,
            CudaAttribute.MemoryPoolsSupported => 1,
            _ => 0,
        };
        return CudaResult.Success;
    }

    public CudaResult DevicePrimaryCtxRetain(int ordinal, out nint context)
    {
        context = 1;
        return CudaResult.Success;
    }

    public CudaResult CtxSetCurrent(nint context) => CudaResult.Success;

    public CudaResult MemGetInfo(out long free, out long total)
    {
        DeviceTotalMem(0, out total);
        lock (_blocksLock)
            free = total - _blocks.Values.Sum(b => b.Bytes);
        return CudaResult.Success;
    }

    public CudaResult MemAlloc(out nint pointer, long bytes)
    {
        pointer = 0;
        if (Forbidden("cuMemAlloc") is { } code)
            return code;
        byte* block;
        try
        {
            block = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + (2 * Guard)), Guard);
        }
        catch (OutOfMemoryException)
        {
            return CudaResult.OutOfMemory;
        }
        pointer = (nint)(block + Guard);
        FillGuard((nint)block, Guard);
        FillGuard(pointer + (nint)bytes, Guard);
        lock (_blocksLock)
            _blocks[pointer] = new(bytes, bytes);
        return CudaResult.Success;
    }

    public CudaResult MemFree(nint pointer)
    {
        if (Forbidden("cuMemFree") is { } code)
            return code;
        string? damage;
        lock (_blocksLock)
        {
            if (!_blocks.Remove(pointer, out var block))
                return CudaResult.InvalidValue;
            damage = Damage(pointer, block);
        }
        NativeMemory.AlignedFree((byte*)pointer - Guard);
        return damage is null ? CudaResult.Success : Fail($"somebody wrote {damage}");
    }

    // The streams run everything at once, so that the stream's order is the host's. The real driver would put an allocation into a graph that is being
    // captured; nothing of ours does that, and it is refused.
    public CudaResult MemAllocAsync(out nint pointer, long bytes, nint stream) => MemAlloc(out pointer, bytes);

    public CudaResult MemFreeAsync(nint pointer, nint stream) => MemFree(pointer);

    public CudaResult MemHostAlloc(out nint pointer, long bytes)
    {
        pointer = 0;
        if (Forbidden("cuMemHostAlloc") is { } code)
            return code;
        pointer = (nint)NativeMemory.AlignedAlloc((nuint)bytes, Guard);
        _pinned[pointer] = bytes;
        return CudaResult.Success;
    }

    public CudaResult MemFreeHost(nint pointer)
    {
        if (Forbidden("cuMemFreeHost") is { } code)
            return code;
        if (!_pinned.TryRemove(pointer, out _))
            return CudaResult.InvalidValue;
        NativeMemory.AlignedFree((void*)pointer);
        return CudaResult.Success;
    }

    public CudaResult MemcpyHtoDAsync(nint to, void* from, long bytes, nint stream) => CopyHost((nint)from, to, (nint)from, bytes, stream, "a copy from pageable memory");

    public CudaResult MemcpyDtoHAsync(void* to, nint from, long bytes, nint stream) => CopyHost((nint)to, (nint)to, from, bytes, stream, "a copy to pageable memory");

    // Between the device and pinned memory a copy is work like any other; pageable memory would have to be waited for.
    private CudaResult CopyHost(nint host, nint to, nint from, long bytes, nint stream, string pageable)
    {
        bool pinned = _pinned.Any(p => host >= p.Key && host + bytes <= p.Key + p.Value);
        if (!pinned && Forbidden(pageable) is { } code)
            return code;
        return RecordOrRun(stream, () => Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes));
    }

    public CudaResult MemcpyDtoDAsync(nint to, nint from, long bytes, nint stream) =>
        RecordOrRun(stream, () => Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes));

    public CudaResult MemsetD8Async(nint to, byte value, long bytes, nint stream) =>
        RecordOrRun(stream, () => NativeMemory.Fill((void*)to, (nuint)bytes, value));

    public CudaResult ModuleLoadData(out nint module, ReadOnlySpan<byte> image)
    {
        module = 0;
        if (Forbidden("cuModuleLoadData") is { } code)
            return code;
        // A loader wants a file; once it is mapped, its name is of no more use.
        string path = Path.Combine(Path.GetTempPath(), $"native-{Guid.NewGuid():N}.so");
        nint library;
        try
        {
            File.WriteAllBytes(path, image.ToArray());
            if (!NativeLibrary.TryLoad(path, out library))
                return Fail($"an image of {image.Length} bytes is no library of this machine", CudaResult.InvalidImage);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail($"{path} cannot be written ({e.Message})", CudaResult.InvalidImage);
        }
        finally
        {
            File.Delete(path);
        }
        module = Handle();
        _modules[module] = new Module(library, new Lock());
        return CudaResult.Success;
    }

    public CudaResult ModuleUnload(nint module) => _modules.TryRemove(module, out _) ? CudaResult.Success : CudaResult.InvalidHandle;

    public CudaResult ModuleGetFunction(out nint function, nint module, string name)
    {
        function = 0;
        if (!_modules.TryGetValue(module, out var m))
            return CudaResult.InvalidHandle;
        if (!NativeLibrary.TryGetExport(m.Library, name, out nint address))
            return CudaResult.NotFound;
        function = Handle();
        _functions[function] = new Function(name, address, m);
        return CudaResult.Success;
    }

    public CudaResult FuncGetAttribute(out int value, CudaFunctionAttribute attribute, nint function)
    {
        value = attribute == CudaFunctionAttribute.MaxThreadsPerBlock ? 1024 : 0;
        return _functions.ContainsKey(function) ? CudaResult.Success : CudaResult.InvalidHandle;
    }

    public CudaResult FuncSetAttribute(nint function, CudaFunctionAttribute attribute, int value)
    {
        if (!_functions.ContainsKey(function))
            return CudaResult.InvalidHandle;
        bool settable = attribute switch
        {
            CudaFunctionAttribute.MaxDynamicSharedBytes => value is >= 0 and <= 96 << 10,
            CudaFunctionAttribute.PreferredSharedCarveout => value is >= -1 and <= 100,
            _ => false,
        };
        return settable ? CudaResult.Success : Fail($"{attribute} cannot be set to {value}", CudaResult.InvalidValue);
    }

    public CudaResult OccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads)
    {
        blocks = Math.Max(1, 2048 / threads);
        return CudaResult.Success;
    }

    public CudaResult LaunchKernel(nint function, in CudaGrid grid, nint stream, void* arguments, int argumentBytes)
    {
        if (!_functions.TryGetValue(function, out var f))
            return CudaResult.InvalidHandle;
        if (grid.BlocksX < 1 || grid.BlocksY < 1 || grid.BlocksZ < 1 || grid.Threads is < 1 or > 1024 || grid.BlocksY > 65535 || grid.BlocksZ > 65535)
            return Fail($"{f.Name}: a grid of {grid} is not allowed", CudaResult.InvalidValue);
        if (argumentBytes > 4096)
            return Fail($"{f.Name}: {argumentBytes} bytes of arguments, 4096 are allowed", CudaResult.InvalidValue);
        if (!IsCapturing(stream))
            return Run(f, grid, arguments);
        var g = grid;
        byte[] copy = new Span<byte>(arguments, argumentBytes).ToArray();
        return Record(stream, () =>
        {
            fixed (byte* p = copy)
                return Run(f, g, p);
        });
    }

    public (string Name, string Text) Describe(CudaResult result)
    {
        string text = _detail ?? "no more is known";
        _detail = null;
        return ($"CUDA_ERROR_{result}", text);
    }

    private CudaResult Run(Function f, in CudaGrid grid, void* arguments)
    {
        LaunchRecord record = new()
        {
            GridX = (uint)grid.BlocksX,
            GridY = (uint)grid.BlocksY,
            GridZ = (uint)grid.BlocksZ,
            Block = (uint)grid.Threads,
            Arguments = arguments,
            Reversed = Reversed ? 1 : 0,
        };
        // The shim's state is static: one kernel of a library at a time.
        lock (f.Module.Running)
            ((delegate* unmanaged<LaunchRecord*, void>)f.Address)(&record);
        Interlocked.Increment(ref _launches);
        if (record.Error != null)
            return Fail($"{f.Name}: {Marshal.PtrToStringUTF8((nint)record.Error)}", CudaResult.LaunchFailed);
        return Damage() is { } damage ? Fail($"{f.Name} wrote {damage}") : CudaResult.Success;
    }

    private nint Handle() => (nint)Interlocked.Increment(ref _handles);

    private static CudaResult Fail(string detail, CudaResult result = CudaResult.IllegalAddress)
    {
        _detail = detail;
        return result;
    }

    private sealed record Module(nint Library, Lock Running);

    private sealed record Function(string Name, nint Address, Module Module);

    /// <summary>Twin of <c>nat_launch</c> in the shim.</summary>
    private struct LaunchRecord
    {
        public uint GridX, GridY, GridZ, Block;
        public void* Arguments;
        public int Reversed;
        public byte* Error;
    }
}

using System.Runtime.InteropServices;

namespace Native;

/// <summary>Where an allocator gets its blocks: the one seam between pooling policy and a device.</summary>
internal interface IRawMemory
{
    /// <summary>The device the blocks belong to.</summary>
    Device Device { get; }

    /// <summary>A block aligned to 64 bytes at least, or 0 when the device has none left.</summary>
    nint TryAllocate(long bytes);

    /// <summary>Gives a block back. Called on the owner thread, or on the finalizer thread when the owner is gone.</summary>
    void Free(nint pointer, long bytes);

    /// <summary>Fills with one byte value (zeros for <c>Zeros</c>, 0xFF as poison in tests).</summary>
    void Fill(nint pointer, long bytes, byte value);

    /// <summary>
    /// In tests: only the first <paramref name="bytes"/> of a block are anybody's. Returns how many are to be filled with poison: those where the rest is
    /// watched, else all.
    /// </summary>
    long Limit(nint pointer, long bytes, long capacity) => capacity;
}

/// <summary>A driver that sees writes beside what was asked for.</summary>
internal interface IMemoryGuard
{
    /// <summary>From here on in the stream, only so many bytes of an allocation may be written.</summary>
    void Limit(nint pointer, long bytes, nint stream);
}

/// <summary>Host memory, 64-byte aligned: one cache line, one AVX-512 register.</summary>
internal sealed unsafe class HostMemory : IRawMemory
{
    public Device Device => Device.Cpu;

    public nint TryAllocate(long bytes)
    {
        try
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        }
        catch (System.OutOfMemoryException)
        {
            return 0;
        }
    }

    public void Free(nint pointer, long bytes) => NativeMemory.AlignedFree((void*)pointer);

    public void Fill(nint pointer, long bytes, byte value) => NativeMemory.Fill((void*)pointer, (nuint)bytes, value);
}

using System.Runtime.InteropServices;

namespace Native;

/// <summary>Working memory of the CPU kernels: per thread, 64-byte aligned, kept and grown, so that no call allocates.</summary>
internal static unsafe class Scratch
{
    /// <summary>Who uses the memory. Two uses that overlap in time on one thread need two slots.</summary>
    public enum Slot
    {
        GemmA,
        GemmB,
        GemmEdge,
        GemmTile,
        GemmVector,
        GemmColumn,
        ConvA,
        ConvB,
        ConvC,
        NormA,
        NormB,
        Reduce,
    }

    private const int Slots = (int)Slot.Reduce + 1;

    [ThreadStatic]
    private static Buffers? mine;

    /// <summary>At least <paramref name="count"/> elements, contents undefined; valid until this thread asks for the slot again.</summary>
    public static T* Get<T>(Slot slot, long count) where T : unmanaged => (T*)(mine ??= new Buffers()).Get((int)slot, count * sizeof(T));

    /// <summary>Owned by its thread through the static above; the finalizer gives the memory back after the thread has ended.</summary>
    private sealed class Buffers
    {
        private readonly nint[] pointers = new nint[Slots];
        private readonly long[] sizes = new long[Slots];

#pragma warning disable MA0055 // No one disposes a thread's statics: when the thread is gone, the finalizer is the only code left to run.
        ~Buffers()
        {
            foreach (nint pointer in pointers)
                NativeMemory.AlignedFree((void*)pointer);
        }
#pragma warning restore MA0055

        public void* Get(int slot, long bytes)
        {
            if (sizes[slot] < bytes)
            {
                NativeMemory.AlignedFree((void*)pointers[slot]);
                (pointers[slot], sizes[slot]) = (0, 0);
                long rounded = (bytes + 4095) / 4096 * 4096;
                pointers[slot] = (nint)NativeMemory.AlignedAlloc((nuint)rounded, 64);
                sizes[slot] = rounded;
            }
            return (void*)pointers[slot];
        }
    }
}

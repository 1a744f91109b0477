using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Copies short rows, a few to a few dozen elements, inline: a call to the general copy costs more than the move itself.</summary>
internal static unsafe class RowCopy
{
    /// <summary>to[0..count) = from[0..count); the ranges do not overlap. The last piece overlaps the one before instead of being cut up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<T>(T* from, T* to, nint count) where T : unmanaged
    {
        byte* f = (byte*)from, t = (byte*)to;
        nint bytes = count * sizeof(T);
        if (bytes >= 32)
        {
            for (nint i = 0; i < bytes - 32; i += 32)
                Vector256.Load(f + i).Store(t + i);
            Vector256.Load(f + bytes - 32).Store(t + bytes - 32);
        }
        else if (bytes >= 16)
        {
            Vector128<byte> head = Vector128.Load(f), tail = Vector128.Load(f + bytes - 16);
            head.Store(t);
            tail.Store(t + bytes - 16);
        }
        else
        {
            for (nint i = 0; i < count; i++)
                to[i] = from[i];
        }
    }
}

using System.Runtime.InteropServices;

namespace Native;

/// <content>
/// Guard words: before and behind every allocation, and, where the pool above says how much of a block was asked for, right behind that. They are NaN in
/// both float types and far outside as indices, so that what is read there shows too.
/// </content>
internal sealed unsafe partial class EmulatedDriver : IMemoryGuard
{
    private const uint GuardWord = 0xFFF5A5A5;

    // Guard words are looked at while other threads allocate and free: under one lock, or memory just freed would look written to.
    private readonly Dictionary<nint, Block> _blocks = [];
    private readonly Lock _blocksLock = new();

    /// <inheritdoc/>
    public void Limit(nint pointer, long bytes, nint stream)
    {
        // In the stream's order: a captured graph hands one block out many times.
        void Set()
        {
            lock (_blocksLock)
            {
                var block = _blocks[pointer];
                FillGuard(pointer + (nint)bytes, block.Bytes - bytes);
                _blocks[pointer] = block with { Asked = bytes };
            }
        }
        if (IsCapturing(stream))
            Beside(Set);
        else
            Set();
    }

    // What is wrong around all allocations after a kernel has run; null when nothing is.
    private string? Damage()
    {
        lock (_blocksLock)
        {
            foreach (var (pointer, block) in _blocks)
            {
                if (Damage(pointer, block) is { } damage)
                    return damage;
            }
        }
        return null;
    }

    private static string? Damage(nint pointer, Block block)
    {
        long before = FirstChanged(pointer - Guard, Guard), behind = FirstChanged(pointer + (nint)block.Asked, block.Bytes - block.Asked + Guard);
        return before >= 0 ? $"{Guard - before} bytes before an allocation of {block.Asked} bytes"
            : behind < 0 ? null
            : $"{(behind == 0 ? "right" : $"{behind} bytes")} behind an allocation of {block.Asked} bytes";
    }

    private static void FillGuard(nint at, long bytes)
    {
        for (; bytes > 0 && at % sizeof(uint) != 0; at++, bytes--)
            *(byte*)at = GuardOf(at);
        new Span<uint>((void*)at, (int)(bytes / sizeof(uint))).Fill(GuardWord);
        for (nint end = at + (nint)bytes, rest = end - (nint)(bytes % sizeof(uint)); rest < end; rest++)
            *(byte*)rest = GuardOf(rest);
    }

    // Offset of the first byte that is no longer a guard's; -1 when all are.
    private static long FirstChanged(nint from, long bytes)
    {
        nint end = from + (nint)bytes, at = from;
        while (at < end)
        {
            if (at % sizeof(uint) == 0 && end - at >= sizeof(uint))
            {
                int words = (int)Math.Min((end - at) / sizeof(uint), int.MaxValue);
                int changed = new ReadOnlySpan<uint>((void*)at, words).IndexOfAnyExcept(GuardWord);
                at += (changed < 0 ? words : changed) * sizeof(uint);
                if (changed < 0)
                    continue;
            }
            if (*(byte*)at != GuardOf(at))
                return at - from;
            at++;
        }
        return -1;
    }

    // The pattern goes by the address, wherever an allocation ends.
    private static byte GuardOf(nint at) => (byte)(GuardWord >> (int)(at % sizeof(uint) * 8));

    /// <summary>An allocation: its bytes, and how many of them somebody may write.</summary>
    private readonly record struct Block(long Bytes, long Asked);
}

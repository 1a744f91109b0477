using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Native;

/// <summary>Work cut into numbered chunks. All threads use one instance at once: chunks may share only what they read.</summary>
internal interface IJob
{
    /// <summary>Does one chunk, numbered from 0.</summary>
    void Run(int chunk);
}

/// <summary>
/// The thread pool of the CPU kernels. Chunk boundaries are the caller's and must depend on shapes only, never on
/// <see cref="Count"/>: which thread runs a chunk then changes no bit of the result.
/// </summary>
/// <remarks>
/// Kernels last 20 to 100 us, a sleeping thread needs up to 3 ms to wake. Therefore chunks are claimed one by one, the caller
/// claims too, and it only ever waits for a helper that is already inside a chunk. One job runs at a time: a caller that finds
/// the pool busy (nested in a chunk, or on another thread) runs its own chunks inline, which is always correct.
/// </remarks>
internal static unsafe class Workers
{
    private const double SpinSeconds = 50e-6;
    private const int MaxChunks = 64;

    /// <summary>Each hot counter on its own pair of cache lines: the caller and the helpers write them at the same time.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 512)]
    private struct Shared
    {
        /// <summary>Job number in the high half (so that a stale claim fails), chunks still unclaimed in the low half.</summary>
        [FieldOffset(128)] public long Ticket;
        [FieldOffset(256)] public int Unfinished;
        [FieldOffset(384)] public int Sleepers;
    }

    private static readonly SemaphoreSlim Bell = new(0);
    private static readonly Lock FailureLock = new();
    private static Shared shared;
    private static int busy;
    private static int count;
    private static int team;
    private static bool started;

    // The current job. Written while no chunk is claimable, read only after a claim, which orders the two.
    private static delegate*<void*, int, void> code;
    private static void* state;
    private static int total;
    private static ExceptionDispatchInfo? failure;
    private static int failedChunk;

    /// <summary>Threads that work on a job, the caller included: <c>NATIVE_THREADS</c>, or else the number of processors.</summary>
    public static int Count
    {
        get
        {
            if (Volatile.Read(ref count) == 0)
                Interlocked.CompareExchange(ref count, FromEnvironment(), 0);
            return count;
        }
    }

    /// <summary>Changes <see cref="Count"/>, at least 1. Waits for a running job; not to be called from inside a chunk.</summary>
    public static void SetCount(int threads)
    {
        if (threads < 1)
            throw new UsageException($"Workers.SetCount: a job needs at least one thread; threads = {threads}. Give 1 or more.");
        SpinWait wait = default;
        while (Interlocked.CompareExchange(ref busy, 1, 0) != 0)
            wait.SpinOnce();
        Volatile.Write(ref count, threads);
        Interlocked.Increment(ref team); // helpers of an earlier team leave
        started = false;
        Wake(int.MaxValue);
        Volatile.Write(ref busy, 0);
    }

    /// <summary>Number of chunks for <paramref name="items"/> items when one chunk should have at least <paramref name="grain"/>.</summary>
    public static int Chunks(long items, long grain) => (int)Math.Clamp(items / Math.Max(grain, 1), 1, MaxChunks);

    /// <summary>First item of chunk number <paramref name="chunk"/>; its end is the first item of the next one.</summary>
    public static long Start(long items, int chunks, int chunk) => (items / chunks * chunk) + (items % chunks * chunk / chunks);

    /// <summary>
    /// Runs all chunks and returns when every one is done. An exception of a chunk is thrown here, that of the lowest chunk when
    /// several failed. Allocates nothing.
    /// </summary>
    public static void Run<TJob>(int chunks, ref TJob job) where TJob : struct, IJob
    {
        if (chunks <= 1 || Count == 1 || Interlocked.CompareExchange(ref busy, 1, 0) != 0)
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                job.Run(chunk);
            return;
        }
        // Pinned in case the job lives inside an object; on the stack, the usual place, this costs nothing.
        fixed (byte* pointer = &Unsafe.As<TJob, byte>(ref job))
            RunShared(chunks, &Invoke<TJob>, pointer);
    }

    private static void Invoke<TJob>(void* job, int chunk) where TJob : struct, IJob => Unsafe.AsRef<TJob>(job).Run(chunk);

    private static void RunShared(int chunks, delegate*<void*, int, void> body, void* job)
    {
        if (!started)
            Hire();
        code = body;
        state = job;
        total = chunks;
        shared.Unfinished = chunks;
        long number = (shared.Ticket >> 32) + 1;
        Interlocked.Exchange(ref shared.Ticket, (number << 32) | (uint)chunks);
        Wake(chunks - 1);

        while (TryChunk())
        {
        }
        // What is left is inside helpers that are running. Yield after a while: with more threads than processors they may need ours.
        for (int spins = 0; Volatile.Read(ref shared.Unfinished) != 0; spins++)
        {
            if (spins < 2000)
                Thread.SpinWait(1);
            else
                Thread.Yield();
        }
        ExceptionDispatchInfo? thrown = failure;
        failure = null;
        Volatile.Write(ref busy, 0);
        thrown?.Throw();
    }

    /// <summary>Claims and runs one chunk; false when none is left.</summary>
    private static bool TryChunk()
    {
        long ticket = Volatile.Read(ref shared.Ticket);
        while ((int)ticket != 0)
        {
            long seen = Interlocked.CompareExchange(ref shared.Ticket, ticket - 1, ticket);
            if (seen != ticket)
            {
                ticket = seen;
                continue;
            }
            int chunk = total - (int)ticket;
            try
            {
                code(state, chunk);
            }
            catch (Exception e)
            {
                Fail(e, chunk);
            }
            Interlocked.Decrement(ref shared.Unfinished); // after this line the job may be gone
            return true;
        }
        return false;
    }

    private static void Fail(Exception e, int chunk)
    {
        lock (FailureLock)
        {
            if (failure is not null && failedChunk < chunk)
                return;
            failure = ExceptionDispatchInfo.Capture(e);
            failedChunk = chunk;
        }
    }

    private static void Hire()
    {
        started = true;
        for (int i = 1; i < count; i++)
            new Thread(Help) { IsBackground = true, Name = $"Native worker {i}" }.Start(team);
    }

    /// <summary>A helper's life: claim chunks, spin a little, sleep; leave when its team is no longer the current one.</summary>
    private static void Help(object? argument)
    {
        int mine = (int)argument!;
        long spin = (long)(SpinSeconds * Stopwatch.Frequency);
        while (mine == Volatile.Read(ref team))
        {
            if (TryChunk())
                continue;
            long end = Stopwatch.GetTimestamp() + spin;
            while ((int)Volatile.Read(ref shared.Ticket) == 0 && Stopwatch.GetTimestamp() < end)
                Thread.SpinWait(1);
            if ((int)Volatile.Read(ref shared.Ticket) == 0)
                Sleep(mine);
        }
    }

    /// <summary>
    /// Sleeps until woken. Every helper that announces itself in Sleepers is taken off again exactly once, by itself or by a caller,
    /// and a caller rings the bell once per helper taken off: no wake-up is lost and none piles up.
    /// </summary>
    private static void Sleep(int mine)
    {
        Interlocked.Increment(ref shared.Sleepers);
        bool awake = (int)Volatile.Read(ref shared.Ticket) != 0 || mine != Volatile.Read(ref team);
        if (!awake || TakeSleepers(1) == 0)
            Bell.Wait();
    }

    private static void Wake(int helpers)
    {
        if (Volatile.Read(ref shared.Sleepers) == 0)
            return;
        int taken = TakeSleepers(helpers);
        if (taken > 0)
            Bell.Release(taken);
    }

    private static int TakeSleepers(int most)
    {
        while (true)
        {
            int sleepers = Volatile.Read(ref shared.Sleepers);
            int taken = Math.Min(sleepers, most);
            if (taken == 0 || Interlocked.CompareExchange(ref shared.Sleepers, sleepers - taken, sleepers) == sleepers)
                return taken;
        }
    }

    private static int FromEnvironment() => Env.Threads.Value is var n and > 0 ? (int)n : Environment.ProcessorCount;
}

namespace Native;

/// <summary>What a thread has done so far; subtract two readings for what lies between.</summary>
/// <param name="Flops">Useful floating-point operations of the ops that state theirs: matrix products and convolutions, derivatives included.</param>
/// <param name="OptimizerSteps">Updates of parameters by any optimiser.</param>
public readonly record struct Work(long Flops, long OptimizerSteps)
{
    /// <summary>This thread's counts since it began. A replayed CUDA graph is counted once, when it is recorded.</summary>
    public static Work Done => new(Ambient.Current.Flops, Ambient.Current.OptimizerSteps);

    /// <summary>Counts work as this thread's whose result is taken over from an equal run: what a run counts must not depend on what ran before it.</summary>
    public static void TakeOver(Work work)
    {
        Ambient.Current.Flops += work.Flops;
        Ambient.Current.OptimizerSteps += work.OptimizerSteps;
    }

    /// <summary>What lies between two readings.</summary>
    public static Work operator -(Work later, Work earlier) => new(later.Flops - earlier.Flops, later.OptimizerSteps - earlier.OptimizerSteps);

    /// <summary>Two stretches together.</summary>
    public static Work operator +(Work a, Work b) => new(a.Flops + b.Flops, a.OptimizerSteps + b.OptimizerSteps);
}

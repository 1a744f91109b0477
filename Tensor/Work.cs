namespace Native;

/// <summary>What a thread has done so far; subtract two readings for what lies between.</summary>
/// <param name="Flops">Useful floating-point operations of the ops that state theirs: matrix products and convolutions, derivatives included.</param>
/// <param name="OptimizerSteps">Updates of parameters: those by any optimiser, and what <see cref="Updated"/> was told of.</param>
public readonly record struct Work(long Flops, long OptimizerSteps)
{
    /// <summary>This thread's counts since it began. Each replay of a CUDA graph counts as its body does.</summary>
    public static Work Done => new(Ambient.Current.Flops, Ambient.Current.OptimizerSteps);

    /// <summary>Counts an update of parameters that a method makes without an optimiser.</summary>
    public static void Updated() => Ambient.Current.OptimizerSteps++;

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

namespace Native.Optim;

/// <summary>
/// A learning rate as a pure function of the step number (0 for the first): nothing to save, nothing that gets out of step. Use as
/// <c>opt.Rate = schedule.At(step)</c>.
/// </summary>
public sealed class Schedule
{
    private readonly Func<long, double> _rate;

    private Schedule(Func<long, double> rate) => _rate = rate;

    /// <summary>The rate of step number <paramref name="step"/>.</summary>
    public double At(long step) =>
        step >= 0 ? _rate(step) : throw new UsageException($"schedule: steps count from 0; got {step}.");

    /// <summary>Always the same.</summary>
    public static Schedule Constant(double rate) => new(_ => rate);

    /// <summary>Any function of the step.</summary>
    public static Schedule Of(Func<long, double> rate) => new(rate);

    /// <summary>rate * gamma^(step / every), rounded down.</summary>
    public static Schedule StepDecay(double rate, long every, double gamma = 0.1) =>
        every > 0 ? new(t => rate * Math.Pow(gamma, t / every)) : throw new UsageException($"schedule: a step lasts at least one update; got {every}.");

    /// <summary>Multiplied by gamma at every milestone; one named twice counts twice.</summary>
    public static Schedule MultiStep(double rate, IReadOnlyList<long> milestones, double gamma = 0.1)
    {
        long[] at = [.. milestones];
        return new(t => rate * Math.Pow(gamma, at.Count(m => m <= t)));
    }

    /// <summary>rate * gamma^step.</summary>
    public static Schedule Exponential(double rate, double gamma) => new(t => rate * Math.Pow(gamma, t));

    /// <summary>
    /// Half a cosine from rate to <paramref name="floor"/> in <paramref name="length"/> steps (Loshchilov and Hutter 2017); afterwards it rises again, as PyTorch's does.
    /// </summary>
    public static Schedule Cosine(double rate, long length, double floor = 0) =>
        length > 0 ? new(t => floor + (rate - floor) * (1 + Math.Cos(Math.PI * t / length)) / 2) : throw new UsageException($"schedule: a cosine lasts at least one step; got {length}.");

    /// <summary>This schedule, rising linearly during its first steps: the rate of step t is multiplied by min(1, (t + 1) / steps).</summary>
    public Schedule WarmUp(long steps) =>
        steps > 0 ? new(t => _rate(t) * Math.Min(1, (t + 1) / (double)steps)) : throw new UsageException($"schedule: a warm-up lasts at least one step; got {steps}.");
}

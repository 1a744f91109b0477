namespace Native.Methods;

/// <summary>Sizes that belong together; single options change them further.</summary>
public enum RecollectionSetting
{
    /// <summary>Seconds: one epoch or two.</summary>
    Quick,

    /// <summary>What a machine without a GPU can do: a tenth of the paper's epochs.</summary>
    Cpu,

    /// <summary>The paper's 500 epochs.</summary>
    Paper,
}

/// <summary>Reads which sizes are asked for.</summary>
internal static class RecollectionSettings
{
    public static RecollectionSetting Of(MethodSettings settings)
    {
        string? text = settings.Options?.FirstOrDefault(o => o.Key.Equals("setting", StringComparison.OrdinalIgnoreCase)).Value;
        return Enum.TryParse(text, ignoreCase: true, out RecollectionSetting setting) ? setting : RecollectionSetting.Paper;
    }
}

/// <summary>Settings of <see cref="AutoEncoderStudy"/>. "Appendix" is the paper's; what it does not state is ours.</summary>
/// <param name="Setting">Sizes that belong together: 500 epochs and four rates (paper; the appendix has 500 for its distillations and states none here), 50 and two (cpu).</param>
/// <param name="Variables">c of a discrete code.</param>
/// <param name="Categories">l.</param>
/// <param name="Filters">h of a continuous code instead (table 6), or "none".</param>
/// <param name="Epochs">Passes over the training images.</param>
/// <param name="Batch">Images per step. Unstated; 100 in Jang, Gu and Poole 2017.</param>
/// <param name="Rates">The first so many of 1e-2, 1e-3, 1e-4 and 1e-5 are tried, and the smallest training distortion counts (appendix).</param>
/// <param name="Rate">One rate instead, or "none".</param>
/// <param name="Tau">Temperature: 1 (appendix).</param>
/// <param name="KlWeight">Weight of the codes' divergence from uniform ones: 0, since the paper names a reconstruction loss only.</param>
/// <param name="Samples">Recollections whose nearest training image is looked for: 10,000 (table 4); 0 for none.</param>
public sealed record AutoEncoderOptions(
    RecollectionSetting Setting = RecollectionSetting.Paper, int Variables = 38, int Categories = 2, int? Filters = null, int Epochs = 500, int Batch = 100, int Rates = 4,
    double? Rate = null, double Tau = 1, double KlWeight = 0, int Samples = 10_000) : IMethodOptions
{
    private static readonly double[] Tried = [1e-2, 1e-3, 1e-4, 1e-5];

    /// <summary>The rates to try, largest first.</summary>
    internal double[] Trials => Rate is { } one ? [one] : Tried[..Rates];

    /// <summary>The defaults of the setting that is asked for, else the paper's.</summary>
    public static AutoEncoderOptions For(MethodSettings settings) => RecollectionSettings.Of(settings) switch
    {
        RecollectionSetting.Quick => new(RecollectionSetting.Quick, Epochs: 2, Rates: 2, Samples: 500),
        RecollectionSetting.Cpu => new(RecollectionSetting.Cpu, Epochs: 50, Rates: 2),
        _ => new(),
    };

    /// <inheritdoc/>
    public void Validate(string method)
    {
        if (Filters is null)
            _ = new CodeSize(Variables, Categories);
        OptionRange.Positive(method, (nameof(Filters), Filters ?? 1), (nameof(Epochs), Epochs), (nameof(Batch), Batch), (nameof(Rates), Rates), (nameof(Rate), Rate ?? 1), (nameof(Tau), Tau));
        OptionRange.NotNegative(method, (nameof(KlWeight), KlWeight), (nameof(Samples), Samples));
        if (Rates > Tried.Length)
            throw new UsageException($"{method}: rates = {Rates}, and there are {Tried.Length}: {string.Join(", ", Tried)}. Give fewer, or a rate of your own.");
    }
}

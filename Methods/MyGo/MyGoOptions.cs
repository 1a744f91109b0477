namespace Native.Methods;

/// <summary>Readings of MyGO: the released code, the paper, and the paper with what is missing in it.</summary>
public enum MyGoVariant
{
    /// <summary>
    /// The released code: the head that the wake phase trains is the network's own, so teacher and student are equal, the distillation loss is 0 and sleep changes nothing.
    /// What is measured are frozen random features with a trained head per task.
    /// </summary>
    Literal,

    /// <summary>The paper, section 2: the head is trained on a copy, and the student, features and all, learns it from dreams. No label ever reaches the features.</summary>
    Paper,

    /// <summary>The wake phase trains all of a copy; the student learns from that copy on dreams of the new task and from itself as it was on dreams of the earlier ones.</summary>
    Repaired,
}

/// <summary>What remembers a task.</summary>
public enum MemoryKind
{
    /// <summary>A conditional GAN (section 2.1).</summary>
    Gan,

    /// <summary>A conditional variational auto-encoder (section 5, future work).</summary>
    Vae,

    /// <summary>A conditional flow of affine couplings (section 5, future work).</summary>
    Flow,
}

/// <summary>Where the student of <see cref="MyGoVariant.Repaired"/> begins its sleep.</summary>
public enum SleepStart
{
    /// <summary>As the copy that was awake: it knows the new task and relearns the earlier ones from dreams.</summary>
    Awake,

    /// <summary>As it was: it knows the earlier tasks and learns the new one from dreams.</summary>
    Before,
}

/// <summary>Settings of <see cref="MyGo"/>; values of the released code (src/test.py), since the paper gives none.</summary>
/// <param name="Variant">Which reading.</param>
/// <param name="Memory">What remembers a task.</param>
/// <param name="FastRate">1e-3, Adam, awake (LR_FAST).</param>
/// <param name="SlowRate">1e-4, Adam, asleep (LR_SLOW).</param>
/// <param name="MemoryRate">1e-3, Adam, for both networks of a memory.</param>
/// <param name="MemoryUpdates">1: updates of the memory for each batch.</param>
/// <param name="MemoryHidden">128 hidden units in each network of a memory.</param>
/// <param name="Latent">64 numbers of noise for each dream.</param>
/// <param name="SleepSteps">1000; of an adaptive sleep the most.</param>
/// <param name="SleepBatch">128 dreams per step.</param>
/// <param name="SleepStart">Ours: where the repaired student begins.</param>
/// <param name="WakeDistill">
/// Ours: while all of the copy is trained, weight of the earlier heads' answers to the new items (Learning without Forgetting). Dreams of texts begin behind the table of words and cannot
/// repair it; this can. 0 for none.
/// </param>
/// <param name="HoldWords">Ours: while all of the copy is trained, rows of words that earlier tasks have used stay as they are. Nothing for images.</param>
/// <param name="FeatureWeight">Weight of the distance of features beside that of logits (section 5, future work); 0 in the paper.</param>
/// <param name="AdaptiveSleep">Wake up when the distillation loss is flat (section 5, future work).</param>
/// <param name="SleepWindow">Flat: of two windows of so many steps...</param>
/// <param name="SleepTolerance">...the later has a mean loss less than this share below the earlier.</param>
/// <param name="Width">256 features.</param>
/// <param name="TrainingAccuracy">Test on the training items as well, as the released code does.</param>
public sealed record MyGoOptions(
    MyGoVariant Variant = MyGoVariant.Repaired, MemoryKind Memory = MemoryKind.Gan, double FastRate = 1e-3, double SlowRate = 1e-4, double MemoryRate = 1e-3,
    int MemoryUpdates = 1, int MemoryHidden = 128, int Latent = 64, int SleepSteps = 1000, int SleepBatch = 128, SleepStart SleepStart = SleepStart.Awake,
    double WakeDistill = 0, bool HoldWords = false, double FeatureWeight = 0, bool AdaptiveSleep = false, int SleepWindow = 50, double SleepTolerance = 0.02, int Width = 256, bool TrainingAccuracy = true) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(FastRate), FastRate), (nameof(SlowRate), SlowRate), (nameof(MemoryRate), MemoryRate), (nameof(MemoryUpdates), MemoryUpdates),
            (nameof(MemoryHidden), MemoryHidden), (nameof(Latent), Latent), (nameof(SleepSteps), SleepSteps), (nameof(SleepBatch), SleepBatch), (nameof(SleepWindow), SleepWindow),
            (nameof(Width), Width));
        OptionRange.NotNegative(method, (nameof(WakeDistill), WakeDistill), (nameof(FeatureWeight), FeatureWeight), (nameof(SleepTolerance), SleepTolerance));
    }
}

namespace Native.Benchmarks;

/// <summary>A reference workload by name.</summary>
/// <param name="Name">As selected with <c>--only</c>.</param>
/// <param name="Summary">What one step is.</param>
/// <param name="Tolerance">Largest relative difference of the first step's losses between f32 and f64.</param>
/// <param name="Make">Makes it at its paper's sizes.</param>
internal sealed record WorkloadRow(string Name, string Summary, double Tolerance, Func<DType, ulong, Workload> Make)
{
    /// <summary>Makes it at its paper's sizes too, so that it runs every shape, but leaves out repetitions of the same: later ascents, later inner steps.</summary>
    public Func<DType, ulong, Workload> Brief { get; init; } = Make;

    /// <summary>The tolerance in force: <see cref="Tolerance"/>, or what 10 bits of mantissa leave of it.</summary>
    public double Bound(bool tf32) => tf32 ? WorkloadTable.Tf32Tolerance(Tolerance) : Tolerance;
}

/// <summary>The seven workloads that speed is compared on.</summary>
internal static class WorkloadTable
{
    // f32 rounds to 6e-8, and most steps end near 1e-7. Where one of thousands of hard choices (a rectifier, a largest category) may fall the other way
    // between updates, more is allowed. Ascent through ten-fold batch norms and the 25 inner steps, whose loss rises to 100 before it falls to 3, are
    // chaotic: a difference in the last bit grows to 1e-3 on the way, in PyTorch as here (3e-5 to 3e-4 over three seeds). Their first few inner steps
    // agree to 1e-6, which the tests check.
    private const double Plain = 1e-5, Choices = 1e-3, Chaotic = 1e-2;

    // tf32 rounds operands to 5e-4; losses are means of many products. Where a last bit of f32 grows to 1e-3, one of tf32 becomes another number of the same size.
    private const double Rounded = 2e-2, Incomparable = 0.5;

    /// <summary>Of a step whose products are tf32, by its tolerance in f32.</summary>
    public static double Tf32Tolerance(double tolerance) => tolerance < Chaotic ? Rounded : Incomparable;

    /// <summary>All of them, in the order of reports.</summary>
    public static IReadOnlyList<WorkloadRow> All { get; } =
    [
        new("arm-mnist", "SGD step, 10 ascent steps on 10 images, distillation step; MLP 784-400-400-10", Choices, (t, s) => new ArmMnist(t, s)),
        new("arm-cifar", "the same with 100 images; reduced ResNet-18", Chaotic, (t, s) => new ArmCifar(t, s)) { Brief = (t, s) => new ArmCifar(t, s, ascents: 1) },
        new("srm-mnist", "10 auto-encoder steps on 26 images, 1 predictor step; 104 x 4 discrete codes", Choices, (t, s) => new SrmMnist(t, s)),
        new("dgm-mnist", "critic step with gradient penalty, generator step with masks; batch 64", Plain, (t, s) => new DgmMnist(t, s)),
        new("meta-mnist", "25 unrolled inner steps, gradient through all of them, generator step", Chaotic, (t, s) => new MetaMnist(t, s))
        {
            Brief = (t, s) => new MetaMnist(t, s, MetaSizes.Paper with { Tasks = 1, Inner = 2 }),
        },
        new("mygo-mnist", "conditional GAN step and distillation on dreams; batch 128", Plain, (t, s) => new MygoMnist(t, s)),
        new("resnet-train", "training step of the reduced ResNet-18; batch 128", Plain, (t, s) => new ResNetTrain(t, s)),
    ];

    /// <summary>Those of a comma-separated list, or all.</summary>
    /// <exception cref="UsageException">A name is unknown.</exception>
    public static IReadOnlyList<WorkloadRow> Select(string? list) => list is null ? All
        : [.. list.Split(',').Distinct(StringComparer.Ordinal).Select(n => All.FirstOrDefault(w => w.Name == n) ?? throw Native.Methods.Unknown.Name("workload", n, [.. All.Select(w => w.Name)]))];
}

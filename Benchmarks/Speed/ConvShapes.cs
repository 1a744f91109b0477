namespace Native.Benchmarks;

/// <summary>A convolution that workloads run.</summary>
/// <param name="Shape">Its geometry.</param>
/// <param name="Transposed">Whether some layer is the transposed convolution, with a bias.</param>
/// <param name="Workloads">Who runs it.</param>
internal sealed record ConvRow(ConvShape Shape, bool Transposed, params string[] Workloads)
{
    /// <summary>Batch, input, filters and kernel, stride, padding: <c>128x3x32-20k3s1p1</c>. All of the workloads' are square.</summary>
    public string Name => $"{Shape.Batch}x{Shape.Channels}x{Shape.Height}-{Shape.Filters}k{Shape.KernelH}s{Shape.StrideH}p{Shape.PadH}";
}

/// <summary>Every convolution of the reference workloads. A test runs their steps and compares, so that none is missing and none is left over.</summary>
internal static class ConvShapes
{
    private const string Dgm = "dgm-mnist", Meta = "meta-mnist", Mygo = "mygo-mnist", Srm = "srm-mnist", Cifar = "arm-cifar", ResNet = "resnet-train";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ConvRow> All { get; } =
    [
        // Real images, recalled ones, both together; and plain training.
        .. ResNet18(10, Cifar), .. ResNet18(100, Cifar), .. ResNet18(110, Cifar), .. ResNet18(128, ResNet),
        // The auto-encoder: an update's batch, and the decoding of all recollections at once.
        .. AutoEncoder(26), .. AutoEncoder(250),
        // The critic, then the generator as the adjoints of these.
        Row(64, 1, 32, 32, 5, 2, 2, Dgm), Row(64, 32, 16, 64, 5, 2, 2, Dgm), Row(64, 64, 8, 128, 5, 2, 2, Dgm),
        Row(64, 80, 4, 128, 4, 1, 0, Dgm), Row(64, 40, 8, 80, 4, 2, 1, Dgm), Row(64, 20, 16, 40, 4, 2, 1, Dgm), Row(64, 1, 32, 20, 4, 2, 1, Dgm),
        // The learner's inner steps and its meta-loss; the generator.
        Row(40, 1, 28, 32, 3, 1, 1, Meta), Row(40, 32, 14, 64, 3, 1, 1, Meta), Row(256, 1, 28, 32, 3, 1, 1, Meta), Row(256, 32, 14, 64, 3, 1, 1, Meta),
        Row(500, 64, 14, 32, 3, 1, 1, Meta), Row(500, 32, 28, 1, 3, 1, 1, Meta),
        Row(128, 1, 28, 16, 3, 1, 1, Mygo), Row(128, 16, 14, 32, 3, 1, 1, Mygo),
    ];

    private static ConvRow[] ResNet18(int batch, string workload) =>
    [
        Row(batch, 3, 32, 20, 3, 1, 1, workload), Row(batch, 20, 32, 20, 3, 1, 1, workload),
        Row(batch, 20, 32, 40, 3, 2, 1, workload), Row(batch, 20, 32, 40, 1, 2, 0, workload), Row(batch, 40, 16, 40, 3, 1, 1, workload),
        Row(batch, 40, 16, 80, 3, 2, 1, workload), Row(batch, 40, 16, 80, 1, 2, 0, workload), Row(batch, 80, 8, 80, 3, 1, 1, workload),
        Row(batch, 80, 8, 160, 3, 2, 1, workload), Row(batch, 80, 8, 160, 1, 2, 0, workload), Row(batch, 160, 4, 160, 3, 1, 1, workload),
    ];

    private static ConvRow[] AutoEncoder(int batch) =>
    [
        Row(batch, 1, 28, 104, 5, 3, 2, Srm) with { Transposed = true }, Row(batch, 104, 10, 104, 5, 3, 2, Srm) with { Transposed = true },
        Row(batch, 104, 4, 104, 5, 3, 2, Srm) with { Transposed = true },
    ];

    private static ConvRow Row(int batch, int channels, int side, int filters, int kernel, int stride, int pad, string workload) =>
        new(new ConvShape(batch, channels, side, side, filters, kernel, kernel, stride, stride, pad, pad), Transposed: false, workload);
}

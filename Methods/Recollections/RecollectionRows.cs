namespace Native.Methods;

/// <summary>The rows of the offline experiments of Scalable Recollections: distortion against compression, and distillation.</summary>
internal static class RecollectionRows
{
    private const string Paper = "Scalable Recollections (Riemer et al. 2019)";

    private static readonly Scenario[] Every = [Scenario.ClassIncremental, Scenario.TaskIncremental, Scenario.DomainIncremental];

    public static IEnumerable<MethodRow> Offline { get; } =
    [
        Row("srm-autoencoder", "an auto-encoder alone: distortion against compression, buffer against code sampling; it classifies nothing",
            AutoEncoderOptions.For, (stream, seeds, o) => new AutoEncoderStudy(stream, seeds, o)),
        Row("srm-distill", "a student taught by a teacher's answers to real images or recollections, one at a time",
            DistillationOptions.For, (stream, seeds, o) => new DistillationStudy(stream, seeds, o)),
        Row("srm-jpeg", "JPEG at a quality instead of an auto-encoder; it classifies nothing", _ => new JpegOptions(), (stream, _, o) => new JpegStudy(stream, o))
            with { Missing = JpegStudy.Missing },
    ];

    private static MethodRow Row<T>(string name, string summary, Func<MethodSettings, T> defaults, Func<TaskStream, SeedStreams, T, IMethod> create) where T : IMethodOptions =>
        new(name, Paper, summary, Joint: true, Every, s => MethodOptions.Apply(name, defaults(s), s), (stream, seeds, o) => create(stream, seeds, (T)o));
}

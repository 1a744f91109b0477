using Native.Methods;

namespace Native.Benchmarks;

/// <summary>A stream by name.</summary>
/// <param name="Name">As typed.</param>
/// <param name="Tasks">How it is cut.</param>
/// <param name="Data">What it is made of, in words.</param>
/// <param name="State">What would be used now.</param>
/// <param name="Load">Training and test images.</param>
internal sealed record StreamRow(
    string Name, string Tasks, string Data, Func<DataFolder, string> State, Func<StreamRequest, (ImageSet Train, ImageSet Test)> Load);

/// <summary>What was asked for.</summary>
/// <param name="Folder">Where real data are.</param>
/// <param name="Explicit">Whether the folder was named on the command line: then absent data are an error, not a reason for others.</param>
/// <param name="AllowUnofficial">Accept files with other checksums.</param>
internal sealed record StreamRequest(DataFolder Folder, bool Explicit, bool AllowUnofficial);

/// <summary>Every stream that <c>--stream</c> takes.</summary>
internal static class StreamTable
{
    // The digits are data, not chance: one drawing for all seeds, as there is one MNIST.
    private const ulong DigitsSeed = 20_25;

    private static readonly Lazy<(ImageSet Train, ImageSet Test)> Digits = new(() => SyntheticDigits.Make(new Generator(DigitsSeed)));

    public static IReadOnlyList<StreamRow> All { get; } =
    [
        new("split-mnist", "5 x 2 digits", "MNIST, or drawn digits without it", MnistState, MnistOrDigits),
        new("split-digits", "5 x 2 digits", "digits drawn by the program", _ => "built in", _ => Digits.Value),
    ];

    /// <summary>The row of a name; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static StreamRow Find(string name) => All.FirstOrDefault(s => s.Name == name) ?? throw Unknown.Name("stream", name, [.. All.Select(s => s.Name)]);

    private static bool HasMnist(DataFolder folder) => folder.Find("mnist", "MNIST/raw") is not null;

    private static string MnistState(DataFolder folder) => HasMnist(folder) ? $"MNIST in {folder.Find("mnist", "MNIST/raw")}" : "no MNIST here: drawn digits";

    private static (ImageSet Train, ImageSet Test) MnistOrDigits(StreamRequest request) =>
        HasMnist(request.Folder) || request.Explicit
            ? (Mnist.Load(request.Folder, train: true, request.AllowUnofficial), Mnist.Load(request.Folder, train: false, request.AllowUnofficial))
            : Digits.Value;
}

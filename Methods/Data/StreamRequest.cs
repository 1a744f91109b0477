namespace Native.Methods;

/// <summary>What is asked of a stream.</summary>
/// <param name="Folder">Where real data are.</param>
/// <param name="Scenario">What is told at test time.</param>
/// <param name="Seed">The run's seed: order of classes when shuffled, choice of items where a protocol draws them.</param>
public sealed record StreamRequest(DataFolder Folder, Scenario Scenario = Scenario.ClassIncremental, ulong Seed = 0)
{
    /// <summary>Whether the folder was named on the command line: then absent data are an error, not a reason for others.</summary>
    public bool Explicit { get; init; }

    /// <summary>Accept files with other checksums; the provenance then says so.</summary>
    public bool AllowUnofficial { get; init; }

    /// <summary>Draw the order of the classes from the seed instead of the stream's own.</summary>
    public bool ShuffleClasses { get; init; }

    /// <summary>Another meaning of bytes than the stream's own.</summary>
    public PixelScale? Scale { get; init; }

    /// <summary>Use the first so many training items of the data set only, for quick runs; null = all.</summary>
    public int? MaxTrain { get; init; }

    /// <summary>Use the first so many test items of the data set only; null = all.</summary>
    public int? MaxTest { get; init; }

    /// <summary>The order of classes, from the seed, or null when it is the stream's own.</summary>
    internal Generator? Order => ShuffleClasses ? new SeedStreams(Seed).Order : null;

    /// <summary>A sequence for one purpose of the stream, independent of all sequences of a run.</summary>
    internal Generator Random(string purpose) => new Generator(Seed).Stream("stream/" + purpose);

    internal ItemSet First(ItemSet set, bool train) => (train ? MaxTrain : MaxTest) is { } most ? set.Part(Positive(most)) : set;

    internal ImageSet First(ImageSet set, bool train) => (ImageSet)First((ItemSet)set, train);

    private static int Positive(int most) => most > 0 ? most : throw new UsageException($"stream: the first {most} items are none. Ask for 1 or more.");
}

/// <summary>A stream by name.</summary>
/// <param name="Name">As typed.</param>
/// <param name="Tasks">How it is cut, for example <c>5 x 2 digits</c>.</param>
/// <param name="Data">What it is made of, in words.</param>
/// <param name="Usual">The scenario that the papers on it use.</param>
/// <param name="State">What would be used now, in words.</param>
/// <param name="Build">Loads and cuts it.</param>
public sealed record StreamRow(
    string Name, string Tasks, string Data, Scenario Usual, Func<DataFolder, string> State, Func<StreamRequest, TaskStream> Build);

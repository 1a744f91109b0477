using System.Text.Json.Nodes;

namespace Native.Methods;

/// <summary>The streams over alphabets and over texts.</summary>
internal static class OtherStreams
{
    private const ulong TopicsSeed = 20_25, OmniglotSeed = 0;

    private static readonly Lazy<(TextSet Train, TextSet Test)> Topics = new(() => SyntheticTopics.Make(new Generator(TopicsSeed)));

    public static IEnumerable<StreamRow> Rows { get; } =
    [
        new("omniglot-50", "50 alphabets, 1623 characters, 28x28", "Omniglot", Scenario.TaskIncremental,
            d => ColourStreams.State(d, "omniglot", "Omniglot", DataTable.Omniglot[0].Path), Alphabets),
        new("ag-news-2", "2 x 2 topics of text", "AG News", Scenario.TaskIncremental,
            d => ColourStreams.State(d, "ag-news", "AG News", DataTable.AgNews[1].Path), r => Texts("ag-news-2", r, News(r), [.. AgNews.Classes])),
        new("ag-news-2-part", "2 x 2 topics of text, a part of the training rows", "AG News", Scenario.TaskIncremental,
            d => ColourStreams.State(d, "ag-news", "a part of AG News", AgNews.Part), r => Texts("ag-news-2-part", r, Part(r), [.. AgNews.Classes])),
        new("topics-2", "2 x 2 topics of text", "text written by the program", Scenario.TaskIncremental, _ => "built in",
            r => Texts("topics-2", r, Topics.Value, null)),
    ];

    private static (TextSet Train, TextSet Test) News(StreamRequest r) =>
        ColourStreams.Pair("ag-news", r, () => (AgNews.Load(r.Folder, true, r.AllowUnofficial), AgNews.Load(r.Folder, false, r.AllowUnofficial)));

    // What a machine without the whole training set has: said in the stream's name and in the provenance of every result.
    private static (TextSet Train, TextSet Test) Part(StreamRequest r) =>
        ColourStreams.Pair("ag-news-part", r, () => (AgNews.LoadPart(r.Folder), AgNews.Load(r.Folder, false, r.AllowUnofficial)));

    /// <summary>
    /// Scalable Recollections: one alphabet per task; of the 20 drawings of a character 18 are for training and 2 for tests (90% and 10% of each
    /// alphabet; which ones is drawn once, for all seeds).
    /// </summary>
    private static TaskStream Alphabets(StreamRequest r)
    {
        var loaded = DataCache.Get($"omniglot {r.Folder.Root} {r.AllowUnofficial}", () =>
        {
            var (images, names) = Omniglot.Load(r.Folder, r.AllowUnofficial);
            var (head, tail) = Drawers(images);
            return (Train: ColourStreams.Take(images, head, "train"), Test: ColourStreams.Take(images, tail, "test"), Alphabets: names);
        }, l => [l.Train, l.Test]);
        var alphabets = loaded.Alphabets.ToArray();
        r.Order?.Shuffle<Omniglot.Alphabet>(alphabets);
        return DigitStreams.Cut(r, new StreamPlan("omniglot-50", r.First(loaded.Train, true), r.First(loaded.Test, false), [.. alphabets.Select(a => a.Labels)])
        {
            Titles = [.. alphabets.Select(a => a.Name)],
            Notes = new JsonObject { ["testSeed"] = OmniglotSeed, ["test"] = "2 of 20 drawings of each character", ["resampled"] = "inverted, by area from 105x105" },
        });
    }

    internal static (int[] Train, int[] Test) Drawers(ImageSet images)
    {
        var draw = new Generator(OmniglotSeed).Stream("omniglot/test");
        List<int> train = [], test = [];
        for (int start = 0; start < images.Count; start += Omniglot.PerCharacter)
        {
            int[] order = [.. Enumerable.Range(start, Omniglot.PerCharacter)];
            draw.Shuffle<int>(order);
            test.AddRange(order[..(Omniglot.PerCharacter / 10)].Order());
            train.AddRange(order[(Omniglot.PerCharacter / 10)..].Order());
        }
        return ([.. train], [.. test]);
    }

    /// <summary>MyGO: {World, Sports}, then {Business, Sci/Tech}.</summary>
    private static TaskStream Texts(string name, StreamRequest r, (TextSet Train, TextSet Test) sets, string[]? classes)
    {
        int[][] tasks = TaskStream.Chunks(4, 2, r.Order);
        return DigitStreams.Cut(r, new StreamPlan(name, r.First((ItemSet)sets.Train, true), r.First((ItemSet)sets.Test, false), tasks)
        {
            Titles = classes is null ? null : [.. tasks.Select(t => $"{{{string.Join(", ", t.Select(c => classes[c]))}}}")],
        });
    }
}

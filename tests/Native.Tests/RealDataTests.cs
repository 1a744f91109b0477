using Native.Methods;

namespace Native.Tests;

/// <summary>A fact that needs real files, and says so where they are not.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute(string path)
    {
        string? folder = Environment.GetEnvironmentVariable(DataFolder.Variable);
        if (string.IsNullOrEmpty(folder))
            Skip = $"needs real data; set {DataFolder.Variable} to a folder that holds {path}";
        else if (!Path.Exists(Path.Combine(folder, path)))
            Skip = $"needs real data; {DataFolder.Variable}={folder} holds no {path}";
    }
}

/// <summary>The streams over the files as their authors distribute them; sizes are those that the papers state.</summary>
public sealed class RealDataTests
{
    private static TaskStream Build(string name, Scenario? scenario = null, int? maxTest = null, bool allowUnofficial = false) =>
        StreamTable.Find(name).Build(new StreamRequest(DataFolder.From(null), scenario ?? StreamTable.Find(name).Usual)
        { Explicit = true, MaxTest = maxTest, AllowUnofficial = allowUnofficial });

    [DataFact("mnist")]
    public void Mnist_is_cut_into_each_of_its_streams()
    {
        var five = Build("mnist-5k-5");
        StreamTableTests.Sound(five);
        Assert.All(five.Tasks, t => Assert.Equal(1000, t.Train.Length));
        // 60,000 less int(0.95 n) of each task's n: 5%, rounded up five times.
        Assert.Equal(3_003, five.Tasks.Sum(t => t.Validation.Length));
        Assert.Equal(10_000, five.Tasks.Sum(t => t.Test.Length));
        var ten = Build("split-mnist-10", maxTest: 1000);
        StreamTableTests.Sound(ten);
        Assert.Equal((32, 5_923), (ten.Train.Height, ten.Tasks[0].Train.Length + ten.Tasks[0].Validation.Length));
        var turned = Build("mnist-rotations", maxTest: 500);
        Assert.Equal((20_000, 10_000, 10), (turned.Train.Count, turned.Test.Count, turned.Outputs));
        // Turning loses the corners only: the ink of MNIST is in the middle.
        double ink(ImageSet set, int[] some) => some.Average(i => set.Image(i).ToArray().Average(p => (double)p));
        Assert.InRange(ink(turned.Train, turned.Tasks[7].Train) / ink(turned.Train, turned.Tasks[0].Train), 0.95, 1.05);
    }

    [DataFact("cifar-10-batches-bin")]
    public void Cifar_10_is_cut_into_all_of_its_streams()
    {
        var five = Build("cifar10-5");
        Assert.Equal("official files (SHA-256 checked)", five.Train.Provenance);
        StreamTableTests.Sound(five);
        Assert.All(five.Tasks, t => Assert.Equal((9_500, 500, 2_000), (t.Train.Length, t.Validation.Length, t.Test.Length)));
        var mir = Build("cifar10-mir-5");
        StreamTableTests.Sound(mir);
        Assert.All(mir.Tasks, t => Assert.Equal((9_500, 500, 2_000), (t.Train.Length, t.Validation.Length, t.Test.Length)));
        Assert.Equal("[-1,1]", mir.Scale.Name);
        // The first training image is a frog with these corners (CIFAR-10's own page shows it); red plane first.
        Assert.Equal(6, five.Train.Labels[0]);
        Assert.Equal([59, 62, 63], new[] { 0, 1024, 2048 }.Select(p => (int)five.Train.Image(0)[p]));
        // The published means of the training set, in each channel.
        for (int c = 0; c < 3; c++)
        {
            double sum = 0;
            for (int i = 0; i < 50_000; i++)
                foreach (byte p in five.Train.Image(i).Slice(1024 * c, 1024))
                    sum += p;
            Assert.Equal(((double[])[0.4914, 0.4822, 0.4465])[c], sum / 50_000 / 1024 / 255, 5e-5);
        }
        var ten = Build("cifar10-10");
        Assert.All(ten.Tasks, t => Assert.Equal((4_250, 750, 1_000), (t.Train.Length, t.Validation.Length, t.Test.Length)));
    }

    [DataFact("omniglot/images_background.zip")]
    public void Omniglot_has_fifty_alphabets()
    {
        var s = Build("omniglot-50", allowUnofficial: true);
        StreamTableTests.Sound(s);
        Assert.Equal((50, 1_623, 55), (s.Tasks.Count, s.ClassOrder.Length, s.Tasks.Max(t => t.Classes.Length)));
        Assert.Equal((1_623 * 18, 1_623 * 2), (s.Train.Count, s.Test.Count));
        Assert.Equal(964, s.Tasks.Take(30).Sum(t => t.Classes.Length));
        Assert.Equal("Alphabet of the Magi", s.Tasks[0].Name);
        // A few thin strokes on paper: little ink, and as much of it in every split.
        Assert.InRange(s.Train.Pixels.Average(p => (double)p), 10, 40);
        Assert.Equal(s.Train.Pixels.Average(p => (double)p), s.Test.Pixels.Average(p => (double)p), 0.5);
    }

    [DataFact("ag_news/test.csv")]
    public void Ag_news_has_two_pairs_of_topics()
    {
        var s = Build("ag-news-2", allowUnofficial: true);
        StreamTableTests.Sound(s);
        Assert.Equal(["{World, Sports}", "{Business, Sci/Tech}"], s.Tasks.Select(t => t.Name));
        Assert.Equal(7_600, s.TestItems.Count);
        Assert.All(Enumerable.Range(0, 4), c => Assert.Equal(1_900, s.TestItems.Labels.Count(l => l == c)));
        Assert.Equal("Fears for T N pension after talks Unions representing workers at Turner   Newall say they are 'disappointed' after talks with stricken "
            + "parent firm Federal Mogul.", ((TextSet)s.TestItems).Text(0));
    }
}

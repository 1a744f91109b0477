using Native.Methods;

namespace Native.Tests;

public class SyntheticDigitsTests
{
    private const int Size = SyntheticDigits.Side * SyntheticDigits.Side;

    [Fact]
    public void ImagesDependOnSeedAndIndexOnly()
    {
        var (train, test) = SyntheticDigits.Make(new Generator(1), 200, 50);
        var (longer, _) = SyntheticDigits.Make(new Generator(1), 400, 0);
        Assert.Equal(train.Pixels, longer.Pixels[..train.Pixels.Length]);
        Assert.Equal(train.Labels, longer.Labels[..200]);
        Assert.NotEqual(train.Pixels[..test.Pixels.Length], test.Pixels);
        Assert.NotEqual(train.Pixels, SyntheticDigits.Make(new Generator(2), 200, 0).Train.Pixels);

        var one = new byte[Size];
        ulong seed = new Generator(1).Stream("digits/train").Seed;
        Assert.Equal(longer.Labels[321], SyntheticDigits.Draw(seed, 321, one));
        Assert.Equal(longer.Pixels[(321 * Size)..(322 * Size)], one);
    }

    [Fact]
    public void ShapesAndClassesAreAsSaid()
    {
        var (train, test) = SyntheticDigits.Make(new Generator(3), 500, 100);
        Assert.Equal((500, 1, 28, 28), (train.Count, train.Channels, train.Height, train.Width));
        Assert.Equal((500 * Size, 500, 100 * Size, 100), (train.Pixels.Length, train.Labels.Length, test.Pixels.Length, test.Labels.Length));
        for (int i = 0; i < 500; i += 10)
            Assert.Equal(Enumerable.Range(0, 10), train.Labels[i..(i + 10)].Order());
        Assert.NotEqual(train.Labels[..10], train.Labels[10..20]);
        Assert.Contains("drawn by the program", train.Provenance);
        Assert.Throws<UsageException>(() => SyntheticDigits.Make(new Generator(1), -1));
    }

    [Fact]
    public void EveryImageHasInkAndKeepsItInside()
    {
        var set = SyntheticDigits.Make(new Generator(4), 2000, 0).Train;
        double inside = 0, all = 0;
        for (int i = 0; i < set.Count; i++)
        {
            var image = set.Pixels.AsSpan(i * Size, Size);
            int ink = 0;
            for (int p = 0; p < Size; p++)
            {
                bool border = p % 28 is 0 or 27 || p / 28 is 0 or 27;
                if (image[p] > 96)
                    (ink, all, inside) = (ink + 1, all + 1, inside + (border ? 0 : 1));
            }
            Assert.InRange(ink, 12, 400);
        }
        Assert.True(inside / all > 0.98, $"{inside / all:p} of the ink is inside");
    }

    // Near enough to be learnt, far enough to need more than one template per class: nearest neighbour reads them, class means do not.
    [Fact]
    public void NeighboursShareAClassAndMeansDoNotSeparate()
    {
        var (train, test) = SyntheticDigits.Make(new Generator(5), 3000, 200);
        var means = new float[10][];
        for (int c = 0; c < 10; c++)
        {
            means[c] = new float[Size];
            for (int i = 0; i < train.Count; i++)
                if (train.Labels[i] == c)
                    for (int p = 0; p < Size; p++)
                        means[c][p] += train.Pixels[i * Size + p] / (train.Count / 10f);
        }
        int byNeighbour = 0, byMean = 0;
        for (int t = 0; t < test.Count; t++)
        {
            var image = test.Pixels.AsSpan(t * Size, Size);
            (long Distance, int Label) nearest = (long.MaxValue, 0);
            for (int i = 0; i < train.Count; i++)
            {
                long distance = 0;
                for (int p = 0; p < Size; p++)
                    distance += (image[p] - train.Pixels[i * Size + p]) * (image[p] - train.Pixels[i * Size + p]);
                if (distance < nearest.Distance)
                    nearest = (distance, train.Labels[i]);
            }
            (double Distance, int Label) mean = (double.PositiveInfinity, 0);
            for (int c = 0; c < 10; c++)
            {
                double distance = 0;
                for (int p = 0; p < Size; p++)
                    distance += (image[p] - means[c][p]) * (image[p] - means[c][p]);
                if (distance < mean.Distance)
                    mean = (distance, (byte)c);
            }
            byNeighbour += nearest.Label == test.Labels[t] ? 1 : 0;
            byMean += mean.Label == test.Labels[t] ? 1 : 0;
        }
        Assert.InRange(byNeighbour, 165, 200);
        Assert.InRange(byMean, 90, 170);
    }
}

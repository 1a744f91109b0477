using System.Numerics;
using Native.Methods;

namespace Native.Tests;

public sealed class ResampleTests
{
    private static ImageSet Noise(int count, int channels, int height, int width)
    {
        var rng = new Generator(7);
        var pixels = new byte[count * channels * height * width];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)rng.NextUInt32();
        return new ImageSet("noise", pixels, new int[count], count, channels, height, width, "made by the test");
    }

    [Fact]
    public void Enlarging_interpolates_between_pixel_centres()
    {
        var small = Noise(3, 2, 28, 20);
        var large = Resample.Bilinear(small, 32, 24);
        Assert.Equal((3, 2, 32, 24), (large.Count, large.Channels, large.Height, large.Width));
        for (int plane = 0; plane < 6; plane++)
            for (int y = 0; y < 32; y++)
                for (int x = 0; x < 24; x++)
                {
                    // The textbook form: clamp to the border, blend the four neighbours.
                    double sy = Math.Clamp((y + 0.5) * 28 / 32 - 0.5, 0, 27), sx = Math.Clamp((x + 0.5) * 20 / 24 - 0.5, 0, 19);
                    int y0 = (int)sy, x0 = (int)sx, y1 = Math.Min(y0 + 1, 27), x1 = Math.Min(x0 + 1, 19);
                    double at(int r, int c) => small.Pixels[plane * 560 + r * 20 + c];
                    double top = at(y0, x0) + (sx - x0) * (at(y0, x1) - at(y0, x0)), bottom = at(y1, x0) + (sx - x0) * (at(y1, x1) - at(y1, x0));
                    // Two passes round to bytes: at most one level apart.
                    Assert.InRange(large.Pixels[plane * 768 + y * 24 + x], top + (sy - y0) * (bottom - top) - 1.01, top + (sy - y0) * (bottom - top) + 1.01);
                }
    }

    /// <summary>torch.nn.functional.interpolate(x, (3, 3), mode="bilinear", antialias=True), PyTorch 1.13, of a 7 x 7 ramp of squares mod 251.</summary>
    [Fact]
    public void Shrinking_widens_the_filter_as_the_reference_does()
    {
        var ramp = new ImageSet("ramp", [.. Enumerable.Range(0, 49).Select(i => (byte)(i * i % 251))], new int[1], 1, 1, 7, 7, "made by the test");
        double[] reference = [63.046, 58.319, 97.929, 140.521, 94.135, 139.529, 97.704, 111.492, 110.556];
        var small = Resample.Bilinear(ramp, 3, 3).Pixels;
        for (int i = 0; i < 9; i++)
            Assert.InRange(small[i], reference[i] - 1.01, reference[i] + 1.01);
    }

    [Fact]
    public void Area_averaging_counts_fractions_of_pixels()
    {
        // Three into two: weights 1 and 1/2 of 3/2.
        var row = new ImageSet("row", [30, 60, 90], new int[1], 1, 1, 1, 3, "made by the test");
        Assert.Equal([40, 80], Resample.Area(row, 1, 2).Pixels);
        var flat = new ImageSet("flat", [.. Enumerable.Repeat((byte)200, 105 * 105)], new int[1], 1, 1, 105, 105, "made by the test");
        Assert.True(Resample.Area(flat, 28, 28).Pixels.All(p => p == 200));
        // The mean of an image is kept.
        var noise = Noise(1, 1, 105, 105);
        Assert.Equal(noise.Pixels.Average(p => p), Resample.Area(noise, 28, 28).Pixels.Average(p => p), 0.5);
        Assert.Equal([3, 7], Resample.Area(new ImageSet("b", [1, 3, 5, 7, 3, 5, 7, 9], new int[1], 1, 1, 2, 4, ""), 1, 2).Pixels);
        Assert.Contains("Use bilinear", Assert.Throws<UsageException>(() => Resample.Area(row, 2, 2)).Message);
        Assert.Contains("Give sides of 1 or more", Assert.Throws<UsageException>(() => Resample.Bilinear(row, 0, 2)).Message);
        Assert.Same(row, Resample.Bilinear(row, 1, 3));
    }

    [Fact]
    public void Right_angles_turn_counter_clockwise_and_lose_nothing()
    {
        var square = Noise(1, 1, 6, 6).Pixels;
        byte[] turned(double degrees)
        {
            var to = new byte[36];
            Rotation.Apply(square, Rotation.Map(6, 6, degrees), to);
            return to;
        }
        Assert.Equal(square, turned(0));
        Assert.Equal(square.Reverse(), turned(180));
        Assert.Equal(Enumerable.Range(0, 36).Select(i => square[i % 6 * 6 + 5 - i / 6]), turned(90));
        Assert.Equal(Enumerable.Range(0, 36).Select(i => square[(5 - i % 6) * 6 + i / 6]), turned(270));
    }

    [Theory]
    [InlineData(4.2)]
    [InlineData(37.5)]
    [InlineData(101)]
    [InlineData(176.9)]
    public void Any_angle_takes_the_nearest_pixel_and_zero_outside(double degrees)
    {
        var map = Rotation.Map(28, 28, degrees);
        int inside = 0;
        for (int i = 0; i < map.Length; i++)
        {
            // The place in the complex plane, imaginary part upwards: what lands here came from the place turned back.
            var place = new Complex(i % 28 + 0.5 - 14, 14 - (i / 28 + 0.5)) * Complex.FromPolarCoordinates(1, -degrees * Math.PI / 180);
            double column = place.Real + 14, row = 14 - place.Imaginary;
            if (Math.Abs(column - Math.Round(column)) < 1e-9 || Math.Abs(row - Math.Round(row)) < 1e-9)
                continue;
            bool there = column is > 0 and < 28 && row is > 0 and < 28;
            Assert.Equal(there ? (int)row * 28 + (int)column : -1, map[i]);
            inside += there ? 1 : 0;
        }
        Assert.InRange(inside, 600, 783);
        var rgb = Noise(1, 3, 28, 28);
        var turned = new byte[3 * 784];
        Rotation.Apply(rgb.Pixels, map, turned);
        Assert.Equal(map.Select(m => m < 0 ? (byte)0 : rgb.Pixels[2 * 784 + m]), turned[1568..]);
    }

    [Fact]
    public void Pixel_scales_are_inverses_of_each_other_and_hit_their_ends()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        foreach (var scale in new[] { PixelScale.Unit, PixelScale.Symmetric })
        {
            var values = scale.Values(all);
            Assert.Equal((scale.Low, scale.High), ((double)values[0], (double)values[255]));
            Assert.Equal(all, scale.Bytes(values));
        }
        Assert.Equal(2 * (100 / 255f - 0.5f), PixelScale.Symmetric.Values([100])[0]);
        Assert.Equal([0, 255, 0], PixelScale.Unit.Bytes([-3, 3, float.NaN]));
        Assert.Same(PixelScale.Symmetric, PixelScale.Parse("symmetric"));
        Assert.Contains("Did you mean 'unit'?", Assert.Throws<UsageException>(() => PixelScale.Parse("unti")).Message);
    }
}

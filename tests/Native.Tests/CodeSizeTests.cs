using Native.Methods;

namespace Native.Tests;

/// <summary>The storage arithmetic of Scalable Recollections, against the numbers it prints.</summary>
[Trait("Category", "Cpu")]
public sealed class CodeSizeTests
{
    private const long Mnist = 28 * 28 * 8, Cifar = 3 * 32 * 32 * 8;

    [Theory]
    [InlineData(104, 4, 208)]
    [InlineData(139, 8, 417)]
    [InlineData(620, 3, 1240)]
    [InlineData(48, 10, 192)]
    [InlineData(4, 37, 24)]
    [InlineData(168, 2, 168)]
    public void An_item_takes_the_variables_times_the_bits_of_a_category(int c, int l, int bits) => Assert.Equal(bits, new CodeSize(c, l).Bits);

    // Compression of table 5, which is of an image by its item.
    [Theory]
    [InlineData(6, 20, 209.067)]
    [InlineData(24, 3, 130.667)]
    [InlineData(12, 37, 87.111)]
    [InlineData(209, 8, 10.003)]
    [InlineData(50, 18, 25.088)]
    [InlineData(68, 5, 30.745)]
    public void Table_5s_compressions_follow(int c, int l, double compression) => Assert.Equal(compression, (double)Mnist / new CodeSize(c, l).Bits, 3);

    [Theory]
    [InlineData(76, 2, 3)]
    [InlineData(26, 4, 1)]
    public void The_parameters_are_those_of_the_network(int c, int l, int channels)
    {
        var size = new CodeSize(c, l);
        using var net = new DiscreteAutoEncoder(size, channels, channels == 1 ? 28 : 32, new Generator(1));
        Assert.Equal(net.ParameterCount, size.Parameters(channels));
    }

    [Fact]
    public void In_200_images_of_CIFAR_fit_1392_items_beside_their_auto_encoder()
    {
        var size = new CodeSize(76, 2);
        Assert.Equal(150_293, size.Parameters(3));
        Assert.Equal(1392, size.ItemsInTotal(200 * Cifar, 3));
        Assert.Equal(4_915_168, size.TotalBits(1392, 3));
        Assert.Equal(size, CodeSize.LargestInTotal(200 * Cifar, 1392, 3, maxCategories: 2));
    }

    [Theory]
    [InlineData(168, 10.07)]
    [InlineData(62, 50.3)]
    [InlineData(38, 101.5)]
    public void Distillation_compresses_50000_images_as_printed(int c, double times) =>
        Assert.Equal(times, 50_000.0 * Mnist / new CodeSize(c, 2).TotalBits(50_000, 1), times < 20 ? 2 : 1);

    [Fact]
    public void The_small_code_with_its_buffer_takes_7_times_fewer_bits_than_the_large_one_without() =>
        Assert.Equal(7.36, (double)new CodeSize(168, 2).TotalBits(0, 1) / new CodeSize(38, 2).TotalBits(50_000, 1), 2);

    // Sizes of table 2. The largest is the best by the count in logarithms only, and not by that in whole bits.
    [Theory]
    [InlineData(10, 2, false, 48, 2)]
    [InlineData(20, 2, false, 98, 2)]
    [InlineData(50, 2, false, 244, 2)]
    [InlineData(60, 2, false, 294, 2)]
    [InlineData(200, 8, true, 620, 3)]
    public void The_optimiser_finds_the_sizes_for_CIFAR(int images, int maxCategories, bool information, int c, int l) =>
        Assert.Equal(new CodeSize(c, l), CodeSize.Largest(images * Cifar, 5000, maxCategories, information));

    // Sizes of table 1: the first is as good as the best, the second a bit short of 418 variables of 2 categories.
    [Theory]
    [InlineData(100, 104, 4, 0)]
    [InlineData(200, 139, 8, 1)]
    public void The_sizes_for_MNIST_Rotations_are_all_but_the_best(int images, int c, int l, double below)
    {
        var size = new CodeSize(c, l);
        Assert.True(size.IncrementalBits(3000) <= images * Mnist);
        Assert.Equal(below, CodeSize.Largest(images * Mnist, 3000).InformationBits - size.InformationBits, 9);
    }

    // Against every size there is, one by one.
    [Theory]
    [InlineData(5_000, 10, 2)]
    [InlineData(200_000, 400, 8)]
    [InlineData(60_000, 131, 5)]
    public void The_optimiser_misses_nothing(long budget, int items, int categories)
    {
        var all = (from l in Enumerable.Range(2, categories - 1) from c in Enumerable.Range(1, 600) where c * l % 4 == 0 select new CodeSize(c, l)).ToArray();
        double most(Func<CodeSize, bool> fits) => all.Where(fits).Max(s => s.InformationBits);
        Assert.Equal(most(s => s.IncrementalBits(items) <= budget), CodeSize.Largest(budget, items, categories).InformationBits, 9);
        Assert.Equal(most(s => s.TotalBits(items, 1) <= 4 * budget), CodeSize.LargestInTotal(4 * budget, items, 1, categories).InformationBits, 9);
    }

    [Fact]
    public void What_is_no_size_is_refused()
    {
        Assert.Contains("245 x 2 / 4 = 122.5 filters", Assert.Throws<UsageException>(() => new CodeSize(245, 2)).Message, StringComparison.Ordinal);
        Assert.Throws<UsageException>(() => new CodeSize(0, 4));
        Assert.Throws<UsageException>(() => new CodeSize(4, 1));
        Assert.Contains("too small for one item of 208 bits", Assert.Throws<UsageException>(() => new CodeSize(104, 4).ItemsIn(207)).Message, StringComparison.Ordinal);
        Assert.Contains("too small for one item", Assert.Throws<UsageException>(() => new CodeSize(104, 4).ItemsInTotal(1_000_000, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<UsageException>(() => CodeSize.Largest(3, 2));
        Assert.Throws<UsageException>(() => CodeSize.LargestInTotal(1000, 1, 1));
    }
}

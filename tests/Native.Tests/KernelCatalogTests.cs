namespace Native.Tests;

/// <summary>The catalog of CUDA kernels is whole: no text without a launch, no launch without text.</summary>
[Trait("Category", "Cpu")]
public sealed class KernelCatalogTests
{
    private static IReadOnlyList<KernelFamily> Families()
    {
        Assert.NotEmpty(OpTable.All);
        return KernelCatalog.Families();
    }

    [Fact]
    public void Every_kernel_of_the_text_is_launched_by_somebody_and_the_other_way_round()
    {
        foreach (var family in Families())
        {
            var written = family.DTypes.SelectMany(family.Entries).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
            Assert.Equal(written, family.Launched.Select(k => k.Name).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
            foreach (string entry in written)
                Assert.StartsWith($"{family.Name}_", entry, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_file_of_kernel_text_belongs_to_a_family()
    {
        var files = typeof(KernelFamily).Assembly.GetManifestResourceNames().Where(n => n.EndsWith(".cu", StringComparison.Ordinal));
        Assert.Equal(Families().Select(f => $"{f.Name}.cu").Order(StringComparer.Ordinal), files.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_pointwise_row_has_its_two_kernels()
    {
        var pointwise = KernelCatalog.Find("pointwise");
        Assert.Contains("pointwise_tanh_dense", pointwise.Entries(DType.F32));
        Assert.Contains("pointwise_tanh_strided", pointwise.Entries(DType.F64));
        Assert.DoesNotContain("pointwise_tanh_dense", pointwise.Entries(DType.I32));
        Assert.Contains("pointwise_add_dense", pointwise.Entries(DType.U8));
    }
}

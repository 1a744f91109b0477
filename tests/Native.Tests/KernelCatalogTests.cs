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
                Assert.Matches("^[a-z0-9]+_[a-z0-9_]+$", entry);
        }
    }

    [Fact]
    public void Every_file_of_kernel_text_belongs_to_a_family()
    {
        string[] programs = [.. Families().Select(f => f.Source(f.DTypes[0]).ReplaceLineEndings("\n"))];
        foreach (string file in typeof(KernelFamily).Assembly.GetManifestResourceNames().Where(n => n.EndsWith(".cu", StringComparison.Ordinal) || n.EndsWith(".cuh", StringComparison.Ordinal)))
        {
            string text = KernelFamily.Resource(file).ReplaceLineEndings("\n").Trim();
            Assert.True(programs.Any(p => p.Contains(text, StringComparison.Ordinal)), $"{file} is in no family's program");
        }
    }

    [Fact]
    public void Every_pointwise_row_has_its_two_kernels()
    {
        var pointwise = Families().Single(f => f.Name == "pointwise");
        Assert.Contains("pointwise_tanh_dense", pointwise.Entries(DType.F32));
        Assert.Contains("pointwise_tanh_strided", pointwise.Entries(DType.F64));
        Assert.DoesNotContain("pointwise_tanh_dense", pointwise.Entries(DType.I32));
        Assert.Contains("pointwise_add_dense", pointwise.Entries(DType.U8));
    }
}

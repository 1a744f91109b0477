namespace Native.Tests;

/// <summary>The tests as a program: its filter, and what it says of tests that pass, fail and are skipped.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class RunnerTests
{
    private static readonly Dictionary<string, List<string>> Traits = new(StringComparer.Ordinal) { ["Category"] = ["Gpu", "Slow"] };

    [Theory]
    [InlineData("Category=Gpu", true)]
    [InlineData("Category=gpu", true)]
    [InlineData("Category=Cpu", false)]
    [InlineData("Category!=Gpu", false)]
    [InlineData("Category!=Cpu", true)]
    [InlineData("Category~lo", true)]
    [InlineData("Category!~lo", false)]
    [InlineData("Other=Gpu", false)]
    [InlineData("Other!=Gpu", true)]
    [InlineData("SpaceTests", true)]
    [InlineData("fullyqualifiedname", false)]
    [InlineData("FullyQualifiedName=A.SpaceTests.Works", true)]
    [InlineData("FullyQualifiedName=SpaceTests", false)]
    [InlineData("DisplayName~n: 3", true)]
    [InlineData("Category=Gpu&DisplayName~n: 4", false)]
    [InlineData("Category=Cpu|SpaceTests", true)]
    [InlineData("Nothing|Category=Gpu & Works", true)]
    [InlineData("Category=Gpu & Nothing|Nobody", false)]
    public void A_filter_reads_as_that_of_dotnet_test(string expression, bool takes) =>
        Assert.Equal(takes, TestFilter.Parse(expression).Takes("A.SpaceTests.Works", "A.SpaceTests.Works(n: 3)", Traits));

    [Theory]
    [InlineData("", "tests: '' is no condition. Write PROPERTY=VALUE, with =, !=, ~ or !~, or a part of a name.")]
    [InlineData("Category=", "tests: 'Category=' is no condition. Write PROPERTY=VALUE, with =, !=, ~ or !~, or a part of a name.")]
    [InlineData("a&", "tests: '' is no condition. Write PROPERTY=VALUE, with =, !=, ~ or !~, or a part of a name.")]
    [InlineData("(a)", "tests: '(a)': this filter has no parentheses. Write a|b&c, which means a or (b and c).")]
    public void What_is_no_filter_is_refused(string expression, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<UsageException>(() => TestFilter.Parse(expression)).Message);

    [Fact]
    public void Counts_and_exit_codes_are_those_of_what_ran()
    {
        var (code, output) = Run("--filter", "FullyQualifiedName~RunnerTests.A_filter");
        Assert.Equal(0, code);
        Assert.EndsWith("18 passed, 0 failed, 0 skipped", output.TrimEnd(), StringComparison.Ordinal);

        Tried.Fails = true;
        try
        {
            (code, output) = Run("--filter", "FullyQualifiedName~Tests.Tried.");
        }
        finally
        {
            Tried.Fails = false;
        }
        Assert.Equal(1, code);
        Assert.Contains("FAILED Native.Tests.Tried.Passes_unless_it_is_told_to_fail: Native.UsageException : on purpose", output, StringComparison.Ordinal);
        Assert.EndsWith("0 passed, 1 failed, 0 skipped", output.TrimEnd(), StringComparison.Ordinal);

        // Nothing selected is a mistake, not a success; so is a word that nobody knows.
        (code, output) = Run("--filter", "Category=NoSuchCategory");
        Assert.Equal(2, code);
        Assert.StartsWith("tests: none of ", output, StringComparison.Ordinal);
        Assert.Equal((2, "tests: '--fliter' is not understood. There are --filter EXPRESSION and --list."), Run("--fliter", "x"));
        Assert.Equal((0, "Native.Tests.Tried.Passes_unless_it_is_told_to_fail"), Run("--list", "--filter", "Tests.Tried."));
    }

    private static (int Code, string Output) Run(params string[] args)
    {
        using var output = new StringWriter();
        int code = Runner.Run(args, output, output, typeof(Runner).Assembly.Location);
        return (code, output.ToString().TrimEnd());
    }
}

/// <summary>A test for <see cref="RunnerTests"/> to run.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class Tried
{
    internal static bool Fails { get; set; }

    [Fact]
    public void Passes_unless_it_is_told_to_fail()
    {
        // In the collection of RunnerTests, so that nobody else runs it meanwhile.
        if (Fails)
            throw new UsageException("on purpose");
    }
}

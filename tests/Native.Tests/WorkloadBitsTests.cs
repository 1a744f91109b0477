using Native.Benchmarks;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>
/// A step of every reference workload, at its paper's shapes, gives the same bits whatever computes it. What is compared is every operation's result on
/// the way, so that a failure names the first one that differs.
/// </summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class WorkloadBitsTests(ITestOutputHelper output) : IDisposable
{
    private static readonly Lazy<List<string>> Expected = new(() => Lines(2));
    private readonly int _before = Workers.Count;

    public void Dispose() => Workers.SetCount(_before);

    private static List<string> Lines(int threads)
    {
        Workers.SetCount(threads);
        return [.. WorkloadTable.All.SelectMany(WorkloadFingerprint.Lines)];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void Threads_change_no_bit(int threads) => Same(Expected.Value, Lines(threads), $"{threads} threads");

    [Fact]
    public void Avx512_changes_no_bit()
    {
        string[] lines = MathFnBitsTests.Native("DOTNET_EnableAVX512", "fingerprint", "--workloads", "--threads", "2").Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("# v512 False", lines[0]);
        Same(Expected.Value, [.. lines[1..]], "AVX-512 switched off");
    }

    private void Same(List<string> expected, List<string> actual, string with)
    {
        output.WriteLine($"{expected.Count} results");
        Assert.All(WorkloadTable.All, w => Assert.Contains(expected, l => l.StartsWith(w.Name + " losses ", StringComparison.Ordinal)));
        for (int i = 0; i < Math.Min(expected.Count, actual.Count); i++)
            Assert.True(expected[i] == actual[i], $"with {with}, the first result with other bits is {i}: {expected[i]} became {actual[i]}");
        Assert.Equal(expected.Count, actual.Count);
    }
}

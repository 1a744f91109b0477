namespace Native.Tests;

/// <summary>Runs of the emulator in both orders of its threads and blocks, which may not matter.</summary>
internal static class BothOrders
{
    /// <summary>Runs a computation with the emulator's threads and blocks in ascending and in descending order, and demands the same bits.</summary>
    public static double[] Of(Func<double[]> compute, string what)
    {
        double[] forwards = compute(), backwards;
        EmulatedDriver.Shared.Reversed = true;
        try
        {
            backwards = compute();
        }
        finally
        {
            EmulatedDriver.Shared.Reversed = false;
        }
        if (OpKit.BitDifference([forwards], [backwards]) is { } difference)
            Assert.Fail($"{what}: in reverse order, {difference}");
        return forwards;
    }
}

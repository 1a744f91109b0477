namespace Native.Benchmarks;

/// <summary>Hidden verb: prints the hashes of the elementary functions, for the test that compares instruction sets.</summary>
internal static class FingerprintCommand
{
    public static int Run()
    {
        Console.Write(MathFnFingerprint.Compute());
        return 0;
    }
}

#pragma warning disable MA0047 // The runtime looks for this name outside any namespace.
// The runtime runs this before the program when DOTNET_STARTUP_HOOKS names this assembly: the way to run code of a test in a process of its own,
// and to have something to kill.
internal static class StartupHook
{
    /// <summary>Set to the folder of a cache: the process fills it until it is killed.</summary>
    public const string Variable = "NATIVE_TEST_CACHE";

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { } folder)
            Native.Tests.KernelCacheTests.FillUntilKilled(folder);
    }
}

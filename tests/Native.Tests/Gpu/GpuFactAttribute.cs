namespace Native.Tests;

/// <summary>
/// A test on a GPU: skipped with the reason where there is none, run (to fail) all the same with NATIVE_REQUIRE_GPU=1. NATIVE_TEST_GPU names the device,
/// cuda:0 by default; emu:0 tries the tests themselves, and does not count as a GPU.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GpuFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> Missing = new(() =>
    {
        try
        {
            _ = Native.Device.Parse(Name);
            return null;
        }
        catch (DeviceException e)
        {
            return e.Message.Split('\n')[0];
        }
    });

    public GpuFactAttribute() => Skip = Skips(Required, Missing.Value);

    /// <summary>The device under test.</summary>
    /// <exception cref="DeviceException">It cannot be used, or is no GPU where one is required.</exception>
    public static Device Device => Checked(Native.Device.Parse(Name), Required);

    private static string Name => Environment.GetEnvironmentVariable("NATIVE_TEST_GPU") is { Length: > 0 } name ? name : "cuda:0";

    private static bool Required => Environment.GetEnvironmentVariable("NATIVE_REQUIRE_GPU") == "1";

    /// <summary>The reason to skip, if the test is to be skipped.</summary>
    internal static string? Skips(bool required, string? missing) => required ? null : missing;

    /// <summary>The device, unless a GPU is required and it is none.</summary>
    internal static Device Checked(Device device, bool required) => !required || device.Kind == DeviceKind.Cuda ? device
        : throw new DeviceException($"test: NATIVE_REQUIRE_GPU=1 asks for a GPU, and NATIVE_TEST_GPU names {device}. Unset one of them.");
}

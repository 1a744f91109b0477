namespace Native;

/// <summary>
/// Mistakes that only the data show, such as a target that is no class. On the cpu they are errors at once. A GPU would have to be waited for, so there
/// kernels never read or write where such a value points, and the results that depend on it are NaN; the error itself is raised where reading is free.
/// </summary>
internal static class DataChecks
{
    [ThreadStatic]
    private static bool? _override;

    /// <summary>Whether entries read such data back from a device (not the cpu) and check them before their kernels run: never inside a graph's body.</summary>
    public static bool Wanted(Device device) =>
        (_override ?? (device.Kind == DeviceKind.Emu || Env.Sync.Value)) && !Ambient.Current.Cuda(device).IsCapturing;

    /// <summary>Another answer for this thread until the result is disposed.</summary>
    public static IDisposable Override(bool wanted)
    {
        var undo = new Undo(_override);
        _override = wanted;
        return undo;
    }

    private sealed class Undo(bool? value) : IDisposable
    {
        public void Dispose() => _override = value;
    }
}

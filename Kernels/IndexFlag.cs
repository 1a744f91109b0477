namespace Native;

/// <summary>
/// Where a kernel of a GPU reports an index that is out of range. The host does not wait for it, since every use of an index would then stop the stream:
/// the kernel stops itself and the device reports an error at a later call, as a failed assertion does. On the emulator and with NATIVE_SYNC=1, outside of a
/// graph, the host waits and gets the position, so that the error is the CPU's.
/// </summary>
internal readonly ref struct IndexFlag
{
    private readonly Tensor? _first;

    private IndexFlag(Tensor? first) => _first = first;

    /// <summary>Address of an int that the kernel lowers to the first bad position; 0 when the kernel is to stop itself.</summary>
    public nint Pointer => _first is null ? 0 : Launch.At(_first);

    public static IndexFlag On(Device device)
    {
        if (!DataChecks.Wanted(device))
            return default;
        var first = Tensor.Allocate(Layout.Scalar, DType.I32, device);
        CopyKernels.Fill(first, int.MaxValue);
        return new IndexFlag(first);
    }

    /// <summary>The position that was reported, or -1.</summary>
    public long First() => _first?.Item<int>() is { } at and < int.MaxValue ? at : -1;

    public void Dispose()
    {
        if (_first is not null)
            Ambient.Current.Release(_first.Storage);
    }
}

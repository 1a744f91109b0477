namespace Native;

/// <summary>
/// Carries the values of a step to the device before its graph is launched. They wait in pinned memory, in a ring, so that the host may run a few
/// steps ahead of the device without overwriting what has not been copied yet.
/// </summary>
internal sealed unsafe class StepUpload : IDisposable
{
    private const int Slots = 8;

    private readonly CudaState _state;
    private readonly nint _to;
    private readonly int _stride;
    private readonly nint[] _copied = new nint[Slots];
    private nint _ring;
    private int _next;
    private bool _round;

    public StepUpload(CudaState state, nint to, int bytes)
    {
        (_state, _to, _stride) = (state, to, bytes);
        var cuda = state.Cuda;
        cuda.MakeCurrent();
        cuda.Check(cuda.Driver.MemHostAlloc(out _ring, (long)Slots * bytes), "allocating pinned memory");
        for (int i = 0; i < Slots; i++)
            cuda.Check(cuda.Driver.EventCreate(out _copied[i]), "creating an event");
    }

    /// <summary>Queues the copy; the bytes may change when the call returns.</summary>
    public void Send(ReadOnlySpan<byte> values)
    {
        if (values.IsEmpty)
            return;
        var (cuda, stream) = (_state.Cuda, _state.Stream);
        if (_round)
            cuda.Check(cuda.Driver.EventSynchronize(_copied[_next]), "waiting for a step's values");
        byte* slot = (byte*)_ring + (long)_next * _stride;
        values.CopyTo(new Span<byte>(slot, _stride));
        cuda.Check(cuda.Driver.MemcpyHtoDAsync(_to, slot, values.Length, stream), "copying a step's values");
        cuda.Check(cuda.Driver.EventRecord(_copied[_next], stream), "recording an event");
        _next = (_next + 1) % Slots;
        _round |= _next == 0;
    }

    public void Dispose()
    {
        if (_ring == 0)
            return;
        nint ring = _ring;
        _ring = 0;
        if (!_state.Cuda.TryMakeCurrent())
            return;
        var driver = _state.Cuda.Driver;
        // A copy may still be under way. After an error of the device nothing is, and these calls only repeat it.
        driver.StreamSynchronize(_state.Stream);
        foreach (nint e in _copied)
            driver.EventDestroy(e);
        driver.MemFreeHost(ring);
    }
}

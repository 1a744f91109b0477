using System.Diagnostics;

namespace Native.Benchmarks;

/// <summary>
/// Times of work queued on a device: its own, between two events of the stream, and the host's, until the last call returned. An emulated device has no
/// clock of its own; its events take the host's. For one thread.
/// </summary>
internal sealed class DeviceClock : IDisposable
{
    private readonly CudaState _state;
    private readonly nint _begin, _end;
    private long _start;

    public DeviceClock(Device device)
    {
        _state = Ambient.Current.Cuda(device);
        Check(Driver.EventCreate(out _begin), "creating an event");
        Check(Driver.EventCreate(out _end), "creating an event");
    }

    private ICudaDriver Driver => _state.Cuda.Driver;

    /// <summary>Seconds of the host between the two calls.</summary>
    public double Host { get; private set; }

    /// <summary>Seconds of the device between the two calls; includes what it waited for the host.</summary>
    public double Gpu { get; private set; }

    /// <summary>Seconds from the first call until everything was done: what somebody who waits for a step sees.</summary>
    public double Wall { get; private set; }

    /// <summary>Waits for what is under way, and begins.</summary>
    public void Start()
    {
        _state.Synchronize();
        Check(Driver.EventRecord(_begin, _state.Stream), "recording an event");
        _start = Stopwatch.GetTimestamp();
    }

    /// <summary>Ends what is timed, and waits for it.</summary>
    public void Stop()
    {
        Host = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        Check(Driver.EventRecord(_end, _state.Stream), "recording an event");
        Check(Driver.EventSynchronize(_end), "waiting for an event");
        Wall = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        Check(Driver.EventElapsedTime(out float milliseconds, _begin, _end), "reading an event");
        Gpu = milliseconds / 1e3;
    }

    /// <summary>Gives the events back.</summary>
    public void Dispose()
    {
        Driver.EventDestroy(_begin);
        Driver.EventDestroy(_end);
    }

    private void Check(CudaResult result, string what) => _state.Cuda.Check(result, what);
}

namespace Native;

/// <summary>This thread's handle of a device's matrix products, bound to its stream. The workspace is ours, so that a capture finds it there.</summary>
internal sealed class BlasHandle
{
    // What NVIDIA recommends for Hopper; elsewhere 4 MiB would do.
    private const long WorkspaceBytes = 32L << 20;

    private readonly CudaState _state;
    private readonly Storage _workspace;

    private BlasHandle(CudaState state)
    {
        _state = state;
        state.Cuda.MakeCurrent();
        Blas = CudaBackend.Of(state.Cuda).Blas;
        Blas.Check(Blas.Create(out nint handle), "cublasCreate");
        Handle = handle;
        // In this order: setting the stream resets the workspace.
        Blas.Check(Blas.SetStream(handle, state.Stream), "cublasSetStream");
        _workspace = state.Lasting.Rent(WorkspaceBytes, scoped: false);
        Blas.Check(Blas.SetWorkspace(handle, _workspace.Pointer, WorkspaceBytes), "cublasSetWorkspace");
    }

    public ICudaBlas Blas { get; }

    public nint Handle { get; }

    /// <summary>The handle of a thread's stream; made at the first call.</summary>
    public static BlasHandle Of(CudaState state) => (BlasHandle)(state.Attached ??= new BlasHandle(state));

    /// <summary>Before a product: notes it among the launches. <see cref="DeviceException"/> when the device is lost.</summary>
    public void Announce(Tensor y, Tensor a, Tensor b)
    {
        _state.Cuda.MakeCurrent();
        foreach (var t in (ReadOnlySpan<Tensor>)[y, a, b])
            _state.Launches.Operand(t.Layout, t.DType);
        _state.Note("cublas_gemm", y.DType, default);
    }

    /// <summary>After a product: waits for it where every launch is waited for.</summary>
    public void Finish()
    {
        if (Env.Sync.Value)
            Launch.Finish(_state, CudaResult.Success);
    }

    /// <summary>After cuBLAS has failed: often it only passes on what an earlier launch did, which the driver knows better and which is thrown then.</summary>
    public void Explain()
    {
        if (!_state.IsRecording)
            _state.Cuda.Check(_state.Cuda.Driver.StreamSynchronize(_state.Stream), "waiting for the device");
    }
}

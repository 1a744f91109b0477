namespace Native;

/// <summary>This thread's handle of a device's matrix products, bound to its stream. The workspace is ours, so that a capture finds it there.</summary>
internal sealed class BlasHandle
{
    // What NVIDIA recommends for Hopper; elsewhere 4 MiB would do.
    private const long WorkspaceBytes = 32L << 20;

    private readonly Storage _workspace;

    private BlasHandle(CudaState state)
    {
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
}

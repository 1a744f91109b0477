using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>A layout as kernels take it: 32-bit, neighbouring dims merged where they can be walked as one. Twin of <c>Strided</c> in device.cuh.</summary>
internal unsafe struct Strided
{
    public int Rank;
    public fixed int Dims[8];
    public fixed int Strides[8];

    /// <summary>The layout of a tensor whose elements are addressed from its first.</summary>
    public Strided(Layout layout) : this(layout, 0)
    {
    }

    /// <summary>Dims and strides, for NATIVE_DEBUG.</summary>
    public override readonly string ToString()
    {
        var dims = new List<string>();
        for (int d = 0; d < Rank; d++)
            dims.Add($"{Dims[d]}:{Strides[d]}");
        return $"[{string.Join(',', dims)}]";
    }

    /// <summary>The same without some dims: those whose bit is set in a mask.</summary>
    public Strided(Layout layout, uint without)
    {
        int rank = 0;
        ReadOnlySpan<long> dims = layout.Dims, strides = layout.Strides;
        for (int d = 0; d < dims.Length; d++)
        {
            int size = (int)dims[d], stride = (int)strides[d];
            if (size == 1 || (without >> d & 1) != 0)
                continue;
            if (rank > 0 && Strides[rank - 1] == stride * size)
            {
                (Dims[rank - 1], Strides[rank - 1]) = (Dims[rank - 1] * size, stride);
                continue;
            }
            (Dims[rank], Strides[rank]) = (size, stride);
            rank++;
        }
        if (rank == 0)
            (Dims[0], Strides[0], rank) = (1, 0, 1);
        Rank = rank;
    }
}

/// <summary>Queues kernels on this thread's stream of a device.</summary>
internal static unsafe class Launch
{
    /// <summary>Threads of a block: <c>NAT_THREADS</c>.</summary>
    public const int Threads = 256;

    // Blocks per multiprocessor of a grid-stride loop: enough to hide memory's latency, few enough to start quickly.
    private const int BlocksPerMultiprocessor = 16;

    /// <summary>Queues a kernel with its one struct of arguments.</summary>
    /// <param name="device">Where.</param>
    /// <param name="kernel">Which.</param>
    /// <param name="dtype">The element type it was compiled for.</param>
    /// <param name="grid">Blocks and threads; no block, no launch.</param>
    /// <param name="arguments">Twin of the kernel's struct: same fields, same order.</param>
    public static void Run<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] TArgs>(Device device, CudaKernel kernel, DType dtype, CudaGrid grid, in TArgs arguments) where TArgs : unmanaged
    {
        if (grid.BlocksX <= 0)
            return;
        var state = Ambient.Current.Cuda(device);
        var cuda = state.Cuda;
        nint function = kernel.Function(CudaBackend.Of(cuda), cuda, dtype);
        cuda.MakeCurrent();
        if (state.Note(kernel.Name, dtype, grid))
            DebugLines.Print(4, LaunchArguments.Text(arguments));
        CudaResult result;
        fixed (TArgs* pointer = &arguments)
            result = cuda.Driver.LaunchKernel(function, grid, state.Stream, pointer, sizeof(TArgs));
        if (result != CudaResult.Success || Env.Sync.Value)
            Finish(state, result);
    }

    /// <summary>After a launch that failed, or that is waited for (NATIVE_SYNC), unless it is being recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Finish(CudaState state, CudaResult result)
    {
        if (result != CudaResult.Success)
            state.Cuda.Check(result, $"launching {state.Launches.Texts[0]}");
        if (Env.Sync.Value && !state.IsRecording)
            state.Cuda.Check(state.Cuda.Driver.StreamSynchronize(state.Stream), "waiting for a launch");
    }

    /// <summary>The grid of a grid-stride loop over <paramref name="items"/>.</summary>
    public static CudaGrid Over(Device device, long items)
    {
        int most = Ambient.Current.Cuda(device).Cuda.Facts.Multiprocessors * BlocksPerMultiprocessor;
        return CudaGrid.Of((int)Math.Min((items + Threads - 1) / Threads, most), Threads);
    }

    /// <summary>A count as kernels take it; <see cref="KernelException"/> when it does not fit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Int(long count, string kernel) => count <= int.MaxValue
        ? (int)count
        : throw new KernelException($"{kernel}: kernels of a GPU count in 32 bits; {count} elements do not fit. Split the tensor.");

    /// <summary>Address of a tensor's first element in a GPU's memory; an emulated GPU would read the host's without complaint, a real one not.</summary>
    public static nint At(Tensor t)
    {
        t.CheckAlive("read");
        if (t.Device.IsCpu)
            throw new KernelException($"{t.Describe()} was handed to a kernel of a GPU. Move it with .To(device).");
        GraphCapture.Touch(t);
        Ambient.Current.Cuda(t.Device).Launches.Operand(t.Layout, t.DType);
        return t.Storage.Pointer + (nint)(t.Layout.Offset * t.DType.Size());
    }
}

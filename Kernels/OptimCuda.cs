using System.Runtime.CompilerServices;

namespace Native;

/// <summary><see cref="OptimKernels"/> on a GPU, with the CPU's bits: a launch for every <see cref="Slots"/> tensors of one dtype and device.</summary>
internal static class OptimCuda
{
    // OPTIM_SLOTS and OPTIM_CHUNK of optim.cu.
    private const int Slots = 48, Chunk = 4 * Launch.Threads;

    private static readonly KernelFamily Family = new("optim", DType.F32, DType.F64);
    private static readonly CudaKernel Plain = new(Family, "optim_sgd"), Momentum = new(Family, "optim_momentum");
    private static readonly CudaKernel Nesterov = new(Family, "optim_nesterov"), Moments = new(Family, "optim_adam");

    public static void Sgd(ReadOnlySpan<OptimSlot> slots, double momentum, bool nesterov) =>
        Run(momentum == 0 ? Plain : nesterov ? Nesterov : Momentum, slots, new OptimArgs { A = momentum }, momentum == 0 ? 0 : 1);

    public static void Adam(ReadOnlySpan<OptimSlot> slots, double beta1, double beta2, double eps) =>
        Run(Moments, slots, new OptimArgs { A = beta1, B = 1 - beta1, C = beta2, D = 1 - beta2, Eps = eps }, 2);

    private static void Run(CudaKernel kernel, ReadOnlySpan<OptimSlot> slots, OptimArgs args, int moments)
    {
        var device = slots[0].Value.Device;
        foreach (var dtype in (ReadOnlySpan<DType>)[DType.F32, DType.F64])
        {
            args.Tensors = args.Chunks = 0;
            foreach (var s in slots)
            {
                if (s.Value.DType != dtype || s.Value.Count == 0)
                    continue;
                int count = Launch.Int(s.Value.Count, kernel.Name);
                args.Table[args.Tensors++] = new OptimTensor
                {
                    W = Launch.At(s.Value),
                    G = Launch.At(s.Gradient),
                    M = moments > 0 ? Launch.At(s.First!) : 0,
                    V = moments > 1 ? Launch.At(s.Second!) : 0,
                    Mask = s.Mask is null ? 0 : Launch.At(s.Mask),
                    Rate = s.Rate,
                    Decay = s.Decay,
                    Shrink = s.Shrink,
                    RootCorrection = s.RootCorrection,
                    Count = count,
                    FirstChunk = args.Chunks,
                };
                args.Chunks += (int)Chunks.CeilDiv(count, Chunk);
                if (args.Tensors == Slots)
                    Flush(kernel, device, dtype, ref args);
            }
            Flush(kernel, device, dtype, ref args);
        }
    }

    private static void Flush(CudaKernel kernel, Device device, DType dtype, ref OptimArgs args)
    {
        Launch.Run(device, kernel, dtype, Launch.Over(device, (long)args.Chunks * Launch.Threads), args);
        args.Tensors = args.Chunks = 0;
    }

    private struct OptimTensor
    {
        public nint W, G, M, V, Mask;
        public double Rate, Decay, Shrink, RootCorrection;
        public int Count, FirstChunk;
    }

    [InlineArray(Slots)]
    private struct Table
    {
        private OptimTensor _first;
    }

    private struct OptimArgs
    {
        public double A, B, C, D, Eps;
        public int Tensors, Chunks;
        public Table Table;
    }
}

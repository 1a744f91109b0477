using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Native;

/// <summary><see cref="OptimKernels"/> on a GPU, with the CPU's bits: a launch for every <see cref="Slots"/> tensors of one dtype and device.</summary>
internal static class OptimCuda
{
    // OPTIM_SLOTS and OPTIM_CHUNK of optim.cu.
    private const int Scalars = 4, Slots = 48, Chunk = 4 * Launch.Threads;

    private static readonly KernelFamily Family = new("optim", DType.F32, DType.F64);
    private static readonly CudaKernel Plain = new(Family, "optim_sgd"), Momentum = new(Family, "optim_momentum");
    private static readonly CudaKernel Nesterov = new(Family, "optim_nesterov"), Moments = new(Family, "optim_adam");

    public static void Sgd(ReadOnlyMemory<OptimSlot> slots, double momentum, bool nesterov) =>
        Run(momentum == 0 ? Plain : nesterov ? Nesterov : Momentum, slots, new(momentum, 0, 0, 0, 0), momentum == 0 ? 0 : 1);

    public static void Adam(ReadOnlyMemory<OptimSlot> slots, double beta1, double beta2, double eps) =>
        Run(Moments, slots, new(beta1, 1 - beta1, beta2, 1 - beta2, eps), 2);

    // Four kilobytes of arguments, of which the first few tensors' are read: the rest is left as it lies.
    [SkipLocalsInit]
    private static void Run(CudaKernel kernel, ReadOnlyMemory<OptimSlot> slots, in Rule rule, int moments)
    {
        Unsafe.SkipInit(out OptimArgs args);
        (args.Rule, args.Step) = (rule, 0);
        var span = slots.Span;
        var device = span[0].Value.Device;
        foreach (var dtype in (ReadOnlySpan<DType>)[DType.F32, DType.F64])
        {
            args.Tensors = args.Chunks = 0;
            List<int>? members = GraphCapture.Current is null ? null : [];
            for (int i = 0; i < span.Length; i++)
            {
                ref readonly var s = ref span[i];
                if (s.Value.DType != dtype || s.Value.Count == 0)
                    continue;
                int count = Launch.Int(s.Value.Count, kernel.Name);
                members?.Add(i);
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
                    Flush(kernel, device, dtype, slots, members, ref args);
            }
            Flush(kernel, device, dtype, slots, members, ref args);
        }
    }

    private static void Flush(CudaKernel kernel, Device device, DType dtype, ReadOnlyMemory<OptimSlot> slots, List<int>? members, ref OptimArgs args)
    {
        if (args.Tensors == 0)
            return;
        if (members is not null)
            args.Step = Declare(slots, members);
        Launch.Run(device, kernel, dtype, Launch.Over(device, (long)args.Chunks * Launch.Threads), args);
        args.Tensors = args.Chunks = 0;
    }

    private static nint Declare(ReadOnlyMemory<OptimSlot> slots, List<int> members)
    {
        int[] mine = [.. members];
        members.Clear();
        return GraphCapture.Current!.Each(mine.Length * Scalars * sizeof(double), values => Write(slots.Span, mine, MemoryMarshal.Cast<byte, double>(values)));
    }

    private static void Write(ReadOnlySpan<OptimSlot> slots, int[] mine, Span<double> values)
    {
        foreach (var (at, i) in mine.Index())
        {
            ref readonly var s = ref slots[i];
            (values[Scalars * at], values[Scalars * at + 1], values[Scalars * at + 2], values[Scalars * at + 3]) = (s.Rate, s.Decay, s.Shrink, s.RootCorrection);
        }
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

    private readonly record struct Rule(double A, double B, double C, double D, double Eps);

    private struct OptimArgs
    {
        public Rule Rule;
        public nint Step;
        public int Tensors, Chunks;
        public Table Table;
    }
}

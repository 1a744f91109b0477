namespace Native;

/// <summary><see cref="NormGeometry"/> on a GPU. Inputs are dense.</summary>
internal static class NormCuda
{
    // Elements of a channel that one thread walks before a second block joins, and most blocks that share a channel.
    private const int Walk = 32, MostChunks = 64;

    private static readonly KernelFamily Channels = new("norm", _ => KernelFamily.Join("norm_tensors.cuh", "norm.cuh", "norm.cu"), DType.F32, DType.F64),
        Rows = new("norm_row", _ => KernelFamily.Join("norm_tensors.cuh", "norm_row.cu"), DType.F32, DType.F64);

    private static readonly Steps Forward = new("norm_channel_forward", 2), Grad = new("norm_channel_grad", 2), GradGrad = new("norm_channel_grad_grad", 5),
        WeightGrad = new("norm_weight_grad", 2), WeightGradGrad = new("norm_weight_grad_grad", 1);

    private static readonly CudaKernel RowForward = new(Rows, "norm_row_forward"), RowGrad = new(Rows, "norm_row_grad"), RowGradGrad = new(Rows, "norm_row_grad_grad");

    public static void ForwardOf(ChannelGeometry s, Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd) => Run(Forward, x, new()
    {
        Y = Launch.At(y),
        Mean = Launch.At(mean),
        Variance = Launch.At(variance),
        InvStd = Launch.At(invStd),
        X = Launch.At(x),
        W = At(w),
        B = At(b),
        Eps = eps,
    }, s.Batch, s.Channels, s.Length);

    public static void GradOf(ChannelGeometry s, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb) => Run(Grad, x, new()
    {
        Y = Launch.At(gx),
        Mean = Launch.At(mean),
        InvStd = Launch.At(invStd),
        Gw = Launch.At(gw),
        Gb = Launch.At(gb),
        X = Launch.At(x),
        G = Launch.At(gy),
        W = At(w),
    }, s.Batch, s.Channels, s.Length);

    public static void GradGradOf(
        ChannelGeometry s, Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw) => Run(GradGrad, x, new()
        {
            Y = Launch.At(dgy),
            Second = Launch.At(dx),
            Mean = Launch.At(mean),
            InvStd = Launch.At(invStd),
            Gw = Launch.At(dw),
            X = Launch.At(x),
            G = Launch.At(gy),
            V = Launch.At(v),
            W = At(w),
            U = Launch.At(u),
            T = Launch.At(t),
        }, s.Batch, s.Channels, s.Length);

    public static void ForwardOf(RowNormShape s, Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd) => Run(RowForward, s, x, new()
    {
        Y = Launch.At(y),
        Mean = Launch.At(mean),
        Variance = Launch.At(variance),
        InvStd = Launch.At(invStd),
        X = Launch.At(x),
        W = At(w),
        B = At(b),
        Eps = eps,
    });

    public static void GradOf(RowNormShape s, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb)
    {
        Run(RowGrad, s, x, new() { Y = Launch.At(gx), Mean = Launch.At(mean), InvStd = Launch.At(invStd), X = Launch.At(x), G = Launch.At(gy), W = At(w) });
        Run(WeightGrad, x, new()
        {
            Mean = Launch.At(mean),
            InvStd = Launch.At(invStd),
            Gw = Launch.At(gw),
            Gb = Launch.At(gb),
            X = Launch.At(x),
            G = Launch.At(gy),
            PerRow = (int)(s.Length / s.Repeat),
            Period = (int)s.Period,
        }, s.Batch, s.WeightCount, s.Repeat);
    }

    public static void GradGradOf(RowNormShape s, Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw)
    {
        var means = Tensor.Allocate(Layout.Of([2 * s.Rows]), x.DType, x.Device);
        nint meanV = Launch.At(means), meanVx = meanV + (nint)(s.Rows * x.DType.Size());
        Run(RowGradGrad, s, x, new()
        {
            Y = Launch.At(dgy),
            Second = Launch.At(dx),
            Mean = Launch.At(mean),
            InvStd = Launch.At(invStd),
            MeanV = meanV,
            MeanVx = meanVx,
            X = Launch.At(x),
            G = Launch.At(gy),
            V = Launch.At(v),
            W = At(w),
            U = Launch.At(u),
            T = Launch.At(t),
        });
        Run(WeightGradGrad, x, new()
        {
            Mean = Launch.At(mean),
            InvStd = Launch.At(invStd),
            Gw = Launch.At(dw),
            X = Launch.At(x),
            G = Launch.At(gy),
            V = Launch.At(v),
            MeanV = meanV,
            MeanVx = meanVx,
            PerRow = (int)(s.Length / s.Repeat),
            Period = (int)s.Period,
        }, s.Batch, s.WeightCount, s.Repeat);
        // Whoever gets the block next writes it later on the same stream.
        Ambient.Current.Release(means.Storage);
    }

    private static void Run(CudaKernel kernel, RowNormShape s, Tensor x, RowArgs args)
    {
        Launch.Int(x.Count, kernel.Name);
        var team = Team.ForRows(s.Length);
        args.Rows = (int)s.Rows;
        args.N = (int)s.Length;
        args.Period = (int)s.Period;
        args.Repeat = (int)s.Repeat;
        int wide = Wide(x);
        args.Wide = s.Length % wide == 0 && s.Length >= 32 * wide && (s.Repeat == 1 || s.Repeat % wide == 0) ? 1 : 0;
        args.Team = team;
        Launch.Run(x.Device, kernel, x.DType, team.Grid(s.Rows), args);
    }

    private static void Run(Steps steps, Tensor x, NormArgs args, long batch, long channels, long length)
    {
        Launch.Int(x.Count, steps.Whole.Name);
        var team = Team.ForChannels(channels, length);
        int wide = Wide(x);
        bool pieces = team == Team.Block && length % wide == 0;
        // A chunk is a whole number of pieces.
        long elements = batch * length, chunk = Math.Max((long)Walk << (team.High - team.Low), (elements + MostChunks * 4 - 1) / (MostChunks * 4) * 4);
        int chunks = (int)Math.Max(1, (elements + chunk - 1) / chunk);
        args.Batch = (int)batch;
        args.Channels = (int)channels;
        args.Length = (int)length;
        args.Chunk = (int)chunk;
        args.Chunks = chunks;
        args.Wide = pieces ? 1 : 0;
        args.Team = team;
        var grid = team.Grid(channels) with { BlocksY = chunks };
        if (chunks == 1)
        {
            Launch.Run(x.Device, steps.Whole, x.DType, grid, args);
            return;
        }
        var partial = Tensor.Allocate(Layout.Of([steps.Count * chunks * channels]), x.DType, x.Device);
        args.Partial = Launch.At(partial);
        Launch.Run(x.Device, steps.Sums, x.DType, grid, args);
        Launch.Run(x.Device, steps.Rest, x.DType, grid, args);
        Ambient.Current.Release(partial.Storage);
    }

    // Elements of sixteen bytes: NAT_WIDE.
    private static int Wide(Tensor x) => 16 / x.DType.Size();

    private static nint At(Tensor? t) => t is null ? 0 : Launch.At(t);

    /// <summary>An operation's kernels: for channels of one chunk, and for those of several; it keeps so many sums for each.</summary>
    private sealed class Steps(string name, int count)
    {
        public CudaKernel Whole { get; } = new(Channels, name);

        public CudaKernel Sums { get; } = new(Channels, $"{name}_sums");

        public CudaKernel Rest { get; } = new(Channels, $"{name}_rest");

        public int Count => count;
    }

    private struct NormArgs
    {
        public nint Y, Second, Mean, Variance, InvStd, Gw, Gb, Partial, X, G, V, W, B, U, T, MeanV, MeanVx;
        public double Eps;
        public int Batch, Channels, Length, PerRow, Period, Chunk, Chunks, Wide;
        public Team Team;
    }

    private struct RowArgs
    {
        public nint Y, Second, Mean, Variance, InvStd, MeanV, MeanVx, X, G, V, W, B, U, T;
        public double Eps;
        public int Rows, N, Period, Repeat, Wide;
        public Team Team;
    }
}

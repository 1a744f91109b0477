namespace Native;

/// <summary><see cref="SoftmaxEntry"/> on a GPU.</summary>
internal static unsafe class SoftmaxCuda
{
    private static readonly KernelFamily Family = new("softmax", _ => KernelFamily.Join("softmax.cuh", "softmax.cu"), DType.F32, DType.F64);

    private static readonly CudaKernel Forward = new(Family, "softmax_forward"), LogForward = new(Family, "softmax_log_forward"), LogSum = new(Family, "softmax_logsumexp"),
        Gumbel = new(Family, "softmax_gumbel"), GumbelBack = new(Family, "softmax_gumbel_grad"), Grad = new(Family, "softmax_grad"), LogGrad = new(Family, "softmax_log_grad"),
        Cross = new(Family, "softmax_cross_entropy"), CrossGrad = new(Family, "softmax_cross_entropy_grad"), CrossMean = new(Family, "softmax_cross_entropy_mean");

    public static void Softmax(Tensor y, Tensor x, int dim) => Run(Forward, y, x, null, dim);

    public static void LogSoftmax(Tensor y, Tensor x, int dim) => Run(LogForward, y, x, null, dim);

    public static void LogSumExp(Tensor y, Tensor x, int dim) => Run(LogSum, y, x, null, dim);

    public static void SoftmaxGrad(Tensor gx, Tensor g, Tensor y, int dim) => Run(Grad, gx, g, y, dim);

    public static void LogSoftmaxGrad(Tensor gx, Tensor g, Tensor y, int dim) => Run(LogGrad, gx, g, y, dim);

    /// <summary>As <see cref="SoftmaxEntry.CrossEntropy"/>; see <see cref="DataChecks"/> for targets that are no class.</summary>
    public static void CrossEntropy(Tensor loss, Tensor x, Tensor targets, long ignoreIndex, double smoothing) => RunCross(Cross, loss, x, targets, null, ignoreIndex, smoothing);

    /// <summary>As <see cref="SoftmaxEntry.CrossEntropyGrad"/>; see <see cref="DataChecks"/> for targets that are no class.</summary>
    public static void CrossEntropyGrad(Tensor gx, Tensor x, Tensor targets, Tensor scale, long ignoreIndex, double smoothing)
    {
        using var ds = DenseInput.Of(scale);
        RunCross(CrossGrad, gx, x, targets, ds.Tensor, ignoreIndex, smoothing);
    }

    /// <summary>mean = the mean of the losses in share over the rows that count; then each loss becomes its row's share in it.</summary>
    public static void Mean(Tensor mean, Tensor share, Tensor targets, long ignoreIndex)
    {
        using var dt = DenseInput.Of(targets);
        MeanArgs args = new()
        {
            Share = Launch.At(share),
            Mean = Launch.At(mean),
            Targets = Launch.At(dt.Tensor),
            Ignored = ignoreIndex,
            Rows = Launch.Int(share.Count, "mean_cross_entropy"),
            Team = Team.Block,
        };
        Launch.Run(mean.Device, CrossMean, mean.DType, Team.Block.Grid(1), args);
    }

    /// <summary>As <see cref="SoftmaxEntry.Gumbel"/>; inputs are dense.</summary>
    public static void GumbelOf(Tensor? hard, Tensor soft, Tensor logits, Tensor noise, double tau, int dim) => RunGumbel(Gumbel, hard, soft, logits, noise, tau, dim);

    /// <summary>As <see cref="SoftmaxEntry.GumbelGrad"/>; inputs are dense.</summary>
    public static void GumbelGrad(Tensor gx, Tensor g, Tensor soft, double tau, int dim) => RunGumbel(GumbelBack, gx, soft, g, soft, tau, dim);

    private static void RunGumbel(CudaKernel kernel, Tensor? y, Tensor soft, Tensor a, Tensor b, double tau, int dim)
    {
        var lines = Lines.Of(a.Layout, dim);
        Launch.Int(a.Count, kernel.Name);
        var team = Team.For(lines.N, lines.Inner);
        GumbelArgs args = new()
        {
            Out = y is null ? 0 : Launch.At(y),
            Soft = Launch.At(soft),
            A = Launch.At(a),
            B = Launch.At(b),
            Tau = tau,
            Lines = Launch.Int(lines.Count, kernel.Name),
            N = (int)lines.N,
            Inner = Launch.Int(lines.Inner, kernel.Name),
            Hard = y is null ? 0 : 1,
            Team = team,
        };
        Launch.Run(soft.Device, kernel, soft.DType, team.Grid(lines.Count), args);
    }

    private static void Run(CudaKernel kernel, Tensor y, Tensor a, Tensor? b, int dim)
    {
        using DenseInput da = DenseInput.Of(a), db = DenseInput.Of(b ?? a);
        var lines = Lines.Of(a.Layout, dim);
        Launch.Int(a.Count, kernel.Name);
        var team = Team.For(lines.N, lines.Inner);
        LineArgs args = new()
        {
            Y = Launch.At(y),
            A = Launch.At(da.Tensor),
            B = Launch.At(db.Tensor),
            Lines = Launch.Int(lines.Count, kernel.Name),
            N = (int)lines.N,
            Inner = Launch.Int(lines.Inner, kernel.Name),
            Team = team,
        };
        Launch.Run(y.Device, kernel, y.DType, team.Grid(lines.Count), args);
    }

    private static void RunCross(CudaKernel kernel, Tensor y, Tensor x, Tensor targets, Tensor? scale, long ignoreIndex, double smoothing)
    {
        using DenseInput dx = DenseInput.Of(x), dt = DenseInput.Of(targets);
        long rows = x.Layout.Dims[0], classes = x.Layout.Dims[1];
        Launch.Int(x.Count, kernel.Name);
        if (DataChecks.Wanted(y.Device))
            fixed (long* t = dt.Tensor.ToArray<long>())
                SoftmaxEntry.CheckTargets(t, ignoreIndex, x);
        var team = Team.ForRows(classes);
        CrossArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(dx.Tensor),
            Scale = scale is null ? 0 : Launch.At(scale),
            Targets = Launch.At(dt.Tensor),
            Ignored = ignoreIndex,
            Smoothing = smoothing,
            Rows = Launch.Int(rows, kernel.Name),
            Classes = Launch.Int(classes, kernel.Name),
            Team = team,
        };
        Launch.Run(y.Device, kernel, y.DType, team.Grid(rows), args);
    }

    private struct LineArgs
    {
        public nint Y, A, B;
        public int Lines, N, Inner;
        public Team Team;
    }

    private struct GumbelArgs
    {
        public nint Out, Soft, A, B;
        public double Tau;
        public int Lines, N, Inner, Hard;
        public Team Team;
    }

    private struct CrossArgs
    {
        public nint Y, X, Scale, Targets;
        public long Ignored;
        public double Smoothing;
        public int Rows, Classes;
        public Team Team;
    }

    private struct MeanArgs
    {
        public nint Share, Mean, Targets;
        public long Ignored;
        public int Rows;
        public Team Team;
    }
}

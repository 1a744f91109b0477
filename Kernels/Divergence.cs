namespace Native;

/// <summary>Entries of the Jensen-Shannon divergence of logits. Outputs are dense; inputs have any strides.</summary>
internal static unsafe class DivergenceEntry
{
    private static readonly KernelFamily Family = new("divergence", _ => KernelFamily.Join("softmax.cuh", "divergence.cu"), DType.F32, DType.F64);

    private static readonly CudaKernel ForwardKernel = new(Family, "divergence_js"), GradKernel = new(Family, "divergence_js_grad");

    /// <summary>loss [rows] of logits a and b [rows, classes].</summary>
    public static void Forward(Tensor loss, Tensor a, Tensor b, bool fromMixture)
    {
        using DenseInput da = DenseInput.Of(a), db = DenseInput.Of(b);
        long rows = a.Layout.Dims[0], classes = a.Layout.Dims[1];
        if (!loss.Device.IsCpu)
            Launched(ForwardKernel, da.Tensor, db.Tensor, fromMixture, new() { Out = Launch.At(loss) });
        else if (loss.DType == DType.F32)
            DivergenceKernels.Forward(rows, classes, fromMixture, da.Tensor.Data<float>(), db.Tensor.Data<float>(), loss.Data<float>());
        else
            DivergenceKernels.Forward(rows, classes, fromMixture, da.Tensor.Data<double>(), db.Tensor.Data<double>(), loss.Data<double>());
    }

    /// <summary>ga and gb, the gradients with respect to a and b, from g [rows].</summary>
    public static void Grad(Tensor ga, Tensor gb, Tensor a, Tensor b, Tensor g, bool fromMixture)
    {
        using DenseInput da = DenseInput.Of(a), db = DenseInput.Of(b), dg = DenseInput.Of(g);
        long rows = a.Layout.Dims[0], classes = a.Layout.Dims[1];
        if (!ga.Device.IsCpu)
            Launched(GradKernel, da.Tensor, db.Tensor, fromMixture, new() { Out = Launch.At(ga), Other = Launch.At(gb), G = Launch.At(dg.Tensor) });
        else if (ga.DType == DType.F32)
            DivergenceKernels.Grad(rows, classes, fromMixture, da.Tensor.Data<float>(), db.Tensor.Data<float>(), dg.Tensor.Data<float>(), ga.Data<float>(), gb.Data<float>());
        else
            DivergenceKernels.Grad(rows, classes, fromMixture, da.Tensor.Data<double>(), db.Tensor.Data<double>(), dg.Tensor.Data<double>(), ga.Data<double>(), gb.Data<double>());
    }

    private static void Launched(CudaKernel kernel, Tensor a, Tensor b, bool fromMixture, Args args)
    {
        Launch.Int(a.Count, kernel.Name);
        var team = Team.ForRows(a.Layout.Dims[1]);
        args.A = Launch.At(a);
        args.B = Launch.At(b);
        args.Rows = Launch.Int(a.Layout.Dims[0], kernel.Name);
        args.Classes = (int)a.Layout.Dims[1];
        args.FromMixture = fromMixture ? 1 : 0;
        args.Team = team;
        Launch.Run(a.Device, kernel, a.DType, team.Grid(args.Rows), args);
    }

    private struct Args
    {
        public nint Out, Other, A, B, G;
        public int Rows, Classes, FromMixture;
        public Team Team;
    }
}

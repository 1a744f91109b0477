namespace Native;

/// <summary>
/// Changes in place, for what lives longer than a step: parameters, buffers, running averages. They are not recorded. A leaf that
/// requires a gradient changes only under <see cref="Autograd.NoGrad"/>; the result of a recorded operation never does. A tensor that some
/// recorded operation has saved may change, but that operation's backward will then refuse to run.
/// </summary>
public static class InPlace
{
    extension(Tensor t)
    {
        /// <summary>t += x, where x broadcasts to t's shape.</summary>
        public void AddInPlace(Tensor x) => Apply(t, x, Ops.Add, "add_in_place");

        /// <summary>t += value.</summary>
        public void AddInPlace(double value) => Apply(t, Ops.AddScalar, value, "add_in_place");

        /// <summary>t *= x, where x broadcasts to t's shape.</summary>
        public void MulInPlace(Tensor x) => Apply(t, x, Ops.Mul, "mul_in_place");

        /// <summary>t *= value.</summary>
        public void MulInPlace(double value) => Apply(t, Ops.MulScalar, value, "mul_in_place");

        /// <summary>t = x, where x broadcasts to t's shape.</summary>
        public void CopyInPlace(Tensor x)
        {
            var source = Source(t, x, "copy_in_place");
            if (ReferenceEquals(source.Storage, t.Storage))
            {
                using var apart = Tensor.AllocateUnscoped(Layout.Of(t.Shape), t.DType, t.Device);
                CopyKernels.Copy(source, apart);
                CopyKernels.Copy(apart, t);
            }
            else
            {
                CopyKernels.Copy(source, t);
            }
            t.Storage.BumpVersion();
        }

        /// <summary>Every element = value.</summary>
        public void FillInPlace(double value)
        {
            Target(t, "fill_in_place");
            if (t.IsContiguous)
            {
                CopyKernels.Fill(t, value);
            }
            else
            {
                using var one = Tensor.AllocateUnscoped(Layout.Scalar, t.DType, t.Device);
                CopyKernels.Fill(one, value);
                CopyKernels.Copy(one.View(one.Layout.Expand(t.Shape)!), t);
            }
            t.Storage.BumpVersion();
        }

        /// <summary>Every element = 0.</summary>
        public void ZeroInPlace() => t.FillInPlace(0);
    }

    private static void Apply(Tensor t, Tensor x, BinaryOp op, string name)
    {
        var source = Source(t, x, name);
        if (!op.Kernel.Takes(t.DType))
            throw new DTypeException($"{name}: {t.DType.Name()} has no arithmetic; input = {t.Describe()}. Convert it with .To(DType.F32) or .To(DType.I64).");
        bool apart = !t.IsContiguous || (ReferenceEquals(source.Storage, t.Storage) && !ReferenceEquals(source, t) && !Same(source.Layout, t.Layout));
        Run(t, apart, y => op.Kernel.Run(y, t, source));
    }

    private static void Apply(Tensor t, UnaryOp op, double value, string name)
    {
        Target(t, name);
        if (!op.Kernel.Takes(t.DType))
            throw new DTypeException($"{name}: {t.DType.Name()} has no arithmetic; input = {t.Describe()}. Convert it with .To(DType.F32) or .To(DType.I64).");
        if (!t.DType.IsFloat())
            op.CheckWhole(t, value, 0);
        Run(t, !t.IsContiguous, y => op.Kernel.Run(y, t, p: value));
    }

    // A kernel writes dense memory, and reads what it writes only element for element; anything else goes through a copy.
    private static void Run(Tensor t, bool apart, Action<Tensor> kernel)
    {
        if (apart)
        {
            using var y = Tensor.AllocateUnscoped(Layout.Of(t.Shape), t.DType, t.Device);
            kernel(y);
            CopyKernels.Copy(y, t);
        }
        else
        {
            kernel(t);
        }
        t.Storage.BumpVersion();
    }

    private static bool Same(Layout a, Layout b) => a.Offset == b.Offset && a.SameShape(b) && a.Strides.SequenceEqual(b.Strides);

    private static Tensor Source(Tensor t, Tensor x, string op)
    {
        Target(t, op);
        x.CheckAlive(op, "source");
        Check.SameDType(x, t, op, "source", "target");
        Check.SameDevice(x, t, op, "source", "target");
        if (x.RequiresGrad && Ambient.Current.Recording)
            throw new GradException($"{op}: the source {x.Describe()} is recorded and a change in place is not, so its gradient would be lost. Use the operator instead, or do it under NoGrad.");
        var layout = x.Layout.SameShape(t.Layout) ? x.Layout : x.Layout.Expand(t.Shape)
            ?? throw new ShapeException($"{op}: source = {x.Describe()} does not broadcast to target = {t.Describe()}. Dims must be equal or 1.");
        return ReferenceEquals(layout, x.Layout) ? x : x.View(layout);
    }

    private static void Target(Tensor t, string op)
    {
        t.CheckAlive(op, "target");
        if (t.Layout.Overlaps())
            throw new ShapeException($"{op}: target {t.Describe()} is an expanded view, in which several elements share one place. Change what it was expanded from.");
        if (!t.RequiresGrad)
            return;
        if (!t.IsLeaf)
            throw new GradException($"{op}: target {t.Describe()} is the recorded result of {t.Node!.Name}, and a change in place would not be. Use the operator instead, or Detach() first.");
        if (Ambient.Current.Recording)
            throw new GradException($"{op}: target {t.Describe()} requires a gradient, so it may change in place only under NoGrad. Wrap the change in using (Autograd.NoGrad()).");
    }
}

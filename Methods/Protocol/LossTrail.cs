namespace Native.Methods;

/// <summary>
/// The losses of a run, looked at where that costs nothing. On the cpu that is at once. To read a device is to wait for it, so there losses are kept beside the
/// network and read together: when the run is asked how it stands, before its state is saved, at the end of a phase, and at the latest after <see cref="Most"/> steps.
/// </summary>
internal sealed class LossTrail(RunPosition at) : IDisposable
{
    /// <summary>Steps that may pass before a loss is looked at.</summary>
    public const int Most = 64;

    private Tensor? _kept;
    private int _count;
    private string _of = "";

    /// <summary>The loss of the step that was just done; <paramref name="of"/> is for messages.</summary>
    /// <exception cref="NumericException">It, or one not looked at before, is not finite.</exception>
    public void Add(Tensor loss, string of)
    {
        _of = of;
        if (loss.Device.Kind == DeviceKind.Cpu)
        {
            Check(loss.Item(), at.Step, "");
            return;
        }
        using (TensorScope.Outside())
            _kept ??= Tensor.Zeros([Most], loss.DType, loss.Device);
        using (Autograd.NoGrad())
            _kept.Select(0, _count++).CopyInPlace(loss);
        if (_count == Most)
            Look();
    }

    /// <summary>Looks at what has not been looked at.</summary>
    /// <exception cref="NumericException">One of the losses is not finite.</exception>
    public void Look()
    {
        if (_count == 0)
            return;
        int count = _count, first = at.Step - count + 1;
        _count = 0;
        using var scope = TensorScope.Begin("losses");
        using var constant = Autograd.NoGrad();
        double[] losses = _kept!.Narrow(0, 0, count).To(DType.F64).ToArray<double>();
        for (int i = 0; i < count; i++)
            Check(losses[i], first + i, count == 1 ? "" : $", found when steps {first} to {at.Step} were looked at");
    }

    private void Check(double loss, int step, string found)
    {
        at.Loss = loss;
        if (!double.IsFinite(loss))
            throw new NumericException($"train: the loss is {loss} at step {step} {_of}{found}. Lower the learning rate, or find the operation with --nan-trap.");
    }

    /// <summary>Frees what is kept.</summary>
    public void Dispose() => _kept?.Dispose();
}

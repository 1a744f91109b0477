namespace Native.Nn;

/// <summary>
/// Batch normalisation per channel of [n, c] or [n, c, ...] (Ioffe and Szegedy 2015). While training, statistics of the batch are used and running ones
/// are updated, once per forward pass: a recomputation (see <see cref="Checkpoint"/>) does not count. In evaluation the running ones are used.
/// </summary>
public sealed class BatchNorm : Module
{
    private readonly double? _momentum;
    private readonly double _eps;

    /// <summary>For inputs with that many channels.</summary>
    /// <param name="channels">Size of dim 1.</param>
    /// <param name="momentum">Share of the newest batch in the running statistics; null for the mean over all batches.</param>
    /// <param name="eps">Added to the variance.</param>
    /// <param name="affine">Whether a weight and a bias follow.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="device">Where.</param>
    public BatchNorm(long channels, double? momentum = 0.1, double eps = 1e-5, bool affine = true, DType dtype = DType.F32, Device? device = null)
    {
        (_momentum, _eps) = (momentum, eps);
        using var scope = TensorScope.Begin("batch_norm");
        if (affine)
        {
            Weight = Add("weight", Tensor.Ones([channels], dtype, device));
            Bias = Add("bias", Tensor.Zeros([channels], dtype, device));
        }
        RunningMean = AddBuffer("running_mean", Tensor.Zeros([channels], dtype, device));
        RunningVar = AddBuffer("running_var", Tensor.Ones([channels], dtype, device));
        Batches = AddBuffer("num_batches_tracked", Tensor.Zeros([], DType.I64, device));
    }

    /// <summary>Scale per channel, or null.</summary>
    public Parameter? Weight { get; }

    /// <summary>Shift per channel, or null.</summary>
    public Parameter? Bias { get; }

    /// <summary>Running mean per channel.</summary>
    public Tensor RunningMean { get; }

    /// <summary>Running (unbiased) variance per channel.</summary>
    public Tensor RunningVar { get; }

    /// <summary>How many batches the running statistics have seen, i64.</summary>
    public Tensor Batches { get; }

    /// <summary>
    /// Called with the input of each forward pass, before anything is computed or updated: for methods that compare the statistics of a batch with the
    /// running ones. What it records is part of the graph.
    /// </summary>
    public Action<Tensor>? Watch { get; set; }

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x)
    {
        Watch?.Invoke(x);
        if (!Training)
            return Functional.BatchNorm(x, RunningMean, RunningVar, Weight?.Value, Bias?.Value, training: false, eps: _eps);
        var y = _momentum is { } momentum
            ? Functional.BatchNorm(x, RunningMean, RunningVar, Weight?.Value, Bias?.Value, training: true, momentum, _eps)
            : Functional.BatchNormCumulative(x, RunningMean, RunningVar, Batches, Weight?.Value, Bias?.Value, _eps);
        if (!Ambient.Current.Recomputing)
            Batches.AddInPlace(1);
        return y;
    }
}

namespace Native.Methods;

/// <summary>Settings of <see cref="JpegStudy"/>.</summary>
/// <param name="Quality">1, 25, 50, 75 and 100 in the appendix.</param>
/// <param name="Images">The first so many training images: 10,000 (appendix).</param>
public sealed record JpegOptions(int Quality = 75, int Images = 10_000) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(Images), Images));
        if (Quality is < 1 or > 100)
            throw new UsageException($"{method}: quality = {Quality} is none. Give 1 to 100.");
    }
}

/// <summary>
/// Distortion of JPEG against its compression (Scalable Recollections, figure 3): grey baseline files without their headers, by libjpeg-turbo. There is nothing to train, and it
/// names no class: every logit is 0, and the accuracies of such a run mean nothing.
/// </summary>
public sealed class JpegStudy(TaskStream stream, JpegOptions options) : IMethod, IMeasured
{
    /// <inheritdoc/>
    public long ParameterCount => 0;

    /// <summary>Nothing is kept.</summary>
    public long StorageBits => 0;

    /// <summary>Why it cannot run on this machine; null when it can.</summary>
    public static string? Missing() => TurboJpeg.Available ? null : "no JPEG encoder";

    /// <summary>Looks for the encoder before an hour of other work.</summary>
    public void BeginTask(StreamTask task, int steps)
    {
        if (stream.Train.Channels != 1)
            throw new UsageException($"srm-jpeg: the images have {stream.Train.Channels} channels, and the paper's are grey. Choose the stream mnist.");
        using var _ = new TurboJpeg();
    }

    /// <summary>Nothing to learn.</summary>
    public Tensor Observe(Batch batch) => Tensor.Scalar(0f);

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
    }

    /// <summary>Zeros: a file format names no class.</summary>
    public Tensor Predict(Tensor images, StreamTask? task) => Tensor.Zeros([images.Shape[0], stream.Outputs]);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
    }

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel)
    {
        var set = stream.Train;
        int count = Math.Min(options.Images, set.Count);
        using var codec = new TurboJpeg();
        long bytes = 0, difference = 0;
        for (int i = 0; i < count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            byte[] image = set.Image(i).ToArray(), jpeg = codec.Encode(image, set.Width, options.Quality), back = codec.Decode(jpeg, set.Width, set.Height);
            bytes += TurboJpeg.ScanBytes(jpeg);
            for (int p = 0; p < image.Length; p++)
                difference += Math.Abs(image[p] - back[p]);
        }
        return
        [
            new("compression", "compression", (double)count * set.ImageSize / bytes, null, "bytes of the images / bytes of their files' scans, without headers (SRM figure 3)") { IsFraction = false },
            new("trainDistortion", "training distortion", difference / (255.0 * count * set.ImageSize), null, "mean |image - decoded| / 255 over pixels and the first training images (SRM figure 3)"),
        ];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

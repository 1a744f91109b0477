namespace Native.Methods;

/// <summary>The step that teaches the present network what the one of before says, and how both stand while images are made.</summary>
internal static class Distillation
{
    /// <summary>What a teacher predicts, [n, classes], as constants.</summary>
    public static Tensor Targets(Classifier teacher, Tensor images)
    {
        using var constant = Autograd.NoGrad();
        return teacher.Forward(images).Softmax(1);
    }

    /// <summary>
    /// The targets of two batches. Without batch normalisation one pass serves both; with it each batch has its own statistics, as in the released
    /// code, so there are two.
    /// </summary>
    public static (Tensor First, Tensor Second) Targets(Classifier teacher, Tensor first, Tensor second)
    {
        if (Separate(teacher))
            return (Targets(teacher, first), Targets(teacher, second));
        var both = Targets(teacher, Tensor.Concat([first, second]));
        return (both[..(int)first.Shape[0]], both[(int)first.Shape[0]..]);
    }

    /// <summary>Cross-entropy of each image of two batches, [n] each. Its gradient is that of the KL divergence, which differs by a constant.</summary>
    public static (Tensor First, Tensor Second) Losses(Classifier student, Tensor first, Tensor second, Tensor targetFirst, Tensor targetSecond)
    {
        if (Separate(student))
            return (Losses(student, first, targetFirst), Losses(student, second, targetSecond));
        var both = Losses(student, Tensor.Concat([first, second]), Tensor.Concat([targetFirst, targetSecond]));
        return (both[..(int)first.Shape[0]], both[(int)first.Shape[0]..]);
    }

    /// <summary>Cross-entropy of each image against soft targets, [n].</summary>
    public static Tensor Losses(Classifier student, Tensor images, Tensor targets) =>
        Functional.CrossEntropy(student.Forward(images), targets, reduction: Reduction.None);

    /// <summary>Puts batch normalisation of both networks in a mode until the result is disposed; nothing in networks without it.</summary>
    public static IDisposable Norm(RecallNorm mode, Classifier teacher, Classifier student) => new NormMode(mode, teacher, student);

    /// <summary>Brings the running statistics of a network back when the result is disposed.</summary>
    public static IDisposable Keep(Classifier net) => new NormMode(RecallNorm.TrainKeep, net);

    private static bool Separate(Classifier net) => net.NamedBuffers().Any();

    private sealed class NormMode : IDisposable
    {
        private readonly Classifier[] _nets;
        private readonly (Tensor Live, Tensor Kept)[] _buffers = [];
        private readonly RecallNorm _mode;

        public NormMode(RecallNorm mode, params Classifier[] nets)
        {
            (_mode, _nets) = (mode, nets);
            if (mode == RecallNorm.Eval)
                foreach (var net in nets)
                    net.Eval();
            if (mode == RecallNorm.TrainKeep)
                _buffers = [.. nets.SelectMany(n => n.Buffers()).Select(b => (b, b.Clone()))];
        }

        public void Dispose()
        {
            if (_mode == RecallNorm.Eval)
                foreach (var net in _nets)
                    net.Train();
            using var constant = Autograd.NoGrad();
            foreach (var (live, kept) in _buffers)
                live.CopyInPlace(kept);
        }
    }
}

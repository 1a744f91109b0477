using Native.Nn;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>
/// MyGO, generative replay by a conditional GAN. Wake: one update of the discriminator, one of the generator. Sleep: the student learns the
/// teacher's answers on dreams.
/// </summary>
internal sealed class MygoMnist : Workload
{
    private const int Latent = 64, Classes = 2, Pixels = 784;

    private readonly int _batch;
    private readonly Sequential _generator, _discriminator, _student, _teacher;
    private readonly Adam _generatorAdam, _discriminatorAdam, _studentAdam;
    private readonly Tensor _real, _label, _one, _zero;

    public MygoMnist(DType dtype, ulong seed = 0, int batch = 128) : base("mygo-mnist", dtype, seed)
    {
        _batch = batch;
        _generator = Build("generator", (g, t) => new Sequential(
            new Linear(Latent + Classes, 128, g, dtype: t), new Relu(), new Linear(128, Pixels, g, dtype: t), new Tanh()));
        _discriminator = Build("discriminator", (g, t) => new Sequential(
            new Linear(Pixels + Classes, 128, g, dtype: t), new LeakyRelu(0.2), new Linear(128, 1, g, dtype: t)));
        (_student, _teacher) = (Build("student", Classifier), Build("teacher", Classifier));
        _generatorAdam = Own(new Adam(_generator.Parameters(), 1e-3));
        _discriminatorAdam = Own(new Adam(_discriminator.Parameters(), 1e-3));
        _studentAdam = Own(new Adam(_student.Parameters(), 1e-4));
        var data = Stream("data");
        _real = Data(() => Tensor.Rand([batch, Pixels], data, -1, 1));
        _label = Data(() => Tensor.RandInt(0, Classes, [batch], data).OneHot(Classes));
        (_one, _zero) = (Data(() => Tensor.Ones([batch, 1])), Data(() => Tensor.Zeros([batch, 1])));
    }

    protected override IReadOnlyList<Tensor> Updates()
    {
        var fake = Generate();
        var judged = Judge(_real, _one) + Judge(fake.Detach(), _zero);
        _discriminatorAdam.Minimize(judged);
        var fooled = Judge(fake, _one);
        _generatorAdam.Minimize(fooled);

        var dreams = Constant(() => Generate().Reshape(_batch, 1, 28, 28));
        var wanted = Constant(() => _teacher.Forward(dreams));
        var distilled = Functional.MseLoss(_student.Forward(dreams), wanted);
        _studentAdam.Minimize(distilled);
        return [judged, fooled, distilled];
    }

    private Tensor Generate() => _generator.Forward(Tensor.Concat([Noise([_batch, Latent]), _label], 1));

    private Tensor Judge(Tensor images, Tensor verdict) =>
        Functional.BceWithLogits(_discriminator.Forward(Tensor.Concat([images, _label], 1)), verdict);

    private static Sequential Classifier(Generator g, DType t) => new(
        new Conv2d(1, 16, 3, g, padding: 1, dtype: t), new Relu(), new MaxPool2d(2),
        new Conv2d(16, 32, 3, g, padding: 1, dtype: t), new Relu(), new MaxPool2d(2),
        new Flatten(), new Linear(32 * 49, 256, g, dtype: t), new Linear(256, Classes, g, dtype: t));
}

using Native.Methods;

namespace Native.Tests;

/// <summary>What the baselines do beyond calling an optimiser, and that what they train on can be learnt.</summary>
public sealed class BaselineTests
{
    private static SeedStreams Seeds => new(3);

    private static double Step(IMethod method, TaskStream stream, StreamTask task, int from, int count)
    {
        using var scope = TensorScope.Begin("step");
        return method.Observe(stream.BatchOf(stream.Train, task.Train.AsSpan(from, count))).Item();
    }

    [Fact]
    public void Replay_answers_with_images_of_other_tasks_only()
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        using var er = new Er(stream, Seeds, new ErOptions());
        using var naive = new Naive(stream, Seeds, new NaiveOptions(new ErOptions().LearningRate));
        List<double> replayed = [], plain = [];
        foreach (var task in stream.Tasks.Take(2))
        {
            er.BeginTask(task, 3);
            naive.BeginTask(task, 3);
            for (int i = 0; i < 3; i++)
            {
                replayed.Add(Step(er, stream, task, 4 * i, 4));
                plain.Add(Step(naive, stream, task, 4 * i, 4));
            }
        }
        // In the first task there is nothing to replay: the same bits. From the second on, each step adds a second loss.
        Assert.Equal(plain[..3], replayed[..3]);
        Assert.All(Enumerable.Range(3, 3), i => Assert.NotEqual(plain[i], replayed[i]));
        Assert.True(replayed[3] > plain[3]);
    }

    [Theory]
    [InlineData(true, 1.0, 0.75, 0.5, 0.25)]
    [InlineData(false, 1.0, 1.0, 1.0, 1.0)]
    public void Joint_lets_the_rate_fall_linearly_to_zero(bool decay, params double[] factors)
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        var union = stream.Union();
        using var joint = new Joint(stream, Seeds, new JointOptions(0.1, decay));
        using var learner = new SgdLearner(stream, Seeds, 0.1);
        joint.BeginTask(union, factors.Length);
        for (int i = 0; i < factors.Length; i++)
        {
            using var scope = TensorScope.Begin("compare");
            Step(joint, stream, union, 10 * i, 10);
            var batch = stream.BatchOf(stream.Train, union.Train.AsSpan(10 * i, 10));
            learner.LearningRate = 0.1 * factors[i];
            learner.Descend(learner.Loss(batch));
            using var constant = Autograd.NoGrad();
            Assert.Equal(learner.Logits(batch.X).ToArray<float>(), joint.Predict(batch.X, null).ToArray<float>());
        }
    }

    // The claim of SyntheticDigits: too hard for one template per class, easy for a network.
    [Fact]
    public void Drawn_digits_are_learnt_by_a_network_and_not_by_a_linear_softmax()
    {
        var (train, test) = SyntheticDigits.Make(new Generator(2025));
        double linear = Accuracy(new Nn.Linear(784, 10, new Generator(1)), train, test, epochs: 3), network = Accuracy(new Mlp(784, 10, new Generator(1), 128), train, test, epochs: 4);
        Assert.InRange(linear, 0.80, 0.92);
        Assert.InRange(network, 0.95, 1.0);
    }

    private static double Accuracy(Nn.Module net, ImageSet train, ImageSet test, int epochs)
    {
        using var owned = net;
        var stream = TaskStream.SplitDigits("digits", train, test, Scenario.ClassIncremental);
        using var method = new Bare(net, 0.1);
        var result = new Trainer(stream, new TrainerOptions(Epochs: epochs, BatchSize: 20)).Run(method, joint: true, new Generator(2));
        return result.Matrix.Row(1).Average();
    }

    /// <summary>Any module under plain descent.</summary>
    private sealed class Bare(Nn.Module net, double rate) : IMethod
    {
        private readonly Optim.Sgd _sgd = new(net.Parameters(), rate);

        public long ParameterCount => net.ParameterCount;

        public long StorageBits => 0;

        public void BeginTask(StreamTask task, int steps)
        {
        }

        public Tensor Observe(Batch batch)
        {
            var loss = batch.Loss(net.Forward(batch.X));
            _sgd.ZeroGrad();
            loss.Backward();
            _sgd.Step();
            return loss;
        }

        public void EndTask(StreamTask task)
        {
        }

        public Tensor Predict(Tensor images, StreamTask? task) => net.Forward(images);

        public void Persist(RunState state)
        {
            state.Module("net", net);
            state.Optimizer("sgd", _sgd);
        }

        public void Dispose() => _sgd.Dispose();
    }
}

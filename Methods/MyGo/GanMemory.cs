using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// The conditional GAN of MyGO (Mirza and Osindero 2014; section 2.1, sizes from the released code): a perceptron of one hidden layer each, to which the class is joined as a learned
/// vector with as many numbers as there are classes; one update of the discriminator and one of the generator per batch, binary cross-entropy, the generator's not saturating.
/// </summary>
internal sealed class GanMemory : GenerativeMemory
{
    private const double Slope = 0.2;

    private readonly Player _generator, _discriminator;
    private readonly Adam _generatorStep, _discriminatorStep;
    private readonly int _latent;

    public GanMemory(MemorySizes sizes, Generator init)
    {
        _latent = sizes.Latent;
        _generator = new Player(sizes.Classes, g => new Sequential([new Linear(sizes.Latent + sizes.Classes, sizes.Hidden, g), new Relu(),
            new Linear(sizes.Hidden, sizes.Size, g), .. sizes.Bounded ? (Module[])[new Tanh()] : []]), init);
        _discriminator = new Player(sizes.Classes, g => new Sequential(new Linear(sizes.Size + sizes.Classes, sizes.Hidden, g), new LeakyRelu(Slope),
            new Linear(sizes.Hidden, 1, g)), init);
        (_generatorStep, _discriminatorStep) = (new Adam(_generator.Parameters(), sizes.Rate), new Adam(_discriminator.Parameters(), sizes.Rate));
    }

    public override Module Net => _generator;

    public override void Learn(Tensor items, Tensor classes, Generator noise) => Adversarial.Step(_discriminatorStep, _generatorStep,
        x => _discriminator.Forward(x, classes), items, Make(classes, noise));

    protected override Tensor Make(Tensor classes, Generator noise) => _generator.Forward(Tensor.Randn([classes.Shape[0], _latent], noise), classes);

    protected override void DiscardHelpers()
    {
        _generatorStep.Dispose();
        _discriminatorStep.Dispose();
        _discriminator.Dispose();
    }

    protected override void PersistHelpers(RunState state, string name)
    {
        state.Module($"{name}.discriminator", _discriminator);
        state.Optimizer($"{name}.generator_step", _generatorStep);
        state.Optimizer($"{name}.discriminator_step", _discriminatorStep);
    }

    // A network with the class as a second input.
    private sealed class Player : Module
    {
        private readonly Embedding _class;
        private readonly Sequential _layers;

        public Player(int classes, Func<Generator, Sequential> layers, Generator init)
        {
            _class = Add("class", new Embedding(classes, classes, init));
            _layers = Add("layers", layers(init));
        }

        public Tensor Forward(Tensor x, Tensor classes) => _layers.Forward(Tensor.Concat([x, _class.Forward(classes)], 1));
    }
}

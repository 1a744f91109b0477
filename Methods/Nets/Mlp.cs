using Native.Nn;

namespace Native.Methods;

/// <summary>
/// The multilayer perceptron of the papers on digits: 784-400-400-10 with ReLU, 478,410 numbers (Automatic Recall Machines, table 3, which
/// counts 478K), with the layers' default uniform initialisation.
/// </summary>
public sealed class Mlp : Classifier
{
    /// <summary>Width of the two hidden layers in the papers.</summary>
    public const int PaperWidth = 400;

    private readonly Sequential _layers;

    /// <summary>Layers inputs-hidden-hidden-outputs.</summary>
    /// <param name="inputs">Numbers per image.</param>
    /// <param name="outputs">Logits.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="hidden">Width of both hidden layers.</param>
    /// <param name="dtype">Element type.</param>
    public Mlp(int inputs, int outputs, Generator init, int hidden = PaperWidth, DType dtype = DType.F32) => _layers = Add("layers", new Sequential(
        new Linear(inputs, hidden, init, dtype: dtype), new Relu(),
        new Linear(hidden, hidden, init, dtype: dtype), new Relu(),
        new Linear(hidden, outputs, init, dtype: dtype)));

    /// <summary>Images [n, inputs] to logits [n, outputs].</summary>
    public override Tensor Forward(Tensor x) => _layers.Forward(x);

    /// <inheritdoc/>
    public override Tensor Features(Tensor x)
    {
        for (int i = 0; i < _layers.Count - 1; i++)
            x = _layers[i].Forward(x);
        return x;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, IReadOnlyList<Parameter> Blocks)> Layers =>
        [("FC 1", _layers[0].Parameters()), ("FC 2", _layers[2].Parameters()), ("FC 3", _layers[4].Parameters())];
}

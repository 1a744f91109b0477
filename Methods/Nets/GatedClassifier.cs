using Native.Nn;

namespace Native.Methods;

/// <summary>
/// The classifier beside the generators of Maximally Interfered Retrieval: one hidden layer of gated units, relu(W x + b) * sigmoid(V x + c), dropout,
/// and gated outputs (W h + b) * sigmoid(V h + c). 784-400-10 has 636,020 numbers.
/// </summary>
public sealed class GatedClassifier : Classifier
{
    private readonly Linear _hidden, _hiddenGate, _output, _outputGate;
    private readonly Dropout _dropout;

    /// <summary>A fresh one.</summary>
    /// <param name="inputs">Numbers per image.</param>
    /// <param name="outputs">Logits.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="noise">Draws dropout.</param>
    /// <param name="hidden">Width of the hidden layer.</param>
    /// <param name="dropout">Share dropped.</param>
    public GatedClassifier(int inputs, int outputs, Generator init, Generator noise, int hidden = 400, double dropout = 0.2)
    {
        _hidden = Add("hidden", new Linear(inputs, hidden, init));
        _hiddenGate = Add("hidden_gate", new Linear(inputs, hidden, init));
        _dropout = Add("dropout", new Dropout(dropout, noise));
        _output = Add("output", new Linear(hidden, outputs, init));
        _outputGate = Add("output_gate", new Linear(hidden, outputs, init));
    }

    /// <inheritdoc/>
    public override Tensor Features(Tensor x) => _dropout.Forward(_hidden.Forward(x).Relu() * _hiddenGate.Forward(x).Sigmoid());

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x)
    {
        var h = Features(x);
        return _output.Forward(h) * _outputGate.Forward(h).Sigmoid();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, IReadOnlyList<Parameter> Blocks)> Layers =>
        [("FC 1", [.. _hidden.Parameters(), .. _hiddenGate.Parameters()]), ("FC 2", [.. _output.Parameters(), .. _outputGate.Parameters()])];
}

namespace Native.Nn;

/// <summary>
/// Modules one after the other, named 0, 1, 2, ... Outside recording nobody will ask for the values between them, so each goes back to
/// the pool as soon as the next is computed and the memory in use is that of two layers, not of all.
/// </summary>
public sealed class Sequential : Module
{
    private readonly Module[] _modules;

    /// <summary>Owns the modules.</summary>
    public Sequential(params ReadOnlySpan<Module> modules)
    {
        _modules = modules.ToArray();
        for (int i = 0; i < _modules.Length; i++)
            Add($"{i}", _modules[i]);
    }

    /// <summary>Module number i.</summary>
    public Module this[int i] => _modules[i];

    /// <summary>How many.</summary>
    public int Count => _modules.Length;

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x)
    {
        if (!Autograd.IsRecording)
            return ForwardLean(x);
        for (int i = 0; i < _modules.Length;)
            x = Step(ref i, x);
        return x;
    }

    // The next module, together with the activation after it where it computes that too.
    private Tensor Step(ref int i, Tensor x)
    {
        var m = _modules[i++];
        if (m is not IActivatedLayer layer || i == _modules.Length || _modules[i] is not IActivation { Activation: var activation })
            return m.Forward(x);
        i++;
        return layer.Forward(x, activation);
    }

    private Tensor ForwardLean(Tensor x)
    {
        Storage? mine = null;
        for (int i = 0; i < _modules.Length;)
        {
            Tensor y;
            bool fresh;
            using (var scope = TensorScope.Begin("module"))
            {
                y = Step(ref i, x);
                fresh = y.Storage.ScopeDepth == scope.Depth;
                y = scope.Keep(y);
            }
            // The value before is garbage now, if it was made here and is not what y is a view of.
            if (mine is not null && !ReferenceEquals(mine, y.Storage))
                Ambient.Current.Release(mine);
            else if (mine is not null)
                fresh = true;
            mine = fresh ? y.Storage : null;
            x = y;
        }
        return x;
    }
}

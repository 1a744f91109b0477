using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// Ownership of everything allocated while it is open, on this thread. At the brace all of it returns to the pool, without a
/// synchronisation and without the garbage collector:
/// <code>using var step = TensorScope.Begin("train-step");</code>
/// Storage is the unit: views share it, so keeping one view keeps the bytes. Long-lived things (parameters, moments, replay
/// slots) are not owned by scopes; what a step must hand out is kept with <see cref="Keep"/>.
/// </summary>
public sealed class TensorScope : IDisposable
{
    private readonly Ambient _ambient;
    private readonly string _name, _file;
    private readonly int _line;
    private readonly long _firstNode;
    private bool _closed;

    private TensorScope(Ambient ambient, string name, string file, int line, bool owns)
    {
        _ambient = ambient;
        (_name, _file, _line) = (name, file, line);
        Outer = ambient.Scope;
        Owns = owns;
        Depth = (Outer?.Depth ?? 0) + 1;
        Start = ambient.Mark;
        _firstNode = Ambient.NextSequence;
        ambient.Scope = this;
    }

    internal TensorScope? Outer { get; }

    internal bool Owns { get; }

    private bool IsInnermost => ReferenceEquals(_ambient, Ambient.Current) && ReferenceEquals(_ambient.Scope, this);

    internal int Depth { get; }

    internal int Start { get; }

    /// <summary>Opens a scope; dispose it to free what was allocated inside.</summary>
    public static TensorScope Begin(string name = "scope", [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(Ambient.Current, name, file, line, owns: true);

    /// <summary>Opens a region whose allocations belong to no scope, for building long-lived things inside a step.</summary>
    public static TensorScope Outside([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(Ambient.Current, "outside", file, line, owns: false);

    /// <summary>Runs a function in a scope of its own and keeps only what it returns (detached).</summary>
    public static Tensor Run(Func<Tensor> body, string name = "run", [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        using var scope = Begin(name, file, line);
        return scope.Keep(body());
    }

    /// <summary>
    /// Hands a tensor to the scope outside this one. The result is detached from its graph; with <paramref name="graph"/> the
    /// graph behind it is kept as well, with everything it saved for backward.
    /// </summary>
    public Tensor Keep(Tensor tensor, bool graph = false)
    {
        if (_closed || !IsInnermost)
            throw new LifetimeException($"keep: {this} is not the innermost open scope of this thread. Keep a tensor before the brace of the scope that made it.");
        tensor.CheckAlive("keep");
        _ambient.MoveOutward(tensor.Storage);
        if (!graph)
            return tensor.Alias();
        // Nodes from before this scope saved nothing that is in it: an unrolled loop that keeps step by step stays linear.
        tensor.Node?.VisitSaved(t => _ambient.MoveOutward(t.Storage), _firstNode);
        return tensor;
    }

    /// <summary>Closes the scope. Scopes close in the reverse order of their opening.</summary>
    public void Dispose()
    {
        if (_closed)
            return;
        if (!IsInnermost)
        {
            // Thrown on the wrong thread, after an await, or with an inner scope left open: memory would be freed under somebody's feet.
            throw new LifetimeException($"scope: {this} cannot close, because {(!ReferenceEquals(_ambient, Ambient.Current) ? "it belongs to another thread" : $"{_ambient.Scope} inside it is still open")}. Close scopes in reverse order, on the thread that opened them.");
        }
        _closed = true;
        _ambient.Close(this);
    }

    /// <summary>For example <c>scope 'train-step' (Program.cs:41)</c>.</summary>
    public override string ToString() => $"scope '{_name}' ({Path.GetFileName(_file)}:{_line})";
}

using Native.Nn;

namespace Native.Methods;

/// <summary>What a module has learned, as plain arrays: runs of other seeds in this process take it over instead of learning it again.</summary>
internal sealed class MetaSnapshot
{
    private const int Kept = 16;

    private static readonly Dictionary<string, MetaSnapshot> Known = new(StringComparer.Ordinal);
    private static readonly Lock Gate = new();

    private readonly OrderedDictionary<string, HostArray> _values = new(StringComparer.Ordinal);
    private int _step;
    private double _loss, _norm;

    /// <summary>What it took to learn it.</summary>
    public Work Work { get; init; }

    /// <summary>A copy of a module and of three numbers beside it.</summary>
    public static MetaSnapshot Of(Module module, int step, double loss, double norm, Work work)
    {
        var snapshot = new MetaSnapshot { _step = step, _loss = loss, _norm = norm, Work = work };
        foreach (var (name, t) in module.State())
            snapshot._values.Add(name, t.ToHostArray());
        return snapshot;
    }

    /// <summary>Puts the values into an equal module, and returns the numbers.</summary>
    public (int Step, double Loss, double Norm) CopyTo(Module module)
    {
        using var scope = TensorScope.Begin("adopt");
        using var constant = Autograd.NoGrad();
        Work.TakeOver(Work);
        foreach (var (name, t) in module.State())
            t.CopyInPlace(Tensor.From(_values[name], t.Device));
        return (_step, _loss, _norm);
    }

    /// <summary>What was learned under a key in this process, or null.</summary>
    public static MetaSnapshot? Find(string key)
    {
        lock (Gate)
            return Known.GetValueOrDefault(key);
    }

    /// <summary>Remembers what was learned; a few are kept.</summary>
    public void Remember(string key)
    {
        lock (Gate)
        {
            if (Known.Count == Kept)
                Known.Clear();
            Known[key] = this;
        }
    }
}

namespace Native.Tests;

/// <summary>One case of a golden file: its arrays as tensors, made once, and comparisons in which NaN equals NaN only.</summary>
internal sealed class GoldenCase(OrderedDictionary<string, HostArray> file, string name)
{
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);

    public static OrderedDictionary<string, HostArray> Read(string file) => Npz.Read(Path.Combine(AppContext.BaseDirectory, "Golden", file));

    /// <summary>The names of a file's cases that begin with one of the prefixes.</summary>
    public static string[] Names(OrderedDictionary<string, HostArray> file, params string[] prefixes) =>
        [.. file.Keys.Select(k => k[..k.IndexOf('.')]).Distinct().Where(n => prefixes.Any(p => n.StartsWith(p, StringComparison.Ordinal)))];

    public Tensor this[string array] => _tensors.TryGetValue(array, out var t) ? t : _tensors[array] = Tensor.From(file[$"{name}.{array}"]);

    public bool Has(string array) => file.ContainsKey($"{name}.{array}");

    public Tensor? Optional(string array) => Has(array) ? this[array] : null;

    public int Int(string array) => (int)this[array].Item();

    public double Number(string array, double otherwise) => Has(array) ? this[array].Item() : otherwise;

    /// <summary>Checks y, the gradients g* of the named leaves where the file has them, and the second derivatives h* of the first leaf's gradient.</summary>
    public void Check(Func<Tensor> run, params string[] leaves)
    {
        if (!Has("g"))
        {
            Near("y", run());
            return;
        }
        foreach (string leaf in leaves)
            this[leaf].RequireGrad();
        var y = run();
        Near("y", y);
        var g = this["g"].RequireGrad();
        bool twice = Has("h" + leaves[0]);
        var gradients = Autograd.Grad(y, [.. leaves.Select(l => this[l])], g, createGraph: twice);
        for (int i = 0; i < leaves.Length; i++)
            Near("g" + leaves[i], gradients[i]);
        if (!twice)
            return;
        var second = Autograd.Grad(gradients[0].Square().Sum(), [this[leaves[0]], g], allowUnused: true);
        Near("h" + leaves[0], second[0]);
        Near("hg", second[1]);
    }

    public void Near(string array, Tensor got)
    {
        var want = this[array];
        Assert.Equal(want.Shape, got.Shape);
        double[] e = want.ToArray<double>(), a = got.ToArray<double>();
        for (int i = 0; i < e.Length; i++)
        {
            bool special = !double.IsFinite(e[i]) && e[i].Equals(a[i]);
            if (!special && !(Math.Abs(a[i] - e[i]) <= 1e-10 * Math.Abs(e[i]) + 1e-12))
                Assert.Fail($"{name}.{array}: element {i} is {a[i]:R}, should be {e[i]:R}");
        }
    }
}

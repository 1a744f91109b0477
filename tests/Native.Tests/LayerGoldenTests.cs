namespace Native.Tests;

/// <summary>
/// Convolution, pooling and normalisation against PyTorch: values, gradients and second gradients. Inputs of the first two are multiples of 1/256 whose
/// sums of products are exact, so they must be equal to the last bit; means are rounded.
/// </summary>
public class LayerGoldenTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string file in new[] { "conv", "pool", "batchnorm", "layernorm", "groupnorm" })
                foreach (string name in Read(file).Keys.Select(k => k.Split('.')[0]).Distinct().Where(n => n != "cumulative"))
                    data.Add(file, name);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ValuesAndGradients(string file, string name)
    {
        var c = new Case(Read(file), name);
        double tolerance = file == "conv" || name.StartsWith("max", StringComparison.Ordinal) || name == "upsample" ? 0 : 1e-12;
        string[] leaves = file == "pool" ? ["x"] : ["x", "w", "b"];
        foreach (string leaf in leaves)
            c[leaf].RequireGrad();
        var g = c["g"].RequireGrad();
        var y = Run(name, c);
        Same(c["y"], y, tolerance, "y");
        bool second = c.Has("hx");
        var grads = Autograd.Grad(y, [.. leaves.Select(l => c[l])], g, createGraph: second);
        for (int i = 0; i < leaves.Length; i++)
            Same(c["g" + leaves[i]], grads[i], tolerance, "g" + leaves[i]);
        foreach (string running in new[] { "running_mean", "running_var" })
            if (c.Has("new_" + running))
                Same(c["new_" + running], c[running], tolerance, running);
        if (!second)
            return;
        string[] inputs = [.. leaves, "g"];
        var again = Autograd.Grad(grads[0].Square().Sum(), [.. inputs.Select(l => c[l])], allowUnused: true);
        for (int i = 0; i < inputs.Length; i++)
            Same(c["h" + inputs[i]], again[i], 1e-9, "h" + inputs[i]);
    }

    private static Tensor Run(string name, Case c)
    {
        (long, long) Pair(string key) => (c.Int(key, 0), c.Int(key, 1));
        string kind = name.Split('_')[0];
        if (name.StartsWith("conv2d", StringComparison.Ordinal))
            return Functional.Conv2d(c["x"], c["w"], c["b"], Pair("stride"), Pair("padding"), Pair("dilation"), c.Int("groups"));
        if (name.StartsWith("conv_transpose2d", StringComparison.Ordinal))
            return Functional.ConvTranspose2d(c["x"], c["w"], c["b"], Pair("stride"), Pair("padding"), Pair("output_padding"), c.Int("groups"), Pair("dilation"));
        switch (kind)
        {
            case "max":
                var p = new PoolParameters(c.Int("kernel", 0), c.Int("kernel", 1), c.Int("stride", 0), c.Int("stride", 1), c.Int("padding", 0), c.Int("padding", 1), c.Int("dilation", 0), c.Int("dilation", 1));
                var both = new MaxPool2dOp(p).ApplyAll(c["x"]);
                Assert.Equal(c["index"].ToArray<long>(), both[1].ToArray<long>());
                return both[0];
            case "avg":
                return new AvgPool2dOp(new(c.Int("kernel", 0), c.Int("kernel", 1), c.Int("stride", 0), c.Int("stride", 1), c.Int("padding", 0), c.Int("padding", 1)), c.Int("count_include_pad") != 0).Apply(c["x"]);
            case "adaptive":
                return Functional.AdaptiveAvgPool2d(c["x"], c.Int("output_size", 0), c.Int("output_size", 1));
            case "upsample":
                return c["x"].UpsampleNearest((int)c.Int("scale"));
            case "train":
            case "eval":
                return Functional.BatchNorm(c["x"], c["running_mean"], c["running_var"], c["w"], c["b"], kind == "train", c["momentum"].Item(), c["eps"].Item());
            case "last" or "image":
                return Functional.LayerNorm(c["x"], c["normalized_shape"].ToArray<long>(), c["w"], c["b"], c["eps"].Item());
            default:
                return Functional.GroupNorm(c["x"], c.Int("groups"), c["w"], c["b"], c["eps"].Item());
        }
    }

    private static OrderedDictionary<string, HostArray> Read(string file) => Npz.Read(Path.Combine(AppContext.BaseDirectory, "Golden", file + ".npz"));

    private static void Same(Tensor expected, Tensor actual, double tolerance, string what)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        double[] e = expected.ToArray<double>(), a = actual.ToArray<double>();
        for (int i = 0; i < e.Length; i++)
            if (!(Math.Abs(e[i] - a[i]) <= tolerance * (1 + Math.Abs(e[i])) || e[i].Equals(a[i])))
                Assert.Fail($"{what}[{i}] is {a[i]:R}, PyTorch has {e[i]:R} (tolerance {tolerance})");
    }

    /// <summary>The arrays of one case as tensors, made once each.</summary>
    private sealed class Case(OrderedDictionary<string, HostArray> arrays, string name)
    {
        private readonly Dictionary<string, Tensor> _tensors = [];

        public Tensor this[string key] => _tensors.TryGetValue(key, out var t) ? t : _tensors[key] = Tensor.From(arrays[$"{name}.{key}"]);

        public bool Has(string key) => arrays.ContainsKey($"{name}.{key}");

        public long Int(string key, int i = 0) => this[key].ToArray<long>()[i];
    }
}

namespace Native.Tests;

/// <summary>
/// Indexing, joining and padding against PyTorch, values and gradients. The inputs are multiples of 1/256 whose sums are exact, so
/// everything must be equal to the last bit; only averages of three are rounded.
/// </summary>
public class IndexingGoldenTests
{
    private static readonly OrderedDictionary<string, HostArray> Golden = Npz.Read(Path.Combine(AppContext.BaseDirectory, "Golden", "indexing.npz"));

    /// <summary>The differentiable cases: the computation, and which arrays are its leaves.</summary>
    private static readonly Dictionary<string, (Func<Case, Tensor> Run, string[] Leaves)> Cases = new(StringComparer.Ordinal)
    {
        ["gather_dim0"] = (c => c["x"].Gather((int)c.Int("dim"), c["index"]), ["x"]),
        ["gather_dim1"] = (c => c["x"].Gather((int)c.Int("dim"), c["index"]), ["x"]),
        ["scatter_add_dim0"] = (c => c["x"].ScatterAdd((int)c.Int("dim"), c["index"], c["source"]), ["x", "source"]),
        ["scatter_add_dim1"] = (c => c["x"].ScatterAdd((int)c.Int("dim"), c["index"], c["source"]), ["x", "source"]),
        ["index_select_dim0"] = (c => c["x"].IndexSelect((int)c.Int("dim"), c["index"]), ["x"]),
        ["index_select_dim1"] = (c => c["x"].IndexSelect((int)c.Int("dim"), c["index"]), ["x"]),
        ["index_add_dim0"] = (c => c["x"].IndexAdd((int)c.Int("dim"), c["index"], c["source"]), ["x", "source"]),
        ["index_add_dim1"] = (c => c["x"].IndexAdd((int)c.Int("dim"), c["index"], c["source"]), ["x", "source"]),
        ["embedding"] = (c => Tensor.Embedding(c["w"], c["index"]), ["w"]),
        ["embedding_padding"] = (c => Tensor.Embedding(c["w"], c["index"], c.Int("padding_index")), ["w"]),
        ["embedding_bag_mean"] = (c => Tensor.EmbeddingBag(c["w"], c["index"], c["offsets"]), ["w"]),
        ["embedding_bag_mean_table"] = (c => Tensor.EmbeddingBag(c["w"], c["index"]), ["w"]),
        ["embedding_bag_sum"] = (c => Tensor.EmbeddingBag(c["w"], c["index"], c["offsets"], BagMode.Sum), ["w"]),
        ["embedding_bag_sum_table"] = (c => Tensor.EmbeddingBag(c["w"], c["index"], BagMode.Sum), ["w"]),
        ["roll"] = (c => c["x"].Roll(c.Int("shifts", 0), (int)c.Int("dims", 0)).Roll(c.Int("shifts", 1), (int)c.Int("dims", 1)), ["x"]),
        ["roll_flat"] = (c => c["x"].Roll(c.Int("shifts")), ["x"]),
        ["flip"] = (c => c["x"].Flip((int)c.Int("dims", 0), (int)c.Int("dims", 1)), ["x"]),
        ["pad"] = (c => c["x"].Pad(c.Pads(), c["value"].Item()), ["x"]),
        ["pad_crop"] = (c => c["x"].Pad(c.Pads()), ["x"]),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void ValuesAndGradients(string name)
    {
        var (run, leaves) = Cases[name];
        var c = new Case(name);
        foreach (string leaf in leaves)
            c[leaf].RequireGrad();
        // Sums of dyadic numbers are exact; 1/3 is not.
        double tolerance = name.StartsWith("embedding_bag_mean", StringComparison.Ordinal) ? 1e-15 : 0;
        var y = run(c);
        Same(c["y"], y, tolerance, $"{name}.y");
        var gradients = Autograd.Grad(y, [.. leaves.Select(leaf => c[leaf])], c["g"]);
        for (int i = 0; i < leaves.Length; i++)
            Same(c[$"g{leaves[i]}"], gradients[i], tolerance, $"{name}.g{leaves[i]}");
    }

    [Fact]
    public void OneHot()
    {
        var c = new Case("one_hot");
        Assert.Equal(c["y"].ToArray<long>(), c["index"].OneHot(c.Int("classes"), DType.I64).ToArray<long>());
        Assert.Equal(DType.F32, c["index"].OneHot(5).DType);
    }

    [Fact]
    public void EveryCaseOfTheFileIsUsed() =>
        Assert.Equal(Golden.Keys.Select(k => k[..k.IndexOf('.')]).Distinct().Order(StringComparer.Ordinal), Cases.Keys.Append("one_hot").Order(StringComparer.Ordinal));

    private static void Same(Tensor want, Tensor got, double tolerance, string what)
    {
        Assert.Equal(want.Shape, got.Shape);
        KernelKit.Close(want.ToArray<double>(), got.ToArray<double>(), tolerance, what);
    }

    /// <summary>The arrays of one case, each made into a tensor once.</summary>
    private sealed class Case(string name)
    {
        private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);

        public Tensor this[string array]
        {
            get
            {
                if (_tensors.TryGetValue(array, out var tensor))
                    return tensor;
                var host = Golden[$"{name}.{array}"];
                return _tensors[array] = host.DType == DType.I64 ? Tensor.From(host.As<long>(), host.Shape) : Tensor.From(host.As<double>(), host.Shape);
            }
        }

        public long Int(string array, int i = 0) => Golden[$"{name}.{array}"].As<long>()[i];

        /// <summary>PyTorch's pairs begin at the last dim, ours end there.</summary>
        public (long, long)[] Pads()
        {
            long[] pad = Golden[$"{name}.pad"].As<long>();
            return [(pad[2], pad[3]), (pad[0], pad[1])];
        }
    }
}

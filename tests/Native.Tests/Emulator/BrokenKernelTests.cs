namespace Native.Tests;

/// <summary>
/// The proof that tests on the emulator prove something: real kernels, each with one mistake put into its text, run by the harness that the real ones pass.
/// Each mistake is caught, with the message that its author would see.
/// </summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class BrokenKernelTests
{
    private static readonly Dictionary<string, Mistake> Mistakes = new(StringComparer.Ordinal)
    {
        // The fifth float of five: still inside the block that the pool hands out, which is a power of two.
        ["a bound one too far"] = new("copy", "copy_fill_f32 wrote right behind an allocation of 20 bytes", Fill,
            ("T v = (T)args.value;\n    for (int i = nat_first(); i < args.n;", "T v = (T)args.value;\n    for (int i = nat_first(); i <= args.n;")),
        ["a bound one too short"] = new("copy", "threads in order: result 0, element 11 is NaN (ffc00000), should be 11", Copy,
            ("KERNEL(copy_strided, CopyArgs)\n{\n    for (int i = nat_first(); i < args.n;", "KERNEL(copy_strided, CopyArgs)\n{\n    for (int i = nat_first(); i < args.n - 1;")),
        ["a write before the beginning"] = new("scan", "scan_difference_f32 wrote 4 bytes before an allocation of 24 bytes", Differences,
            ("args.y[e] = x[(i + 1) * args.inner]", "args.y[e - 1] = x[(i + 1) * args.inner]")),
        ["a write far behind the end"] = new("upsample", "upsample_nearest_f32 wrote 64 bytes behind an allocation of 64 bytes", Upsample(2),
            ("args.y[i] = ", "args.y[i + 32] = ")),
        ["a read behind the end"] = new("matmul", "threads in order: result 0, element 4 is NaN", Product(3, 5, 2),
            ("bool in_a = row + i < args.m && k + ka < args.k;", "bool in_a = row + i < args.m && k + ka <= args.k;")),
        ["an access that its address does not allow"] = new("copy", "copy_cast_f32: an access whose address is no multiple of 16, at device.cuh:", Cast,
            ("    if (m == 4 && nat_is_packed<V, 4>(p))\n    {", "    if (m == 4)\n    {")),
        ["an access that its address does not allow, beside barriers"] = new("reduce_ops", "reduce_sum_inner_f32: an access whose address is no multiple of 16, at ", Total,
            ("    if (s.packed)\n    {", "    if (!s.partial)\n    {")),
        ["a wrong stride"] = new("upsample", "threads in order: result 0, element 16 is 8, should be 4", Upsample(4),
            ("int narrow = args.width / args.factor;", "int narrow = args.width;")),
        ["an element that nobody writes"] = new("gather", "threads in order: result 0, element 1 is -1 (ffffffffffffffff), should be 0", Extremes(3, 4),
            ("        args.y[k] = at;\n", "        if (k != 1)\n            args.y[k] = at;\n")),
        ["a missing barrier before a read"] = new("matmul", "threads in order: result 0, element 0 is NaN", Product(3, 5, 2),
            ("b[(k + kb) * args.b_row + (column + j) * args.b_column] : T(0);\n        }\n        __syncthreads();", "b[(k + kb) * args.b_row + (column + j) * args.b_column] : T(0);\n        }")),
        ["a missing barrier after a read"] = new("matmul", "threads in order: result 0, element 8 is ", Product(70, 33, 2),
            ("b_tile[d][my_column + j], sum[i][j]);\n        __syncthreads();", "b_tile[d][my_column + j], sum[i][j]);")),
        ["a barrier that half of the threads skip"] = new("gather", "gather_extreme_f32: a barrier that some threads of the block do not reach", Extremes(2, 700),
            ("            __syncthreads();\n        }\n        if (t == 0)", "            if (t < half)\n                __syncthreads();\n        }\n        if (t == 0)")),
        ["a shuffle that half of the lanes skip"] = new("softmax", "softmax_forward_f32: a shuffle over the whole warp, but some of its lanes have left the kernel", Softmax,
            ("        v = combine(v, __shfl_xor_sync(0xffffffffu, v, o));", "        if ((threadIdx.x & 31) < 16)\n            v = combine(v, __shfl_xor_sync(0xffffffffu, v, o));")),
        // In ascending order the sums are the cpu's to the bit; on a GPU no order is given.
        ["a race"] = new("gather", "threads in reverse order: result 0, element ", Sums,
            ("        if (args.follows[k])\n            continue;\n", ""), ("for (; k >= 0; k = args.next[k])", "for (int one = 0; one < 1; one++)")),
        // 40 elements leave warp 7 nothing but a zero, which is what fresh memory would hold.
        ["shared memory that nobody writes"] = new("matmul", "threads in order: result 0, element 0 is NaN", Product(1, 40, 1),
            ("    if (lane == 0)\n        warps[warp] = v;", "    if (lane == 0 && warp < 7)\n        warps[warp] = v;")),
    };

    public static TheoryData<string> Names => [.. Mistakes.Keys];

    [NeedsTheory(GpuKit.Gxx)]
    [MemberData(nameof(Names))]
    public void A_mistake_is_caught(string name)
    {
        var mistake = Mistakes[name];
        Run(mistake.Family, [], mistake.Check);
        var caught = Assert.ThrowsAny<Exception>(() => Run(mistake.Family, mistake.Edits, mistake.Check));
        Assert.True(caught.Message.Contains(mistake.Message, StringComparison.Ordinal), caught.Message);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void An_edit_that_finds_nothing_is_no_proof() =>
        Assert.Contains("is 0 times in copy_f32", Assert.ThrowsAny<Exception>(() => Run("copy", [("no such text", "")], Fill)).Message, StringComparison.Ordinal);

    private static void Fill() => Emulated.SameBits("fill", device =>
    {
        var y = Tensor.Empty([5], DType.F32, device);
        CopyKernels.Fill(y, 7);
        return [y];
    });

    private static void Copy() => Emulated.SameBits("copy", device =>
    {
        var y = Tensor.Empty([4, 3], DType.F32, device);
        CopyKernels.Copy(Count([3, 4], device).T, y);
        return [y];
    });

    private static void Cast() => Emulated.SameBits("cast", device =>
    {
        Tensor room = Tensor.Zeros([9], DType.F32, device), y = room[1..];
        CopyKernels.Cast(Tensor.Arange(0, 8, 1, DType.I32).To(device), y);
        return [room];
    });

    private static void Total() => Emulated.Close("sum", t => t[0].Slice(0, 1, 1201).Sum(), [Emulated.Normal([1204], DType.F32, "x")], ulps: 8, scale: 1200);

    private static void Differences() => Emulated.SameBits("differences", t => new DiffOp(0, adjoint: false).Apply(t[0]), [Emulated.Normal([7], DType.F32, "x")]);

    private static Action Upsample(int width) => () =>
        Emulated.Agree((x, y) => UpsampleEntries.Nearest(x[0], y[0], 2), [Count([1, width, width], Device.Cpu)], [([1, 2 * width, 2 * width], DType.F32)], 0);

    private static void Softmax() => Emulated.Close("softmax", t => t[0].Softmax(1), [Emulated.Normal([3, 20], DType.F32, "x")], ulps: 8, scale: 1);

    private static void Sums() => Emulated.SameBits("sums", t => t[0].ScatterAdd(1, t[1], t[2]),
        [Tensor.Zeros([1, 6, 2]), Tensor.From([.. Enumerable.Range(0, 130).Select(i => (long)(i * 7 % 6))], [1, 65, 2]), Emulated.Normal([1, 65, 2], DType.F32, "x")]);

    private static Action Extremes(int lines, int n) => () => Emulated.SameBits("extremes", t => t[0].ArgMax(1), [Emulated.Normal([lines, n], DType.F32, "x")]);

    // Not cuBLAS's, which other kernels would compute.
    private static Action Product(int m, int k, int n) => () => Emulated.Agree((x, y) =>
    {
        if (y[0].Device.IsCpu)
            MatMulKernels.Run(y[0], x[0], x[1]);
        else
            MatMulCuda.Run(y[0], x[0], x[1], accumulate: false);
    }, [Emulated.Normal([m, k], DType.F32, "a"), Emulated.Normal([k, n], DType.F32, "b")], [([m, n], DType.F32)], 2 * k);

    private static Tensor Count(Shape shape, Device device) => Tensor.Arange(0, shape.Count, 1, DType.F32).Reshape(shape).To(device);

    private static void Run(string family, (string Old, string New)[] edits, Action check)
    {
        var compiler = new Editor(family, edits);
        Emulated.WithKernelsOf(compiler, check);
        Assert.True(compiler.Edited, $"no kernel of {family} was run");
    }

    /// <summary>Where a mistake is made, what says so, what runs it, and how the text is changed.</summary>
    private sealed record Mistake(string Family, string Message, Action Check, params (string Old, string New)[] Edits);

    /// <summary>The host compiler, given a changed text of one family.</summary>
    private sealed class Editor(string family, (string Old, string New)[] edits) : IKernelCompiler
    {
        public bool Edited { get; private set; }

        public byte[] Compile(string source, string name, string arch)
        {
            if (!name.StartsWith($"{family}_", StringComparison.Ordinal))
                return HostCompiler.Shared.Compile(source, name, arch);
            string text = source.ReplaceLineEndings("\n");
            foreach (var (old, changed) in edits)
            {
                int found = text.Split(old).Length - 1;
                Assert.True(found == 1, $"'{old}' is {found} times in {name}; the mistake is made where it is once");
                text = text.Replace(old, changed, StringComparison.Ordinal);
            }
            Edited = true;
            return HostCompiler.Shared.Compile(edits.Length == 0 ? source : text, name, arch);
        }
    }
}

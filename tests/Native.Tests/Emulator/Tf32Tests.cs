using System.CommandLine;
using Native.Benchmarks;
using Native.Nn;

namespace Native.Tests;

/// <summary>The switch for tensor cores: products and convolutions of a GPU round their factors and nothing else does; off, nothing changes.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class Tf32Tests
{
    [NeedsFact(GpuKit.Gxx)]
    public void Products_and_convolutions_round_their_factors_and_only_on_a_gpu() => OpKit.OnFreshThread(() =>
    {
        var random = new Generator(2);
        Tensor a = Tensor.Randn([5, 33], random.Stream("a")), b = Tensor.Randn([33, 7], random.Stream("b")), x = Tensor.Randn([2, 3, 8, 8], random.Stream("x")), w = Tensor.Randn([4, 3, 3, 3], random.Stream("w"));
        foreach (var (f, one, two) in new (Func<Tensor, Tensor, Tensor>, Tensor, Tensor)[]
        {
            ((s, t) => s.MatMul(t), a, b), ((s, t) => s.Reshape(1, 5, 33).MatMul(t.Reshape(1, 33, 7).Expand([3, 33, 7])), a, b),
            ((s, t) => Functional.Conv2d(s, t, padding: 1), x, w), ((s, t) => Functional.ConvTranspose2d(s, t.Permute(1, 0, 2, 3).Contiguous()), x, w),
        })
        {
            // Value and both gradients.
            List<Tensor> cpu = Derivatives(f, one, two, tf32: true), exact = Derivatives(f, one.To(Emulated.Device), two.To(Emulated.Device), tf32: false);
            List<Tensor> rounded = Derivatives(f, one.To(Emulated.Device), two.To(Emulated.Device), tf32: true), wide = Derivatives(f, one.To(DType.F64).To(Emulated.Device), two.To(DType.F64).To(Emulated.Device), tf32: true);
            List<Tensor> plain = Derivatives(f, one, two, tf32: false), reference = Derivatives(f, one.To(DType.F64), two.To(DType.F64), tf32: false);
            for (int i = 0; i < cpu.Count; i++)
            {
                double[] want = OpKit.ToDoubles(reference[i]), got = OpKit.ToDoubles(rounded[i]);
                double largest = want.Select(Math.Abs).Max(), error = want.Zip(got, (p, q) => Math.Abs(p - q)).Max() / largest;
                Assert.Null(OpKit.BitDifference([OpKit.ToDoubles(plain[i])], [OpKit.ToDoubles(cpu[i])]));
                Assert.Null(OpKit.Difference(want, OpKit.ToDoubles(exact[i]), 0, 1e-5 * largest));
                Assert.Null(OpKit.Difference(want, OpKit.ToDoubles(wide[i]), 0, 1e-13 * largest));
                // Ten bits of mantissa: far from exact, and not far from right.
                Assert.True(error is > 1e-5 and < 5e-3, $"result {i} is off by {error}");
            }
        }
    });

    [Fact]
    public void The_switch_is_off_unless_asked_for_and_belongs_to_a_thread()
    {
        Assert.False(Ambient.Current.Tf32);
        using (Env.Tf32.Override(true))
            OpKit.OnFreshThread(() => Assert.True(Ambient.Current.Tf32));
        OpKit.OnFreshThread(() => Assert.False(Ambient.Current.Tf32));
        Assert.True(Env.Tf32.Parse("1"));
    }

    [Fact]
    public void The_commands_option_holds_for_the_command()
    {
        var globals = new Globals();
        var root = new RootCommand();
        globals.AddTo(root);
        using (globals.Apply(root.Parse("--tf32"), new Ui(TextWriter.Null, TextWriter.Null, default)))
            Assert.True(Ambient.Current.Tf32);
        using (globals.Apply(root.Parse(""), new Ui(TextWriter.Null, TextWriter.Null, default)))
            Assert.False(Ambient.Current.Tf32);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_layer_and_its_rectifier_have_the_bits_of_both_also_where_a_sum_is_shared() => OpKit.OnFreshThread(() =>
    {
        // Results as parts of sums, whole, packed and not; a slope and none.
        foreach (var (x, w, bias) in new (Shape, Shape, bool)[] { ([1, 64, 4, 4], [8, 64, 3, 3], true), ([1, 64, 4, 4], [8, 64, 3, 3], false), ([2, 3, 8, 8], [20, 3, 3, 3], true), ([3, 2, 5, 7], [3, 2, 2, 2], true) })
            foreach (var dtype in (DType[])[DType.F32, DType.F64])
                foreach (var activation in (Activation[])[new(ActivationKind.Relu), new(ActivationKind.LeakyRelu, 0.2), new(ActivationKind.Tanh)])
                {
                    using var scope = TensorScope.Begin("layer");
                    Tensor[] t = [Emulated.Normal(x, dtype, "x").To(Emulated.Device), Emulated.Normal(w, dtype, "w").To(Emulated.Device), Emulated.Normal([w[0]], dtype, "b").To(Emulated.Device)];
                    var p = ConvParameters.Simple(pad: 1);
                    Tensor[] operands = bias ? t : t[..2];
                    List<Tensor> apart = OpKit.Derivatives(i => [activation.Apply(new Conv2dOp(p).Apply(i))], operands, 1), joined = OpKit.Derivatives(i => [new Conv2dOp(p, activation).Apply(i)], operands, 1);
                    Assert.Null(OpKit.BitDifference(OpKit.ToDoubles([.. apart]), OpKit.ToDoubles([.. joined])));
                    Shape back = [x[0], w[0], x[2], x[3]];
                    Tensor[] transposed = [Emulated.Normal(back, dtype, "y").To(Emulated.Device), t[1]];
                    Assert.Null(OpKit.BitDifference(OpKit.ToDoubles([activation.Apply(new Conv2dDataGradOp(p, x[2] + w[2] - 3, x[3] + w[3] - 3).Apply(transposed))]),
                        OpKit.ToDoubles([new Conv2dDataGradOp(p, x[2] + w[2] - 3, x[3] + w[3] - 3, activation).Apply(transposed)])));
                }
    });

    private static List<Tensor> Derivatives(Func<Tensor, Tensor, Tensor> f, Tensor a, Tensor b, bool tf32)
    {
        var ambient = Ambient.Current;
        ambient.Tf32 = tf32;
        try
        {
            return OpKit.Derivatives(t => [f(t[0], t[1])], [a, b], 1);
        }
        finally
        {
            ambient.Tf32 = false;
        }
    }
}

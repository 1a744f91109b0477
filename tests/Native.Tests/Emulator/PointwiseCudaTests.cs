using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native.Tests;

/// <summary>Pointwise rows that are defined when the others have been compiled: a user's own.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class PointwiseCudaTests
{
    [NeedsFact(GpuKit.Gxx)]
    public void A_row_that_comes_late_runs() => OpKit.OnFreshThread(() =>
    {
        Tensor x = Emulated.Normal([5, 70], DType.F32, "x");
        Emulated.SameBits("before", t => t[0].Tanh(), [x]);
        var first = new PointwiseKernel<Unary<CubeFn>>("test_cube", "a * a * a", Domain.Float);
        var second = new PointwiseKernel<Unary<CubeFn>>("test_cube_again", "a * a * a", Domain.Number);
        foreach (var row in (PointwiseKernel[])[first, second, new PointwiseKernel<Unary<CubeFn>>("test_cube", "a * a * a", Domain.Float)])
            foreach (DType dtype in (DType[])[DType.F32, DType.F64, DType.I32])
                if (row.Takes(dtype))
                    Emulated.SameBits($"{row.Name} {dtype}", t =>
                    {
                        var y = Tensor.Empty(t[0].Shape, dtype, t[0].Device);
                        row.Run(y, t[0]);
                        return y;
                    }, [x.To(dtype)], payloads: false, Form.Dense, Form.Transposed);
        Assert.Equal(["pointwise_test_cube_again_dense", "pointwise_test_cube_again_strided"], KernelFamily.All.Single(f => f.Name == "pointwise_test_cube_again").Entries(DType.I32));
        Tensor integers = Tensor.Zeros([3], DType.I32, Emulated.Device);
        Assert.Equal("pointwise_test_cube_dense: no kernel for i32 on emu:0; it has f32, f64.", Assert.Throws<KernelException>(() => first.Run(integers, integers)).Message);
    });

    [Fact]
    public void A_name_stands_for_one_formula() => Assert.Equal(
        $"pointwise: two rows are called 'tanh', one for '{Ops.Tanh.Kernel.Cuda}' and one for 'a * a * a'. Kernels are called after them: rename one.",
        Assert.Throws<KernelException>(() => new PointwiseKernel<Unary<CubeFn>>("tanh", "a * a * a", Domain.Float)).Message);

    private readonly struct CubeFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x * x * x;

        public static double Reference(double x) => x * x * x;
    }
}

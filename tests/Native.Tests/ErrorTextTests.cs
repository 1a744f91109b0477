namespace Native.Tests;

/// <summary>What the library says when it is used wrongly: type and text.</summary>
public class ErrorTextTests
{
    [Fact]
    public void Operands_that_do_not_fit()
    {
        Says<ShapeException>("add: shapes do not broadcast; lhs = f32[2,3]@cpu, rhs = f32[4]@cpu; lhs.dim(1)=3, rhs.dim(0)=4. Dims must be equal or 1.",
            () => Tensor.Ones([2, 3]) + Tensor.Ones([4]));
        Says<DTypeException>("mul: operands have different dtypes; lhs = f32[2]@cpu, rhs = f64[2]@cpu. Convert one with .To(DType.F32).",
            () => Tensor.Ones([2]) * Tensor.Ones([2], DType.F64));
        Says<DTypeException>("exp: needs f32 or f64; input = i64[3]@cpu. Convert it with .To(DType.F32).", () => Tensor.Arange(3).Exp());
        Says<DTypeException>("div: needs f32 or f64; input = i64[3]@cpu. Convert it with .To(DType.F32).", () => Tensor.Arange(3) / 2);
        Says<ShapeException>("sum: dim 2 is out of range; input = f32[2,3]@cpu, which has 2 dims. Use -2..1.", () => Tensor.Ones([2, 3]).Sum(2));
        Says<ShapeException>("from: 3 values do not fill shape [2,2], which has 4 elements.", () => Tensor.From([1f, 2, 3], [2, 2]));
        Says<ShapeException>("item: f32[3]@cpu has 3 elements, not one. Index it first, or use ToArray.", () => Tensor.Ones([3]).Item());
        Says<DTypeException>("to_array: f32[3]@cpu does not hold f64. Convert it with .To(DType.F64), or ask for f32.", () => Tensor.Ones([3]).ToArray<double>());
        Says<ShapeException>("arange: step must not be 0; from 0 to 3.", () => Tensor.Arange(0, 3, 0));
        Says<ShapeException>("shape: dims must not be negative; dims = [2,-1].", () => Tensor.Zeros([2, -1]));
    }

    [Fact]
    public void Devices_that_are_not_there()
    {
        Assert.StartsWith("cuda:0 is unavailable: ", Assert.Throws<DeviceException>(() => Device.Parse("cuda:0")).Message, StringComparison.Ordinal);
        Says<DeviceException>("device: 'gpu' is not a device. Use cpu, cuda:N or emu:0.", () => Device.Parse("gpu"));
    }

    [Fact]
    public void Backward_without_a_scalar_or_without_a_record()
    {
        var x = Tensor.Ones([3]).RequireGrad();
        Says<GradException>("backward: the output f32[3]@cpu is not a scalar, so its gradient must be given. Sum it first, or pass a gradient of shape [3].", () => (x * 2).Backward());
        Says<ShapeException>("backward: gradient must have shape [3]; gradient = f32[2]@cpu.", () => (x * 2).Backward(Tensor.Ones([2])));
        Says<DTypeException>("backward: operands have different dtypes; gradient = f64[3]@cpu, output = f32[3]@cpu. Convert one with .To(DType.F64).", () => (x * 2).Backward(Tensor.Ones([3], DType.F64)));
        Says<GradException>("backward: the output f32[]@cpu was not computed from any tensor that requires a gradient. Call RequireGrad() on an input, outside NoGrad.", () => Tensor.Ones([]).Backward());
        Says<GradException>("grad: input 0 = f32[]@cpu does not require a gradient. Call RequireGrad() on it before the forward pass.", () => Autograd.Grad(x.Sum(), Tensor.Ones([])));
        var apart = Tensor.Ones([2]).RequireGrad();
        Says<GradException>("grad: input 0 = f32[2]@cpu is not reachable from the output f32[]@cpu grad_fn=sum. Pass allowUnused: true to get zeros, or check that the output was computed from it.",
            () => Autograd.Grad(x.Sum(), apart));
        Says<DTypeException>("require_grad: needs f32 or f64; input = i64[2]@cpu. Convert it with .To(DType.F32).", () => Tensor.Arange(2).RequireGrad());
    }

    [Fact]
    public void A_path_through_an_operation_without_derivative()
    {
        var x = Tensor.Ones([3]).RequireGrad();
        var y = x.To(DType.I64).To(DType.F32).Sum();
        Assert.False(y.RequiresGrad);
        Says<GradException>("backward: the output f32[]@cpu was not computed from any tensor that requires a gradient; the path ends at cast, which has no derivative (i64 output). Call RequireGrad() on an input, outside NoGrad.",
            () => y.Backward());
    }

    [Fact]
    public void Backward_a_second_time()
    {
        var x = Tensor.Ones([3]).RequireGrad();
        var y = x.Exp().Sum();
        y.Backward();
        Says<GradException>("backward: saved tensors of exp were freed by an earlier backward. Pass retainGraph: true, or createGraph: true for higher orders.", () => y.Backward());
        var z = x.Exp().Sum();
        z.Backward(retainGraph: true);
        z.Backward();
    }

    [Fact]
    public void A_saved_tensor_that_was_changed_in_place()
    {
        var x = Tensor.Ones([3]).RequireGrad();
        var a = x * 2;
        var y = a.Square().Sum();
        a.CopyFrom<float>([1, 2, 3]);
        Assert.StartsWith("backward: saved input f32[3]@cpu of square was changed in place after it was saved (version 1, expected 0).",
            Assert.Throws<GradException>(() => y.Backward()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_saved_tensor_whose_scope_has_closed()
    {
        var x = Tensor.Ones([3]).RequireGrad();
        Tensor y;
        using (var scope = TensorScope.Begin("inner"))
        {
            y = x.Exp().Square().Sum();
            scope.Keep(y);
        }
        string message = Assert.Throws<LifetimeException>(() => y.Backward()).Message;
        Assert.Contains("was freed when scope 'inner' (ErrorTextTests.cs:", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_operation_that_makes_a_NaN()
    {
        using var trap = NanTrap.Enable();
        var x = Tensor.From([1f, -1], [2]);
        Says<NumericException>("log: produced NaN at element 1 of f32[2]@cpu from finite inputs f32[2]@cpu. This is the first operation to do so; look at its arguments.", () => x.Log());
        // One that only passes a NaN on is not to blame.
        _ = Tensor.From([float.NaN], [1]) + 1;
    }

    [Fact]
    public void Anomaly_mode_names_the_gradient_and_the_forward_line()
    {
        using var anomaly = Autograd.Anomaly();
        var x = Tensor.From([0f, 1], [2]).RequireGrad();
        string message = Assert.Throws<NumericException>(() => x.Sqrt().Sum().Backward()).Message;
        Assert.Contains("backward of sqrt: the gradient of input 0, f32[2]@cpu, holds", message, StringComparison.Ordinal);
        Assert.Contains(nameof(Anomaly_mode_names_the_gradient_and_the_forward_line), message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_graph_stored_in_a_parameter()
    {
        var w = Parameter.From(Tensor.Ones([2]), "fc.weight");
        Assert.StartsWith("backward: createGraph would store a graph in the persistent gradient of parameter 'fc.weight'.",
            Assert.Throws<GradException>(() => w.Square().Sum().Backward(createGraph: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void After_an_error_in_backward_the_next_pass_is_right()
    {
        var x = Tensor.Ones([2]).RequireGrad();
        var a = x * 2;
        var y = (a.Square() + x).Sum();
        a.CopyFrom<float>([1, 2]);
        Assert.Throws<GradException>(() => y.Backward());
        Assert.Equal([3f, 3], Autograd.Grad((x * 3).Sum(), x).ToArray<float>());
        Assert.Null(x.Grad);
    }

    private static void Says<TException>(string message, Func<object?> action) where TException : TensorException =>
        Assert.Equal(message, Assert.Throws<TException>(() => { action(); }).Message);

    private static void Says<TException>(string message, Action action) where TException : TensorException =>
        Assert.Equal(message, Assert.Throws<TException>(action).Message);
}

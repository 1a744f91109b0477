namespace Native;

/// <summary>Products with Jacobians and Hessians, and the matrices themselves, as compositions of <see cref="Grad(Tensor, Tensor, Tensor?, bool, bool)"/>.</summary>
public static partial class Autograd
{
    /// <summary>
    /// v' J: the gradient of sum(f(xs) * v) for each input, where f is called once, with recorded stand-ins of the inputs. With
    /// <paramref name="createGraph"/> the results can be differentiated with respect to the xs, and to v.
    /// </summary>
    /// <param name="f">The function.</param>
    /// <param name="xs">Where; floating point.</param>
    /// <param name="v">Shape of the result of f; null for a scalar result.</param>
    /// <param name="createGraph">Record the results.</param>
    public static Tensor[] Vjp(Func<Tensor[], Tensor> f, Tensor[] xs, Tensor? v = null, bool createGraph = false) =>
        Scoped("vjp", createGraph, () =>
        {
            var inputs = StandIns(xs, createGraph);
            return Grad(f(inputs), inputs, v, createGraph, allowUnused: true);
        });

    /// <summary><see cref="Vjp(Func{Tensor[], Tensor}, Tensor[], Tensor?, bool)"/> of a function of one tensor.</summary>
    public static Tensor Vjp(Func<Tensor, Tensor> f, Tensor x, Tensor? v = null, bool createGraph = false) => Vjp(xs => f(xs[0]), [x], v, createGraph)[0];

    /// <summary>
    /// J v: the derivative of f(xs) along the directions vs, in the shape of f's result. Reverse mode twice: the vjp is linear in its argument
    /// u, and the derivative of (u' J) v for u is J v.
    /// </summary>
    /// <param name="f">The function.</param>
    /// <param name="xs">Where; floating point.</param>
    /// <param name="vs">One direction for each input, of its shape.</param>
    /// <param name="createGraph">Record the result.</param>
    public static Tensor Jvp(Func<Tensor[], Tensor> f, Tensor[] xs, Tensor[] vs, bool createGraph = false)
    {
        CheckDirections(xs, vs, "jvp");
        return Scoped("jvp", createGraph, () =>
        {
            var inputs = StandIns(xs, createGraph);
            var y = f(inputs);
            var u = Tensor.ZerosLike(y).RequireGrad();
            var products = Grad(y, inputs, u, createGraph: true, allowUnused: true);
            return [Grad(Inner(products, vs), [u], createGraph: createGraph, allowUnused: true)[0]];
        })[0];
    }

    /// <summary><see cref="Jvp(Func{Tensor[], Tensor}, Tensor[], Tensor[], bool)"/> of a function of one tensor.</summary>
    public static Tensor Jvp(Func<Tensor, Tensor> f, Tensor x, Tensor v, bool createGraph = false) => Jvp(xs => f(xs[0]), [x], [v], createGraph);

    /// <summary>H v of a scalar function: for each input, the derivative of its gradient along the directions vs.</summary>
    public static Tensor[] Hvp(Func<Tensor[], Tensor> f, Tensor[] xs, Tensor[] vs, bool createGraph = false)
    {
        CheckDirections(xs, vs, "hvp");
        return Scoped("hvp", createGraph, () =>
        {
            var inputs = StandIns(xs, createGraph);
            var gradients = Grad(f(inputs), inputs, createGraph: true, allowUnused: true);
            return Grad(Inner(gradients, vs), inputs, createGraph: createGraph, allowUnused: true);
        });
    }

    /// <summary><see cref="Hvp(Func{Tensor[], Tensor}, Tensor[], Tensor[], bool)"/> of a function of one tensor.</summary>
    public static Tensor Hvp(Func<Tensor, Tensor> f, Tensor x, Tensor v, bool createGraph = false) => Hvp(xs => f(xs[0]), [x], [v], createGraph)[0];

    /// <summary>
    /// The whole matrix of derivatives: element [i..., j...] is dy[i...]/dx[j...], so the shape is that of y followed by that of x. One reverse
    /// pass per element of y.
    /// </summary>
    public static Tensor Jacobian(Func<Tensor, Tensor> f, Tensor x, bool createGraph = false) => Scoped("jacobian", createGraph, () =>
    {
        var input = StandIns([x], createGraph)[0];
        return [Rows(f(input), input, createGraph)];
    })[0];

    /// <summary>Second derivatives of a scalar function, shape [x..., x...].</summary>
    public static Tensor Hessian(Func<Tensor, Tensor> f, Tensor x, bool createGraph = false) => Scoped("hessian", createGraph, () =>
    {
        var input = StandIns([x], createGraph)[0];
        return [Rows(Grad(f(input), [input], createGraph: true, allowUnused: true)[0], input, createGraph)];
    })[0];

    /// <summary>The same tensor as a new node, so that derivatives for it stop there and not at what it was made from.</summary>
    internal static Tensor StandIn(Tensor x) => new AliasOp().Apply(x);

    private static Tensor[] StandIns(Tensor[] xs, bool createGraph) =>
        [.. xs.Select(x => createGraph && x.RequiresGrad ? StandIn(x) : x.Detach().RequireGrad())];

    private static Tensor Inner(Tensor[] a, Tensor[] b)
    {
        var sum = (a[0] * b[0]).Sum();
        for (int i = 1; i < a.Length; i++)
            sum += (a[i] * b[i]).Sum();
        return sum;
    }

    private static Tensor Rows(Tensor y, Tensor x, bool createGraph)
    {
        Shape shape = [.. y.Shape.Span, .. x.Shape.Span];
        if (y.Count == 0)
            return Tensor.Zeros(shape, y.DType, y.Device);
        var rows = new Tensor[y.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            var seed = Tensor.Zeros([y.Count], y.DType, y.Device);
            CopyKernels.Fill(seed.View(seed.Layout.Slice(0, i, 1)), 1);
            rows[i] = Grad(y, [x], seed.Reshape(y.Shape), createGraph, retainGraph: true, allowUnused: true)[0];
        }
        return Tensor.Stack(rows).Reshape(shape);
    }

    // Recording is on inside, whatever it was outside; unless a graph is wanted, only the results outlive the call.
    private static Tensor[] Scoped(string name, bool createGraph, Func<Tensor[]> body)
    {
        using var on = EnableGrad();
        if (createGraph)
            return body();
        using var scope = TensorScope.Begin(name);
        return [.. body().Select(t => scope.Keep(t))];
    }

    private static void CheckDirections(Tensor[] xs, Tensor[] vs, string op)
    {
        if (xs.Length != vs.Length || xs.Length == 0)
            throw new ShapeException($"{op}: {xs.Length} inputs but {vs.Length} directions. Give one for each input, and at least one.");
        for (int i = 0; i < xs.Length; i++)
        {
            Check.ShapeIs(vs[i], xs[i].Shape, op, $"direction {i}");
            Check.SameDType(vs[i], xs[i], op, $"direction {i}", $"input {i}");
        }
    }
}

namespace Native;

/// <summary>The first input's value, the second one's gradient.</summary>
internal sealed class StraightThroughOp() : StructuredOp("straight_through")
{
    public static readonly StraightThroughOp Instance = new();

    public override OutputSpecs Infer(Inputs x) => [new(x[0].Layout.Dense(), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => new(0, 2 * OpCost.BytesOf(x[0]), "moves numbers, computes none");

    public override void Forward(Inputs x, Outputs y) => CopyKernels.Copy(x[0], y[0]);

    public override Tensor?[] Backward(Tensor g, Saved s) => [null, g];

    // No order of derivative is checked against differences: that the two disagree is the point.
    internal static IEnumerable<Sample> Samples()
    {
        yield return new("value", x => [Functional.StraightThrough(x[0], x[1])], new SampleInput([2, 3]), new SampleInput([2, 3])) { Reference = x => [x[0]], Orders = 0 };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("shape", () => Functional.StraightThrough(Tensor.Zeros([2]), Tensor.Zeros([3])), "straight_through: hard must have shape [3]; hard = f32[2]@cpu");
    }
}

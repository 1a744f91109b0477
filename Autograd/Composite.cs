namespace Native;

/// <summary>Derivatives of functions written with other ops: what stands after the last fused derivative.</summary>
internal static class Composite
{
    /// <summary>
    /// The vjp of <paramref name="f"/> at the inputs, contracted with one cotangent per output (null for none). Partial derivatives: an input
    /// that itself depends on another is still held fixed, because f sees aliases at which the walk stops. The results stay
    /// connected to the inputs' own history, so they can be differentiated again.
    /// </summary>
    public static Tensor?[] Vjp(Func<Tensor[], Tensor[]> f, Tensor[] inputs, Tensor?[] cotangents)
    {
        bool recording = Autograd.IsRecording;
        using var enabled = Autograd.EnableGrad();
        var aliases = Array.ConvertAll(inputs, x => x.RequiresGrad ? new AliasOp().Apply(x) : x.Alias().RequireGrad());
        var outputs = f(aliases);
        var ys = new List<Tensor>();
        var seeds = new List<Tensor>();
        for (int i = 0; i < outputs.Length; i++)
            if (cotangents[i] is { } c)
            {
                ys.Add(outputs[i]);
                seeds.Add(c);
            }
        return Autograd.Grad(ys, aliases, seeds, createGraph: recording, allowUnused: true);
    }
}

/// <summary>The same tensor under a node of its own.</summary>
internal sealed class AliasOp() : ViewOp("alias")
{
    private protected override Layout View(Tensor x) => x.Layout;

    private protected override Tensor Backward(Tensor g, Layout input) => g;

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("same", x => [new AliasOp().Apply(x[0])], new SampleInput([2, 3])) { Reference = x => [x[0]] };
    }
}

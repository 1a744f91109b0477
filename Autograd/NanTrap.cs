namespace Native;

/// <summary>Finds the first operation that turns finite inputs into NaN or infinity.</summary>
public static class NanTrap
{
    /// <summary>Checks every operation on this thread until disposed. Costs one pass over each output, and over the inputs when one is not finite.</summary>
    public static IDisposable Enable() => new WatchSwitch(Watch.NanTrap);

    /// <summary>Whether it checks on this thread. It reads every result, which a step that is recorded cannot.</summary>
    public static bool IsOn => (Ambient.Current.Watch & Watch.NanTrap) != 0;

    internal static void Inspect(string op, ReadOnlySpan<Tensor?> inputs, Tensor y)
    {
        if (!y.DType.IsFloat() || FirstBad(y) is not { } bad)
            return;
        foreach (var x in inputs)
            if (x is not null && x.DType.IsFloat() && FirstBad(x) is not null)
                return;
        string operands = string.Join(", ", inputs.ToArray().OfType<Tensor>().Select(x => x.Describe()));
        throw new NumericException($"{op}: produced {bad.Value} at element {bad.Index} of {y.Describe()} from finite inputs {operands}. This is the first operation to do so; look at its arguments.");
    }

    internal static void InspectGradient(OpNode node, int input, Tensor g)
    {
        if (FirstBad(g) is { } bad && node.Grad is { } up && FirstBad(up) is null)
            throw new NumericException($"backward of {node.Name}: the gradient of input {input}, {g.Describe()}, holds {bad.Value} at element {bad.Index} although the upstream gradient is finite.{node.Where}");
    }

    private static (long Index, double Value)? FirstBad(Tensor t)
    {
        if (t.DType == DType.F32)
        {
            float[] v = t.ToArray<float>();
            int i = Array.FindIndex(v, x => !float.IsFinite(x));
            return i < 0 ? null : (i, v[i]);
        }
        double[] d = t.ToArray<double>();
        int j = Array.FindIndex(d, x => !double.IsFinite(x));
        return j < 0 ? null : (j, d[j]);
    }
}

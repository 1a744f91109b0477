using FsCheck;
using FsCheck.Fluent;

namespace Native.Tests;

/// <summary>One step of a view chain; the numbers are reduced to what fits the layout they meet, so every shrunk chain is valid.</summary>
public sealed record ViewStep(string Kind, int A, int B, int C)
{
    /// <summary>As C#.</summary>
    public override string ToString() => $"{Kind}({A}, {B}, {C})";
}

/// <summary>A shape and a chain of views of it.</summary>
public sealed record ViewChain(long[] Dims, ViewStep[] Steps)
{
    /// <summary>As it appears in a failure.</summary>
    public override string ToString() => $"Of([{string.Join(", ", Dims)}]){string.Concat(Steps.Select(s => "." + s))}";
}

/// <summary>What the property tests generate and how it shrinks: fewer steps, lower rank, smaller dims.</summary>
internal static class Gens
{
    // The same cases in every run; another seed is another thousand cases.
    public static Config Fixed(int tests) => Config.QuickThrowOnFailure.WithMaxTest(tests).WithReplay(20240607, 297121507);

    public static Gen<long[]> Dims(int maxRank, int maxDim, int minDim = 0) =>
        from rank in Gen.Choose(0, maxRank)
        from dims in Gen.ArrayOf(Gen.Choose(minDim, maxDim), rank)
        select Array.ConvertAll(dims, d => (long)d);

    public static IEnumerable<long[]> ShrinkDims(long[] dims, int minDim = 0)
    {
        for (int i = 0; i < dims.Length; i++)
            yield return [.. dims[..i], .. dims[(i + 1)..]];
        for (int i = 0; i < dims.Length; i++)
            if (dims[i] > Math.Max(1, minDim))
                yield return [.. dims[..i], dims[i] - 1, .. dims[(i + 1)..]];
    }

    /// <summary>Two shapes that broadcast: one shape, from which each side drops leading dims and sets some to 1.</summary>
    public static Gen<(long[] A, long[] B)> BroadcastablePair() =>
        from dims in Dims(4, 4)
        from a in Thin(dims)
        from b in Thin(dims)
        select (a, b);

    private static Gen<long[]> Thin(long[] dims) =>
        from drop in Gen.Choose(0, dims.Length)
        from ones in Gen.ArrayOf(Gen.Choose(0, 2), dims.Length)
        select dims.Select((d, i) => ones[i] == 0 ? 1 : d).Skip(drop).ToArray();

    public static Arbitrary<ViewChain> Chains { get; } = Arb.From(
        from dims in Dims(4, 4)
        from count in Gen.Choose(0, 6)
        from steps in Gen.ArrayOf(
            from kind in Gen.Elements("Permute", "Slice", "Flip", "Select", "Expand", "Reshape")
            from a in Gen.Choose(0, 100)
            from b in Gen.Choose(0, 100)
            from c in Gen.Choose(0, 100)
            select new ViewStep(kind, a, b, c), count)
        select new ViewChain(dims, steps), ShrinkChain);

    public static IEnumerable<ViewChain> ShrinkChain(ViewChain c)
    {
        for (int i = 0; i < c.Steps.Length; i++)
            yield return c with { Steps = [.. c.Steps[..i], .. c.Steps[(i + 1)..]] };
        foreach (long[] dims in ShrinkDims(c.Dims))
            yield return c with { Dims = dims };
        for (int i = 0; i < c.Steps.Length; i++)
            foreach (var s in (ViewStep[])[c.Steps[i] with { A = c.Steps[i].A / 2 }, c.Steps[i] with { B = c.Steps[i].B / 2 }, c.Steps[i] with { C = c.Steps[i].C / 2 }])
                if (s != c.Steps[i])
                    yield return c with { Steps = [.. c.Steps[..i], s, .. c.Steps[(i + 1)..]] };
    }
}

/// <summary>The algebra of layouts against a model that cannot be wrong: an array that lists which storage element each position shows.</summary>
public class LayoutProperties
{
    [Fact]
    public void Chains_of_views_show_what_the_naive_model_shows() =>
        FsCheck.Check.One(Gens.Fixed(2000), Prop.ForAll(Gens.Chains, chain => Disagreement(chain, Apply) is not { } text ? true : throw new InvalidOperationException(text)));

    [Fact]
    public void A_broken_view_is_shrunk_to_one_step()
    {
        // A flip that forgets to move the offset.
        static Layout Broken(Layout l, ViewStep s) => s.Kind == "Flip" && l.Rank > 0 ? l.Slice(s.A % l.Rank, 0, l.Dims[s.A % l.Rank], -1) : Apply(l, s);
        var failure = Record.Exception(() => FsCheck.Check.One(Gens.Fixed(500), Prop.ForAll(Gens.Chains, chain => Disagreement(chain, Broken) is null)));
        Assert.NotNull(failure);
        Assert.Contains("Of([2]).Flip(0, 0, 0)", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Broadcasting_is_symmetric_and_stretches_both_sides() => FsCheck.Check.One(Gens.Fixed(1000), Prop.ForAll(Arb.From(Gens.BroadcastablePair()), pair =>
    {
        Shape a = pair.A, b = pair.B;
        var both = Shape.Broadcast(a, b);
        return both is { } shape && Shape.Broadcast(b, a) == shape && Shape.Broadcast(shape, a) == shape && Layout.Of(a).Expand(shape) is not null
            && Layout.Of(b).Expand(shape) is not null && shape.Rank == Math.Max(a.Rank, b.Rank);
    }));

    [Fact]
    public void Shapes_that_do_not_broadcast_are_refused() => FsCheck.Check.One(Gens.Fixed(1000), Prop.ForAll(Arb.From(Gens.Dims(4, 4, 1)), Arb.From(Gens.Dims(4, 4, 1)), (x, y) =>
    {
        bool fits = true;
        for (int i = 1; i <= Math.Min(x.Length, y.Length); i++)
            fits &= x[^i] == y[^i] || x[^i] == 1 || y[^i] == 1;
        return Shape.Broadcast(x, y) is not null == fits;
    }));

    [Fact]
    public void Copies_through_any_layout_keep_every_element() => FsCheck.Check.One(Gens.Fixed(500), Prop.ForAll(Gens.Chains, chain =>
    {
        using var scope = TensorScope.Begin("copy");
        var x = Tensor.Arange(0, Shape.Create(chain.Dims).Count, 1, DType.F64).Reshape(Shape.Create(chain.Dims));
        var layout = chain.Steps.Aggregate(x.Layout, Apply);
        var view = x.View(layout);
        double[] expected = [.. Model(chain)!.Value.Elements.Select(e => (double)e)];
        return view.Contiguous().ToArray<double>().SequenceEqual(expected) && (view + 0).ToArray<double>().SequenceEqual(expected)
            && view.To(DType.I64).ToArray<long>().Select(v => (double)v).SequenceEqual(expected);
    }));

    private static Layout Apply(Layout l, ViewStep s)
    {
        if (s.Kind == "Expand")
            return l.Rank == Shape.MaxRank ? l : l.Expand([1 + s.A % 3, .. l.Dims.ToArray().Select((d, i) => d == 1 && (s.B >> (i % 6)) % 2 == 1 ? 1 + s.C % 3 : d)])!;
        if (s.Kind == "Reshape")
            return l.Reshape(Regroup(l.Dims.ToArray(), s)) ?? l;
        if (l.Rank == 0)
            return l;
        int dim = s.A % l.Rank;
        long n = l.Dims[dim];
        return s.Kind switch
        {
            "Permute" => l.Permute(Order(l.Rank, s)),
            "Slice" => Cut(n, s) is var (start, length, step) ? l.Slice(dim, start, length, step) : l,
            "Flip" => l.Slice(dim, n == 0 ? 0 : n - 1, n, -1),
            _ => n == 0 ? l : l.Select(dim, s.B % n),
        };
    }

    private static string? Disagreement(ViewChain chain, Func<Layout, ViewStep, Layout> apply)
    {
        var layout = chain.Steps.Aggregate(Layout.Of(chain.Dims), apply);
        if (Model(chain) is not { } model)
            return null;
        if (!layout.Dims.SequenceEqual(model.Dims))
            return $"{chain}: dims {layout.Shape}, the model has {Shape.Format(model.Dims)}";
        var walk = new LayoutWalk(layout);
        for (int i = 0; i < model.Elements.Length; i++)
            if (!walk.Next(out long at) || layout.Offset + at != model.Elements[i])
                return $"{chain}: position {i} shows element {layout.Offset + at}, the model {model.Elements[i]}";
        var (min, max) = layout.Extent();
        bool dense = model.Elements.Select((e, i) => e == model.Elements[0] + i).All(x => x);
        if (layout.IsDense != dense && model.Elements.Length > 1)
            return $"{chain}: IsDense is {layout.IsDense}";
        if (model.Elements.Length > 0 && (min != model.Elements.Min() || max != model.Elements.Max()))
            return $"{chain}: extent {min}..{max}, the model has {model.Elements.Min()}..{model.Elements.Max()}";
        return null;
    }

    // Dims and the storage element shown at each row-major position, by index arithmetic on coordinates.
    private static (long[] Dims, long[] Elements)? Model(ViewChain chain)
    {
        long[] dims = chain.Dims, elements = [.. Enumerable.Range(0, (int)Shape.Create(dims).Count).Select(i => (long)i)];
        var layout = Layout.Of(chain.Dims);
        foreach (var s in chain.Steps)
        {
            (dims, elements) = Step(dims, elements, s, reshapes: s.Kind != "Reshape" || layout.Reshape(Regroup(dims, s)) is not null);
            layout = Apply(layout, s);
        }
        return (dims, elements);
    }

    private static (long[] Dims, long[] Elements) Step(long[] dims, long[] elements, ViewStep s, bool reshapes)
    {
        if (s.Kind == "Reshape")
            return reshapes ? (Regroup(dims, s), elements) : (dims, elements);
        if (s.Kind == "Expand")
        {
            if (dims.Length == Shape.MaxRank)
                return (dims, elements);
            long[] wide = [1 + s.A % 3, .. dims.Select((d, i) => d == 1 && (s.B >> (i % 6)) % 2 == 1 ? 1 + s.C % 3 : d)];
            return Gather(dims, elements, wide, c => [.. c.Skip(1).Select((x, i) => dims[i] == 1 ? 0 : x)]);
        }
        if (dims.Length == 0)
            return (dims, elements);
        int dim = s.A % dims.Length;
        long n = dims[dim];
        switch (s.Kind)
        {
            case "Permute":
                int[] order = Order(dims.Length, s);
                return Gather(dims, elements, [.. order.Select(o => dims[o])], c =>
                {
                    var from = new long[c.Length];
                    for (int i = 0; i < order.Length; i++)
                        from[order[i]] = c[i];
                    return from;
                });
            case "Slice":
                var (start, length, step) = Cut(n, s);
                return Gather(dims, elements, With(dims, dim, length), c => With(c, dim, start + c[dim] * step));
            case "Flip":
                return Gather(dims, elements, dims, c => With(c, dim, n - 1 - c[dim]));
            default:
                return n == 0 ? (dims, elements) : Gather(dims, elements, [.. dims[..dim], .. dims[(dim + 1)..]], c => [.. c[..dim], s.B % n, .. c[dim..]]);
        }
    }

    private static (long[] Dims, long[] Elements) Gather(long[] dims, long[] elements, long[] to, Func<long[], long[]> source)
    {
        var result = new long[Shape.Create(to).Count];
        for (int i = 0; i < result.Length; i++)
        {
            var at = new long[to.Length];
            long rest = i;
            for (int d = to.Length - 1; d >= 0; d--)
                (rest, at[d]) = Math.DivRem(rest, to[d]);
            long flat = 0;
            long[] from = source(at);
            for (int d = 0; d < dims.Length; d++)
                flat = flat * dims[d] + from[d];
            result[i] = elements[flat];
        }
        return (to, result);
    }

    private static long[] With(long[] a, int at, long value) => [.. a[..at], value, .. a[(at + 1)..]];

    private static int[] Order(int rank, ViewStep s) => [.. Enumerable.Range(0, rank).OrderBy(i => (i * (1 + s.B) + s.A) % 7).ThenBy(i => s.C % 2 == 0 ? i : -i)];

    private static (long Start, long Length, long Step) Cut(long n, ViewStep s)
    {
        long start = n == 0 ? 0 : s.B % n, step = 1 + s.C % 3;
        return (start, n == 0 ? 0 : (n - start + step - 1) / step, step);
    }

    // Merge two neighbours, or split one dim in two.
    private static long[] Regroup(long[] dims, ViewStep s)
    {
        if (dims.Length == 0)
            return [1];
        int at = s.A % dims.Length;
        if (s.B % 2 == 0 && at + 1 < dims.Length)
            return [.. dims[..at], dims[at] * dims[at + 1], .. dims[(at + 2)..]];
        return dims.Length < Shape.MaxRank && dims[at] % 2 == 0 ? [.. dims[..at], 2, dims[at] / 2, .. dims[(at + 1)..]] : dims;
    }
}

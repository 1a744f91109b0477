namespace Native.Tests;

/// <summary>Tests of what the process allocates and collects: alone, after the others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class MemoryCollection
{
    public const string Name = "memory";
}

/// <summary>Scopes, the pool under them, the ladder when memory runs out. Each test has a thread, hence an allocator, of its own.</summary>
[Collection(MemoryCollection.Name)]
public class MemoryTests
{
    private static MemoryStats Stats => Ambient.Current.Allocator.Stats;

    [Fact]
    public void Scopes_nest_and_free_their_own() => OpKit.OnFreshThread(() =>
    {
        Tensor outer, inner;
        using (TensorScope.Begin("outer"))
        {
            outer = Tensor.Ones([10]);
            using (TensorScope.Begin("inner"))
            {
                inner = outer + 1;
                Assert.Equal(2, Stats.LiveCount);
            }
            Assert.False(inner.IsAlive);
            Assert.True(outer.IsAlive);
            Assert.Equal(1, Stats.LiveCount);
        }
        Assert.False(outer.IsAlive);
        Assert.Equal((0, 0), (Stats.LiveCount, Stats.Live));
    });

    [Fact]
    public void Keep_hands_one_scope_outward_and_detaches() => OpKit.OnFreshThread(() =>
    {
        Tensor once, twice;
        using (var outer = TensorScope.Begin("outer"))
        {
            using (var inner = TensorScope.Begin("inner"))
            {
                var x = Tensor.Ones([3]).RequireGrad();
                once = inner.Keep(x * 2);
                twice = inner.Keep(x * 3);
                Assert.False(once.RequiresGrad);
            }
            Assert.True(once.IsAlive && twice.IsAlive);
            Assert.Equal(2, Stats.LiveCount);
            twice = outer.Keep(twice);
        }
        Assert.False(once.IsAlive);
        Assert.Equal([3f, 3, 3], twice.ToArray<float>());
        twice.Dispose();
        Assert.Equal(0, Stats.LiveCount);
    });

    [Fact]
    public void Keep_with_its_graph_can_be_differentiated_outside() => OpKit.OnFreshThread(() =>
    {
        var x = Tensor.From([1.0, 2], [2]).RequireGrad();
        Tensor y;
        using (var scope = TensorScope.Begin("forward"))
        {
            var unrelated = Tensor.Ones([1000]);
            y = scope.Keep((x.Exp() * x).Sum(), graph: true);
            Assert.True(unrelated.IsAlive);
        }
        double[] expected = [2 * Math.E, 3 * Math.Exp(2)];
        Assert.Null(OpKit.Difference(expected, Autograd.Grad(y, x).ToArray<double>(), 1e-15, 0));
    });

    [Fact]
    public void A_kept_view_keeps_the_bytes() => OpKit.OnFreshThread(() =>
    {
        Tensor view;
        using (var scope = TensorScope.Begin("views"))
            view = scope.Keep(Tensor.From([1f, 2, 3, 4, 5, 6], [2, 3]).T);
        Assert.Equal([1f, 4, 2, 5, 3, 6], view.ToArray<float>());
        Assert.Equal(1, Stats.LiveCount);
    });

    [Fact]
    public void Use_after_the_scope_names_scope_and_line() => OpKit.OnFreshThread(() =>
    {
        Tensor x, view;
        using (TensorScope.Begin("train-step"))
        {
            x = Tensor.Ones([3]);
            view = x.Reshape(3, 1);
        }
        string message = Assert.Throws<LifetimeException>(() => x.Exp()).Message;
        Assert.Matches(@"^exp: input f32\[3\] was freed when scope 'train-step' \(MemoryTests\.cs:\d+\) closed or released it\. Keep it with scope\.Keep\(t\), or create it outside the scope\.$", message);
        Assert.Throws<LifetimeException>(() => view + view);
        Assert.Throws<LifetimeException>(() => x.Item());
        // The same memory in new hands is not the old tensor.
        var reused = Tensor.Zeros([3]);
        Assert.True(reused.IsAlive);
        Assert.Contains("was freed", Assert.Throws<LifetimeException>(() => x.ToArray<float>()).Message, StringComparison.Ordinal);
    });

    [Fact]
    public void Dispose_frees_at_once_and_only_once() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("dispose");
        var x = Tensor.Ones([1000]);
        var view = x.Reshape(10, 100);
        x.Dispose();
        x.Dispose();
        Assert.Equal(0, Stats.LiveCount);
        Assert.False(view.IsAlive);
        var y = Tensor.Ones([1000]);
        view.Dispose();
        x.Dispose();
        Assert.True(y.IsAlive);
        Assert.Equal(1, Stats.LiveCount);
    });

    [Fact]
    public void Scopes_close_in_order() => OpKit.OnFreshThread(() =>
    {
        var outer = TensorScope.Begin("outer");
        var inner = TensorScope.Begin("inner");
        string message = Assert.Throws<LifetimeException>(outer.Dispose).Message;
        Assert.Matches(@"^scope: scope 'outer' \(MemoryTests\.cs:\d+\) cannot close, because scope 'inner' \(MemoryTests\.cs:\d+\) inside it is still open\.", message);
        Assert.Contains("is not the innermost open scope", Assert.Throws<LifetimeException>(() => outer.Keep(Tensor.Ones([1]))).Message, StringComparison.Ordinal);
        inner.Dispose();
        outer.Dispose();
        outer.Dispose();
        Assert.Null(Ambient.Current.Scope);
    });

    [Fact]
    public void Outside_a_scope_memory_belongs_to_whoever_holds_it() => OpKit.OnFreshThread(() =>
    {
        Tensor lasting;
        using (TensorScope.Begin("step"))
        {
            using (TensorScope.Outside())
                lasting = Tensor.Ones([5]);
            _ = Tensor.Ones([5]);
        }
        Assert.Equal([1f, 1, 1, 1, 1], lasting.ToArray<float>());
        Assert.Equal(1, Stats.LiveCount);
    });

    [Fact]
    public void Parameters_and_their_gradients_outlive_the_step() => OpKit.OnFreshThread(() =>
    {
        var x = Tensor.Ones([4]);
        Parameter w;
        using (TensorScope.Begin("step"))
        {
            w = Parameter.From(x * 2, "w");
            (w * x).Sum().Backward();
        }
        Assert.Equal([1f, 1, 1, 1], w.Grad!.ToArray<float>());
        Assert.Equal(3, Stats.LiveCount);
    });

    [Fact]
    public void A_steady_loop_asks_the_device_for_nothing_new() => OpKit.OnFreshThread(() =>
    {
        Parameter w;
        using (TensorScope.Begin("build"))
            w = Parameter.From(Tensor.Ones([64, 64]), "w");
        long fresh = 0;
        for (int step = 0; step < 20; step++)
        {
            using (TensorScope.Begin("step"))
            {
                var x = Tensor.Full([64, 64], 0.01 * step);
                ((w * x).Tanh() + (w - x).Square()).Sum().Backward();
            }
            if (step == 2)
                fresh = Stats.Fresh;
        }
        Assert.True(fresh > 0);
        Assert.Equal(fresh, Stats.Fresh);
        Assert.Equal(2, Stats.LiveCount);
    });

    [Fact]
    public void Backward_frees_its_temporaries_as_it_goes() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("chain");
        var x = Tensor.Ones([1 << 16]).RequireGrad();
        var y = x;
        for (int i = 0; i < 50; i++)
            y = y.Sin();
        var s = y.Sum();
        long before = Stats.Live;
        Ambient.Current.Allocator.ResetPeak();
        s.Backward();
        // The gradient of x, and the few that one sine's backward needs.
        Assert.True(Stats.Peak - before <= 6 * x.ByteSize, $"backward held {(Stats.Peak - before) / x.ByteSize} gradients at once");
        // What stays: the gradient of x, and the scalar 1 that backward started from.
        Assert.InRange(Stats.Live - before, x.ByteSize, x.ByteSize + 64);
    });

    [Fact]
    public void At_the_limit_the_message_has_the_numbers() => OpKit.OnFreshThread(() =>
    {
        Ambient.Current.Allocator.Limit = 8 << 20;
        using var outer = TensorScope.Begin("outer");
        var first = Tensor.Zeros([1 << 20]);
        using var step = TensorScope.Begin("step");
        var second = Tensor.Zeros([1 << 18]);
        string message = Assert.Throws<TensorMemoryException>(() => Tensor.Zeros([1 << 20])).Message;
        Assert.Matches(@"^memory: cannot allocate 4 MiB on cpu; live 5 MiB, cached 0 B, largest free block 0 B, limit 8 MiB; " +
            @"scope 'outer' \(MemoryTests\.cs:\d+\) holds 4 MiB, scope 'step' \(MemoryTests\.cs:\d+\) holds 1 MiB, no scope holds 0 B\. Use a smaller batch, close a scope earlier, or raise --mem-limit\.$", message);
        // Not fatal: something smaller still fits, and so does the same after a release.
        _ = Tensor.Zeros([1 << 19]);
        first.Dispose();
        Assert.True(Tensor.Zeros([1 << 20]).IsAlive && second.IsAlive);
    });

    [Fact]
    public void Before_giving_up_the_cache_is_returned_and_the_unreachable_collected() => OpKit.OnFreshThread(() =>
    {
        Ambient.Current.Allocator.Limit = 8 << 20;
        using (TensorScope.Begin("warm"))
            _ = Tensor.Zeros([1 << 20]);
        Assert.Equal(4 << 20, Stats.Cached);
        // Another size class: the cached 4 MiB do not fit it and must go back.
        using (TensorScope.Begin("other"))
            _ = Tensor.Zeros([(1 << 20) + (1 << 19)]);
        for (int i = 0; i < 20; i++)
            Drop();
        Assert.True(Stats.Live <= 8 << 20);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Drop() => _ = Tensor.Zeros([1 << 20]);
    });

    // The allocator's promise: 256 MiB of what no scope owns, and the block just rented. Twice that block, for the one still on the stack.
    private const long UnscopedBound = (256 + 2 * 4) << 20;

    [Fact]
    public void Tensors_that_no_scope_owns_are_collected_in_time() => OpKit.OnFreshThread(() =>
    {
        for (int i = 0; i < 1024; i++)
            _ = Tensor.Empty([1 << 20]);
        Assert.True(Stats.Peak <= UnscopedBound, $"4 GiB of dropped tensors peaked at {Stats.Peak >> 20} MiB");
        Assert.True(Stats.Peak > 128 << 20, $"the test dropped {Stats.Peak >> 20} MiB at most");
    });

    [Fact]
    public void Old_tensors_that_no_scope_owns_are_collected_in_time() => OpKit.OnFreshThread(() =>
    {
        Hold();
        for (int i = 0; i < 256; i++)
            _ = Tensor.Empty([1 << 20]);
        Assert.True(Stats.Peak <= UnscopedBound, $"2 GiB of dropped tensors, some of them old, peaked at {Stats.Peak >> 20} MiB");

        // What a busy process does to tensors that live for a while, done on purpose: two collections put them into the oldest generation.
        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Hold()
        {
            var held = Enumerable.Range(0, 60).Select(_ => Tensor.Empty([1 << 20])).ToArray();
#pragma warning disable RS0030 // The collector is what is tested.
            GC.Collect();
            GC.Collect();
#pragma warning restore RS0030
            Assert.All(held, t => Assert.True(t.IsAlive));
        }
    });

    [Fact]
    public void Another_thread_may_dispose() => OpKit.OnFreshThread(() =>
    {
        var x = Tensor.Ones([1000]);
        var allocator = Ambient.Current.Allocator;
        OpKit.OnFreshThread(x.Dispose);
        Assert.False(x.IsAlive);
        // The block joins the pool when the owner asks for the next one.
        long fresh = Stats.Fresh;
        var y = Tensor.Ones([1000]);
        Assert.Equal(fresh, Stats.Fresh);
        Assert.Equal(1, allocator.Stats.LiveCount);
        Assert.True(y.IsAlive);
    });

    [Fact]
    public void A_scope_of_another_thread_cannot_be_closed() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("mine");
        var mine = scope;
        OpKit.OnFreshThread(() =>
        {
            Assert.Contains("it belongs to another thread", Assert.Throws<LifetimeException>(mine.Dispose).Message, StringComparison.Ordinal);
            Assert.Throws<LifetimeException>(() => mine.Keep(Tensor.Ones([1])));
        });
    });

    [Fact]
    public void Allocation_stacks_are_recorded_on_request() => OpKit.OnFreshThread(() =>
    {
        Ambient.Current.Watch |= Watch.Leaks;
        var x = Tensor.Ones([2]);
        Assert.Contains(nameof(Allocation_stacks_are_recorded_on_request), x.Storage.AllocatedAt!, StringComparison.Ordinal);
    });

    [Fact]
    public void Fresh_memory_is_poisoned_in_tests() => OpKit.OnFreshThread(() =>
    {
        Assert.All(Tensor.Empty([5]).ToArray<float>(), v => Assert.True(float.IsNaN(v)));
        Assert.All(Tensor.Empty([5], DType.I64).ToArray<long>(), v => Assert.Equal(-1, v));
    });

    [Fact]
    public void Size_classes_waste_at_most_a_quarter() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("classes");
        for (long n = 16; n < 1 << 18; n += 1 + n / 7)
        {
            var t = Tensor.Empty([n]);
            Assert.InRange(t.Storage.Bytes, t.ByteSize, Math.Max(64, t.ByteSize * 5 / 4 + 1));
            t.Dispose();
        }
    });
}

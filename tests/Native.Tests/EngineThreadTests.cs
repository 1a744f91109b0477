namespace Native.Tests;

/// <summary>Graphs and leaves that meet more than one thread, and gradients that would share memory.</summary>
public class EngineThreadTests
{
    private static void OnAnotherThread(Action body)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                thrown = e;
            }
        });
        thread.Start();
        thread.Join();
        if (thrown is not null)
            throw new InvalidOperationException("the other thread failed", thrown);
    }

    [Fact]
    public void A_graph_begun_on_one_thread_is_differentiated_on_another()
    {
        var w = Tensor.From<double>(2).RequireGrad();
        var h = w;
        for (int i = 0; i < 50; i++)
            h += 0.0;
        double exact = 2 * 2 + Math.Exp(2);
        OnAnotherThread(() =>
        {
            (h * h + h.Exp()).Sum().Backward(retainGraph: true);
            Assert.Equal(exact, w.Grad!.Item(), 1e-12);
            Assert.Equal(exact, Autograd.Grad((h * h + h.Exp()).Sum(), w).Item(), 1e-12);
        });
    }

    [Fact]
    public void Threads_may_differentiate_with_respect_to_the_same_leaf()
    {
        var w = Tensor.From(Enumerable.Range(0, 1000).Select(i => i * 0.001).ToArray(), [1000]).RequireGrad();
        var wrong = new int[2];
        using var start = new Barrier(2);
        // Threads of their own that begin together: a pool may run two short bodies one after the other, and then nothing is tested.
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(k => new Thread(() =>
        {
            double[] expected = [.. w.ToArray<double>().Select(v => (k + 1) * Math.Exp((k + 1) * v))];
            start.SignalAndWait();
            for (int i = 0; i < 3000; i++)
            {
                using var scope = TensorScope.Begin();
                double[] g = Autograd.Grad((w * (k + 1)).Exp().Sum(), [w], allowUnused: true)[0].ToArray<double>();
                if (g.Zip(expected).Any(p => !(Math.Abs(p.First - p.Second) <= 1e-12 * p.Second)))
                    wrong[k]++;
            }
        }))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.Equal([0, 0], wrong);
    }

    [Fact]
    public void A_leaf_of_another_threads_scope_gets_a_gradient_that_lives()
    {
        using var scope = TensorScope.Begin();
        var x = Tensor.From<double>(3).RequireGrad();
        OnAnotherThread(() =>
        {
            using (TensorScope.Begin())
                x.Square().Sum().Backward();
            Assert.Equal(6, x.Grad!.Item());
        });
        Assert.Equal(6, x.Grad!.Item());
    }

    [Fact]
    public void A_tensor_disposed_elsewhere_leaves_nothing_in_the_scope_of_its_owner()
    {
        int before = Ambient.Current.Mark;
        for (int i = 0; i < 20; i++)
        {
            using var scope = TensorScope.Begin();
            var t = Tensor.Zeros([10]);
            OnAnotherThread(t.Dispose);
            OnAnotherThread(t.Dispose);
        }
        Assert.Equal(before, Ambient.Current.Mark);
    }

    [Fact]
    public void Returned_gradients_have_memory_of_their_own()
    {
        Tensor x = Tensor.From<double>(1, 2).RequireGrad(), y = Tensor.From<double>(3, 4).RequireGrad();
        var g = Autograd.Grad((x + y).Sum(), [x, y]);
        g[0].Dispose();
        Assert.Equal([1, 1], g[1].ToArray<double>());
        var seed = Tensor.From<double>(5, 6);
        var gx = Autograd.Grad(x.Reshape(2, 1).Reshape(2), x, seed);
        gx.AddInPlace(1);
        Assert.Equal([5, 6], seed.ToArray<double>());
    }

    [Fact]
    public void Releasing_activations_spares_a_leaf_that_was_saved_through_a_view()
    {
        using var scope = TensorScope.Begin();
        var x = Tensor.From<double>(1, 2, 3).RequireGrad();
        x.Reshape(3, 1).Square().Sum().Backward(releaseActivations: true);
        Assert.Equal([1, 2, 3], x.ToArray<double>());
        Assert.Equal([2, 4, 6], x.Grad!.ToArray<double>());
    }

    [Fact]
    public void A_gradient_slot_takes_only_what_can_be_added_to()
    {
        var w = Tensor.Zeros([2, 3]).RequireGrad();
        foreach (var bad in new[] { Tensor.Zeros([3, 2]).T, Tensor.Zeros([1, 1]).Expand([2, 3]), Tensor.Zeros([2, 3], DType.F64), Tensor.Zeros([3]) })
            Assert.Contains("must be dense with the same shape, dtype and device", Assert.Throws<GradException>(() => w.Grad = bad).Message, StringComparison.Ordinal);
        w.Grad = Tensor.Ones([2, 3]);
        (w * 2).Sum().Backward();
        Assert.Equal([3, 3, 3, 3, 3, 3], w.Grad!.ToArray<float>());
    }

    [Fact]
    public void A_second_order_gradient_of_an_outer_leaf_survives_scopes()
    {
        var x = Tensor.From<double>(3).RequireGrad();
        for (int i = 0; i < 2; i++)
        {
            using var scope = TensorScope.Begin();
            x.Pow(3).Sum().Backward(createGraph: true);
            Assert.Equal(27, x.Grad!.Item(), 1e-12);
        }
    }

    [Fact]
    public void Functions_that_ask_for_gradients_can_be_checked() =>
        GradCheck.Require(p => Autograd.Grad(p[0].Pow(3).Sum(), p[0], createGraph: true), [Tensor.From<double>(0.5, 2)]);
}

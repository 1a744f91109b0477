using Native.Optim;

namespace Native.Tests;

/// <summary>Optimisers, clipping and schedules against PyTorch's numbers.</summary>
public class OptimGoldenTests
{
    private const double Tolerance = 1e-13;

    [Fact]
    public void SgdStepsLikePyTorch()
    {
        var golden = new NnKit.GoldenFile("sgd");
        foreach (string c in golden.Cases)
        {
            var w = Parameter.From(golden.Tensor($"{c}.w0"));
            using var opt = new Sgd([w], 1, golden.Number($"{c}.momentum"), golden.Number($"{c}.weight_decay"), golden.Number($"{c}.nesterov") != 0);
            Run(golden, c, w, opt, golden.Has($"{c}.buffer") ? [("buffer", "momentum")] : []);
        }
    }

    [Fact]
    public void AdamStepsLikePyTorch()
    {
        var golden = new NnKit.GoldenFile("adam");
        foreach (string c in golden.Cases)
        {
            var w = Parameter.From(golden.Tensor($"{c}.w0"));
            using var opt = new Adam([w], 1, golden.Number($"{c}.beta1"), golden.Number($"{c}.beta2"), golden.Number($"{c}.eps"), golden.Number($"{c}.weight_decay"));
            Run(golden, c, w, opt, [("m", "m"), ("v", "v")]);
        }
    }

    private static void Run(NnKit.GoldenFile golden, string c, Parameter w, Optimizer opt, (string Golden, string Ours)[] moments)
    {
        double[] grads = golden.Array($"{c}.grads"), rates = golden.Array($"{c}.lr"), want = golden.Array($"{c}.w");
        int n = (int)w.Count;
        for (int t = 0; t < rates.Length; t++)
        {
            w.Grad = Tensor.From(grads[(t * n)..((t + 1) * n)], w.Shape);
            opt.Lr = rates[t];
            opt.Step();
            NnKit.Near(want[(t * n)..((t + 1) * n)], w, Tolerance, $"{c} w after step {t}");
            var state = opt.State();
            foreach (var (theirs, ours) in moments)
                NnKit.Near(golden.Array($"{c}.{theirs}")[(t * n)..((t + 1) * n)], state[$"parameter.{ours}"], Tolerance, $"{c} {theirs} after step {t}");
        }
    }

    [Fact]
    public void ClippingLikePyTorch()
    {
        var golden = new NnKit.GoldenFile("clip");
        foreach (string c in golden.Cases)
        {
            var ps = new List<Parameter>();
            foreach (string name in new[] { "ga", "gb" })
                if (golden.Has($"{c}.{name}"))
                {
                    var g = golden.Tensor($"{c}.{name}");
                    var p = Parameter.From(Tensor.ZerosLike(g), name);
                    p.Grad = g;
                    ps.Add(p);
                }
            if (golden.Has($"{c}.clip_value"))
                Clip.GradValue(ps, golden.Number($"{c}.clip_value"));
            else
                NnKit.Near([golden.Number($"{c}.total_norm")], [Clip.GradNorm(ps, golden.Number($"{c}.max_norm"), golden.Number($"{c}.norm_type"))], Tolerance, $"{c} norm");
            foreach (var p in ps)
                NnKit.Near(golden.Array($"{c}.clipped_{p.Name}"), p.Grad!, Tolerance, $"{c} {p.Name}");
        }
    }

    [Fact]
    public void SchedulesLikePyTorch()
    {
        var golden = new NnKit.GoldenFile("schedule");
        foreach (string c in golden.Cases)
        {
            double N(string name) => golden.Number($"{c}.{name}");
            var schedule = c switch
            {
                "step" => Schedule.StepDecay(N("base_lr"), (long)N("step_size"), N("gamma")),
                "multistep" => Schedule.MultiStep(N("base_lr"), [.. golden.Array($"{c}.milestones").Select(m => (long)m)], N("gamma")),
                "exponential" => Schedule.Exponential(N("base_lr"), N("gamma")),
                "cosine" or "cosine_beyond" => Schedule.Cosine(N("base_lr"), (long)N("t_max"), N("eta_min")),
                "warmup" => Schedule.Constant(N("base_lr")).WarmUp((long)N("warmup")),
                _ => throw new UsageException($"no schedule for the case {c}"),
            };
            double[] want = golden.Array($"{c}.lr");
            NnKit.Near(want, [.. want.Select((_, t) => schedule.At(t))], 1e-12, c);
        }
    }
}

namespace Native;

/// <summary>
/// One gradient check. The variables are the floating inputs and, from order 2 on, the incoming gradients; the function compared is
/// G = f at order 1, else the (order-1)-fold contracted gradient of f. Both are handled as flat arrays of doubles.
/// </summary>
internal sealed class GradCheckRun
{
    private readonly Func<Tensor[], Tensor[]> _f;
    private readonly Tensor[] _inputs;
    private readonly int[] _wanted;
    private readonly GradCheckOptions _options;
    private readonly GradCheckReport _report;
    private readonly Generator _random;
    private readonly DType _dtype;
    private readonly double _rtol, _atol, _step;
    private readonly List<Tensor> _cotangents = [];
    private readonly List<double[][]> _contractions = [];
    private readonly int _outputs;
    private readonly double[][] _point;

    public GradCheckRun(Func<Tensor[], Tensor[]> f, Tensor[] inputs, GradCheckOptions options, GradCheckReport report)
    {
        (_f, _inputs, _options, _report) = (f, inputs, options, report);
        _wanted = [.. Enumerable.Range(0, inputs.Length).Where(i => inputs[i].DType.IsFloat())];
        Check.That(_wanted.Length > 0, "gradcheck", "no input is f32 or f64, so there is nothing to differentiate.");
        _random = new Generator(options.Seed).Stream("gradcheck");
        _dtype = _wanted.Any(i => inputs[i].DType == DType.F32) ? DType.F32 : DType.F64;
        bool single = _dtype == DType.F32;
        _rtol = options.RelativeTolerance ?? (single ? 5e-3 : 1e-6);
        _atol = options.AbsoluteTolerance ?? (single ? 2e-3 : 1e-7);
        _step = options.Step ?? Math.Cbrt(Ulp);
        // On tracked inputs, because the function may itself ask for gradients (a penalty, an unrolled optimiser).
        var tracked = Array.ConvertAll(inputs, x => x.DType.IsFloat() ? x.Alias().RequireGrad() : x);
        var ys = f(tracked).Where(y => y.DType.IsFloat()).ToArray();
        _outputs = ys.Length;
        Check.That(_outputs > 0, "gradcheck", $"no output of {options.Name} is f32 or f64, so there is nothing to differentiate.");
        if (options.Order > 1)
            foreach (var y in ys)
                _cotangents.Add(ToTensor(Weights(y.Count, _random), y));
        _point = [.. _wanted.Select(i => Values(inputs[i])), .. options.VaryIncoming ? _cotangents.Select(Values) : []];
    }

    private double Ulp => _dtype == DType.F32 ? 1.1920928955078125e-07 : 2.220446049250313e-16;

    public void Execute()
    {
        using var graph = Evaluate(null);
        double[] value = graph.Flat();
        if (value.Length == 0 || _point.Sum(p => p.Length) == 0)
        {
            // Nothing to compare, but backward must still run and return gradients of the right shape.
            Gradient(graph, Ones(graph.Outputs), checkForm: true);
            return;
        }
        if (_options.Mode == GradCheckMode.Full)
            Full(graph, value);
        else
            Projected(graph, value);
    }

    private void Full(Graph graph, double[] value)
    {
        var rows = new double[value.Length][];
        for (int o = 0; o < value.Length; o++)
        {
            var w = new double[value.Length];
            w[o] = 1;
            rows[o] = Gradient(graph, w, checkForm: o == 0);
        }
        for (int k = 0, variable = 0; variable < _point.Length; variable++)
            for (int e = 0; e < _point[variable].Length; e++, k++)
            {
                var line = new Line(this, Unit(k), value);
                for (int o = 0; o < value.Length; o++)
                {
                    int output = o;
                    string where = $"d out[{o}] / d {Element(variable, e)}";
                    Compare(line, c => c[output], rows[o][k] * line.Scale, line.Scale, where, k);
                }
            }
    }

    private void Projected(Graph graph, double[] value)
    {
        for (int d = 0; d < _options.Directions; d++)
        {
            double[] w = Weights(value.Length, _random), v = Weights(_point.Sum(p => p.Length), _random);
            double[] g = Gradient(graph, w, checkForm: d == 0);
            Scale(v);
            var line = new Line(this, v, value);
            double Component(double[] c) => Dot(w, c);
            if (line.FindKink(Component) is not null)
            {
                DropKinks(w, v, g, value);
                line = new Line(this, v, value);
            }
            int failed = _report.Failed;
            Compare(line, Component, Dot(g, v), 1, $"projection {d} (u'Jv)", null);
            if (_report.Failed > failed && _options.Localize && v.Length <= 512)
                Localize(w, g, value);
        }
    }

    // A kink somewhere on the line: look at each element by itself, report, and take it out of the direction.
    private void DropKinks(double[] w, double[] v, double[] g, double[] value)
    {
        for (int k = 0, variable = 0; variable < _point.Length; variable++)
            for (int e = 0; e < _point[variable].Length; e++, k++)
            {
                var line = new Line(this, Unit(k), value);
                if (line.FindKink(c => Dot(w, c)) is not { } kink)
                    continue;
                Judge(kink, g[k] * line.Scale, Element(variable, e), _point[variable][e]);
                v[k] = 0;
            }
    }

    private void Localize(double[] w, double[] g, double[] value)
    {
        GradCheckFinding? worst = null;
        for (int k = 0, variable = 0; variable < _point.Length; variable++)
            for (int e = 0; e < _point[variable].Length; e++, k++)
            {
                var line = new Line(this, Unit(k), value);
                var (numeric, bar) = line.Slope(c => Dot(w, c));
                var finding = Finding($"d (u'out) / d {Element(variable, e)}", g[k], numeric / line.Scale, bar / line.Scale);
                if (worst is null || finding.Badness > worst.Badness)
                    worst = finding;
            }
        _report.Localized(worst!);
    }

    private void Compare(Line line, Func<double[], double> component, double analytic, double scale, string where, int? element)
    {
        if (element is { } k && line.FindKink(component) is { } kink)
        {
            int variable = 0;
            for (; k >= _point[variable].Length; variable++)
                k -= _point[variable].Length;
            Judge(kink, analytic, Element(variable, k), _point[variable][k]);
            return;
        }
        var (numeric, bar) = line.Slope(component);
        _report.Judge(Finding(where, analytic / scale, numeric / scale, bar / scale));
    }

    private void Judge((double Left, double Right) kink, double analytic, string element, double at)
    {
        string text = $"kink of {_options.Name} at {element} = {at:R}: slopes {kink.Left:G6} from the left, {kink.Right:G6} from the right";
        _report.Kink(text);
        if (_options.Kinks == KinkPolicy.Fail)
            _report.Problem($"{text}. Move the input away, or choose KinkPolicy.Skip or Subgradient.");
        else if (_options.Kinks == KinkPolicy.Subgradient)
            _report.Judge(Finding($"subgradient at {element}", analytic, Math.Clamp(analytic, Math.Min(kink.Left, kink.Right), Math.Max(kink.Left, kink.Right)), 0));
    }

    private GradCheckFinding Finding(string where, double analytic, double numeric, double bar) =>
        new(where, analytic, numeric, bar, _atol + _rtol * Math.Max(Math.Abs(analytic), Math.Abs(numeric)), UlpDistance(analytic, numeric));

    private string Element(int variable, long flat)
    {
        var t = variable < _wanted.Length ? _inputs[_wanted[variable]] : _cotangents[variable - _wanted.Length];
        var index = new long[t.Rank];
        for (int d = t.Rank - 1; d >= 0; d--)
            (flat, index[d]) = Math.DivRem(flat, t.Layout.Dims[d]);
        return $"{(variable < _wanted.Length ? $"input {_wanted[variable]}" : $"incoming gradient {variable - _wanted.Length}")} {Shape.Format(index)}";
    }

    private double[] Gradient(Graph graph, double[] w, bool checkForm)
    {
        double[] g = Flatten(graph.Gradient(w));
        if (!checkForm)
            return g;
        var tensors = graph.Gradient(w);
        for (int i = 0; i < tensors.Length; i++)
            if (tensors[i].Shape != graph.Variables[i].Shape || tensors[i].DType != graph.Variables[i].DType)
                _report.Problem($"the gradient of variable {i} is {tensors[i].Describe()}, the variable is {graph.Variables[i].Describe()}");
        if (_options.Repeat && !Bits(g).SequenceEqual(Bits(Flatten(tensors))))
            _report.Problem("two backward passes over the same graph gave different bits");
        if (_options.Repeat)
        {
            using var again = Evaluate(null);
            if (!Bits(g).SequenceEqual(Bits(Flatten(again.Gradient(w)))))
                _report.Problem("two forward and backward passes gave different bits");
        }
        return g;
    }

    /// <summary>Runs f and the lower derivatives at the point, or at a moved one (then on fresh dense inputs).</summary>
    private Graph Evaluate(double[][]? moved)
    {
        var scope = TensorScope.Begin("gradcheck-point");
        var x = (Tensor[])_inputs.Clone();
        for (int i = 0; i < _wanted.Length; i++)
            x[_wanted[i]] = (moved is null ? _inputs[_wanted[i]].Alias() : ToTensor(moved[i], _inputs[_wanted[i]])).RequireGrad();
        Tensor[] inputs = [.. _wanted.Select(i => x[i])], outputs = [.. _f(x).Where(y => y.DType.IsFloat())];
        if (_options.Order == 1)
            return new Graph(scope, inputs, outputs);
        Tensor[] seeds = [.. _cotangents], variables = inputs;
        if (_options.VaryIncoming)
        {
            seeds = [.. _cotangents.Select((c, i) => (moved is null ? c.Alias() : ToTensor(moved[_wanted.Length + i], c)).RequireGrad())];
            variables = [.. inputs, .. seeds];
        }
        outputs = Autograd.Grad(outputs, inputs, seeds, createGraph: true, allowUnused: true);
        for (int k = 2; k < _options.Order; k++)
        {
            if (_contractions.Count < k - 1)
                _contractions.Add([.. outputs.Select(o => Weights(o.Count, _random))]);
            var w = outputs.Select((o, i) => ToTensor(_contractions[k - 2][i], o)).ToArray();
            outputs = Autograd.Grad(outputs, variables, w, createGraph: true, allowUnused: true);
        }
        return new Graph(scope, variables, outputs);
    }

    private double[] ValuesAt(double[] direction, double t)
    {
        var moved = new double[_point.Length][];
        for (int i = 0, k = 0; i < moved.Length; i++)
        {
            moved[i] = (double[])_point[i].Clone();
            for (int e = 0; e < moved[i].Length; e++, k++)
                moved[i][e] += t * direction[k];
        }
        using var graph = Evaluate(moved);
        return graph.Flat();
    }

    private double[] Unit(int k)
    {
        var v = new double[_point.Sum(p => p.Length)];
        v[k] = 1;
        Scale(v);
        return v;
    }

    // Large elements take large steps, or the sum with the step would be rounded away.
    private void Scale(double[] v)
    {
        for (int i = 0, k = 0; i < _point.Length; i++)
            for (int e = 0; e < _point[i].Length; e++, k++)
                v[k] *= Math.Max(1, Math.Abs(_point[i][e]));
    }

    private static double[] Ones(Tensor[] outputs)
    {
        var w = new double[outputs.Sum(o => o.Count)];
        Array.Fill(w, 1);
        return w;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    private static IEnumerable<long> Bits(double[] values) => values.Select(BitConverter.DoubleToInt64Bits);

    private static double[] Flatten(Tensor[] tensors) => [.. tensors.SelectMany(Values)];

    private double UlpDistance(double a, double b) => Math.Abs(a - b) / (Math.Max(Math.Abs(a), Math.Abs(b)) is > 0 and var m ? Math.ScaleB(Ulp, Math.ILogB(m)) : double.Epsilon);

    /// <summary>Numbers of size 0.5 to 1.5 and either sign: none small enough to hide an error, few sums that cancel.</summary>
    internal static double[] Weights(long count, Generator random)
    {
        var w = new double[count];
        foreach (ref double e in w.AsSpan())
            e = (0.5 + random.NextDouble()) * (random.NextInt64(2) == 0 ? 1 : -1);
        return w;
    }

    internal static double[] Values(Tensor t) => t.DType == DType.F64 ? t.ToArray<double>() : Array.ConvertAll(t.ToArray<float>(), e => (double)e);

    internal static Tensor ToTensor(double[] values, Tensor like) => like.DType == DType.F64
        ? Tensor.From(values, like.Shape, like.Device)
        : Tensor.From(Array.ConvertAll(values, e => (float)e), like.Shape, like.Device);

    /// <summary>A recorded evaluation, alive until disposed.</summary>
    private sealed class Graph(TensorScope scope, Tensor[] variables, Tensor[] outputs) : IDisposable
    {
        public Tensor[] Variables => variables;

        public Tensor[] Outputs => outputs;

        public double[] Flat() => Flatten(outputs);

        public Tensor[] Gradient(double[] w)
        {
            var seeds = new Tensor[outputs.Length];
            int at = 0;
            for (int i = 0; i < seeds.Length; i++)
            {
                seeds[i] = ToTensor(w[at..(at + (int)outputs[i].Count)], outputs[i]);
                at += (int)outputs[i].Count;
            }
            return Autograd.Grad(outputs, variables, seeds, retainGraph: true, allowUnused: true);
        }

        public void Dispose() => scope.Dispose();
    }

    /// <summary>The function on a line through the point, remembered at the places asked for.</summary>
    private sealed class Line(GradCheckRun run, double[] direction, double[] atZero)
    {
        private readonly Dictionary<double, double[]> _seen = new() { [0] = atZero };

        /// <summary>Length of a unit direction after scaling.</summary>
        public double Scale { get; } = direction.Max(Math.Abs);

        private double[] At(double t) => _seen.TryGetValue(t, out var v) ? v : _seen[t] = run.ValuesAt(direction, t);

        /// <summary>Slope at 0 and its estimated error. Steps around the default are tried until the error is below half the tolerance.</summary>
        public (double Slope, double Bar) Slope(Func<double[], double> component)
        {
            (double Slope, double Bar) best = (double.NaN, double.NaN);
            foreach (double factor in (ReadOnlySpan<double>)[1, 1.0 / 16, 16])
            {
                double h = run._step * factor;
                double near = (component(At(h)) - component(At(-h))) / (2 * h), far = (component(At(2 * h)) - component(At(-2 * h))) / (4 * h);
                double extrapolated = (4 * near - far) / 3;
                double bar = Math.Abs(extrapolated - near) + 4 * run.Ulp * Magnitude / h;
                double slope = run._options.Points == 4 ? extrapolated : near;
                if (!(best.Bar <= bar))
                    best = (slope, bar);
                if (best.Bar <= 0.5 * (run._atol + run._rtol * Math.Abs(slope)))
                    break;
            }
            return best;
        }

        /// <summary>One-sided slopes that differ, and still differ with a step 16 times smaller; null on smooth ground.</summary>
        public (double Left, double Right)? FindKink(Func<double[], double> component)
        {
            double h = run._step, noise = 8 * run.Ulp * Magnitude / h;
            var (left, right) = Sides(component, h);
            double jump = Math.Abs(right - left);
            double threshold = (run._dtype == DType.F32 ? 0.05 : 1e-3) * Math.Max(Math.Abs(left), Math.Abs(right)) + 8 * noise;
            if (!(jump > threshold))
                return null;
            var (left2, right2) = Sides(component, h / 16);
            double jump2 = Math.Abs(right2 - left2);
            return jump2 > jump / 4 && jump2 > 16 * noise ? (left2, right2) : null;
        }

        private (double Left, double Right) Sides(Func<double[], double> component, double h)
        {
            double zero = component(At(0));
            return ((zero - component(At(-h))) / h, (component(At(h)) - zero) / h);
        }

        // What rounding in the function is proportional to.
        private double Magnitude { get; } = 1 + atZero.Sum(Math.Abs);
    }
}

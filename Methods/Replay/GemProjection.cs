namespace Native.Methods;

/// <summary>
/// The quadratic programme of Gradient Episodic Memory (Lopez-Paz and Ranzato 2017, eq. 11, dual form; released code): of all gradients that raise no
/// memory's loss to first order, the one nearest to the proposed.
/// </summary>
public static class GemProjection
{
    /// <summary>
    /// The v of 1/2 v' P v + q' v -> min subject to v >= lower, for a symmetric positive definite P: in double precision, exactly, by an active set that
    /// only ever improves (Lawson and Hanson, "Solving least squares problems", 1974, chapter 23).
    /// </summary>
    /// <exception cref="NumericException">P is not positive definite, or holds NaN.</exception>
    public static double[] Solve(double[,] p, ReadOnlySpan<double> q, double lower)
    {
        int n = q.Length;
        if (p.GetLength(0) != n || p.GetLength(1) != n || n == 0)
            throw new ShapeException($"gem: a matrix of {p.GetLength(0)} x {p.GetLength(1)} and a vector of {n} do not make a quadratic programme.");
        // w = v - lower >= 0 with c = q + P lower.
        var c = q.ToArray();
        double scale = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                c[i] += p[i, j] * lower;
            scale = Math.Max(scale, Math.Abs(c[i]));
        }
        if (!double.IsFinite(scale))
            throw new NumericException("gem: the products of gradients are not finite. Lower the learning rate.");
        var w = new double[n];
        var free = new bool[n];
        for (int round = 0; round < 100 + 10 * n; round++)
        {
            int best = -1;
            double steepest = 1e-13 * scale;
            for (int i = 0; i < n; i++)
            {
                if (free[i])
                    continue;
                double down = -c[i];
                for (int j = 0; j < n; j++)
                    down -= p[i, j] * w[j];
                if (down > steepest)
                    (best, steepest) = (i, down);
            }
            if (best < 0)
                return Array.ConvertAll(w, x => x + lower);
            free[best] = true;
            Settle(p, c, w, free);
        }
        throw new NumericException($"gem: the quadratic programme of {n} constraints does not settle. Raise epsilon.");
    }

    /// <summary>
    /// The proposed gradient plus v' G, where v solves the programme with P = G G' + epsilon I and q = G g.
    /// </summary>
    /// <param name="gram">G G', one row for each memory.</param>
    /// <param name="along">G g.</param>
    /// <param name="strength">The margin gamma: least value of v.</param>
    /// <param name="epsilon">Added to the diagonal.</param>
    public static double[] Weights(double[,] gram, ReadOnlySpan<double> along, double strength, double epsilon)
    {
        int n = along.Length;
        var p = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                p[i, j] = 0.5 * (gram[i, j] + gram[j, i]) + (i == j ? epsilon : 0);
        return Solve(p, along, strength);
    }

    // The minimum over the free variables; those that would turn negative on the way are bound again, the first first.
    private static void Settle(double[,] p, double[] c, double[] w, bool[] free)
    {
        while (true)
        {
            int[] at = [.. Enumerable.Range(0, w.Length).Where(i => free[i])];
            if (at.Length == 0)
                return;
            var s = SolvePositive(p, c, at);
            double step = 1;
            for (int k = 0; k < at.Length; k++)
                if (s[k] <= 0)
                    step = Math.Min(step, w[at[k]] / (w[at[k]] - s[k]));
            for (int k = 0; k < at.Length; k++)
                w[at[k]] = step == 1 ? s[k] : w[at[k]] + step * (s[k] - w[at[k]]);
            if (step == 1 && s.All(x => x > 0))
                return;
            for (int k = 0; k < at.Length; k++)
                if (s[k] <= 0 && w[at[k]] <= 1e-300 + 1e-15 * Math.Abs(s[k]))
                    (w[at[k]], free[at[k]]) = (0, false);
        }
    }

    // P s = -c on some rows and columns, by Cholesky.
    private static double[] SolvePositive(double[,] p, double[] c, int[] at)
    {
        int n = at.Length;
        var l = new double[n, n];
        var s = new double[n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = p[at[i], at[j]];
                for (int k = 0; k < j; k++)
                    sum -= l[i, k] * l[j, k];
                if (i != j)
                    l[i, j] = sum / l[j, j];
                else
                    l[i, i] = sum > 0 ? Math.Sqrt(sum) : throw new NumericException($"gem: the matrix is not positive definite (pivot {sum:G3}). Raise epsilon.");
            }
            s[i] = -c[at[i]];
            for (int k = 0; k < i; k++)
                s[i] -= l[i, k] * s[k];
            s[i] /= l[i, i];
        }
        for (int i = n - 1; i >= 0; i--)
        {
            for (int k = i + 1; k < n; k++)
                s[i] -= l[k, i] * s[k];
            s[i] /= l[i, i];
        }
        return s;
    }
}

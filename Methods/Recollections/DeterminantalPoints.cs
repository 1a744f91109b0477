namespace Native.Methods;

/// <summary>
/// A determinantal point process of fixed size (Kulesza and Taskar 2012, "Determinantal point processes for machine learning", algorithms 1 and 8), the diverse sampling that
/// Scalable Recollections tried first: k of n points with probability proportional to the determinant of their similarities. In double precision.
/// </summary>
public static class DeterminantalPoints
{
    private const int MaxSweeps = 100;

    /// <summary>Draws k different points, in no order.</summary>
    /// <param name="similarity">L, a symmetric positive semi-definite matrix [n, n], row after row.</param>
    /// <param name="count">k.</param>
    /// <param name="random">Draws.</param>
    /// <exception cref="UsageException">The matrix has fewer than k directions.</exception>
    public static int[] Choose(ReadOnlySpan<float> similarity, int count, Generator random)
    {
        int n = (int)Math.Sqrt(similarity.Length);
        if (n * n != similarity.Length || count < 1 || count > n)
            throw new UsageException($"DPP: {count} points of {similarity.Length} similarities; from 1 to n of n x n are wanted.");
        var matrix = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                matrix[i, j] = 0.5 * ((double)similarity[i * n + j] + similarity[j * n + i]);
        var (values, vectors) = Eigen(matrix);
        return Points(Directions(values, vectors, count, random), random);
    }

    /// <summary>Eigenvalues, and eigenvectors as columns, of a symmetric matrix: Jacobi's cyclic rotations.</summary>
    internal static (double[] Values, double[,] Vectors) Eigen(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        double[,] a = (double[,])matrix.Clone(), v = new double[n, n];
        double norm = 0;
        for (int i = 0; i < n; i++)
        {
            v[i, i] = 1;
            for (int j = 0; j < n; j++)
                norm += a[i, j] * a[i, j];
        }
        if (!double.IsFinite(norm))
            throw new NumericException("DPP: a similarity is no number.");
        for (int sweep = 0; sweep < MaxSweeps; sweep++)
        {
            double off = 0;
            for (int p = 0; p < n; p++)
                for (int q = p + 1; q < n; q++)
                    off += a[p, q] * a[p, q];
            if (off <= 1e-26 * norm)
                break;
            for (int p = 0; p < n; p++)
                for (int q = p + 1; q < n; q++)
                    Rotate(a, v, p, q);
        }
        return ([.. Enumerable.Range(0, n).Select(i => a[i, i])], v);
    }

    private static void Rotate(double[,] a, double[,] v, int p, int q)
    {
        if (a[p, q] == 0)
            return;
        double theta = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double t = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + Math.Sqrt(theta * theta + 1)), c = 1 / Math.Sqrt(t * t + 1), s = t * c;
        int n = a.GetLength(0);
        for (int k = 0; k < n; k++)
            (a[k, p], a[k, q]) = (c * a[k, p] - s * a[k, q], s * a[k, p] + c * a[k, q]);
        for (int k = 0; k < n; k++)
            (a[p, k], a[q, k]) = (c * a[p, k] - s * a[q, k], s * a[p, k] + c * a[q, k]);
        for (int k = 0; k < n; k++)
            (v[k, p], v[k, q]) = (c * v[k, p] - s * v[k, q], s * v[k, p] + c * v[k, q]);
    }

    // Algorithm 8: k eigenvectors, a set with probability proportional to the product of its eigenvalues, by elementary symmetric polynomials.
    private static List<double[]> Directions(double[] values, double[,] vectors, int count, Generator random)
    {
        int n = values.Length;
        double largest = values.Max();
        // Scaled, so that products of many stay in range; what rounding made negative is 0.
        double[] lambda = Array.ConvertAll(values, v => largest > 0 && v > 1e-12 * largest ? v / largest : 0);
        int rank = lambda.Count(l => l > 0);
        if (rank < count)
            throw new UsageException($"DPP: {count} points of similarities of rank {rank}: no {count} of them have a determinant above 0. Draw fewer.");
        var e = new double[count + 1, n + 1];
        for (int j = 0; j <= n; j++)
            e[0, j] = 1;
        for (int i = 1; i <= count; i++)
            for (int j = 1; j <= n; j++)
                e[i, j] = e[i, j - 1] + lambda[j - 1] * e[i - 1, j - 1];
        var chosen = new List<double[]>();
        for (int j = n, left = count; left > 0; j--)
            if (random.NextDouble() * e[left, j] < lambda[j - 1] * e[left - 1, j - 1])
            {
                chosen.Add([.. Enumerable.Range(0, n).Select(i => vectors[i, j - 1])]);
                left--;
            }
        return chosen;
    }

    // Algorithm 1, second half: a point with probability by the squared lengths of its row, then what is orthogonal to it.
    private static int[] Points(List<double[]> basis, Generator random)
    {
        int n = basis[0].Length;
        var points = new List<int>();
        while (basis.Count > 0)
        {
            double u = random.NextDouble() * basis.Count;
            int point = -1;
            for (int i = 0; i < n && (point < 0 || u >= 0); i++)
            {
                double weight = points.Contains(i) ? 0 : basis.Sum(b => b[i] * b[i]);
                if (weight > 0)
                    point = i;
                u -= weight;
            }
            points.Add(point);
            int pivot = Enumerable.Range(0, basis.Count).MaxBy(b => Math.Abs(basis[b][point]));
            double[] gone = basis[pivot];
            basis.RemoveAt(pivot);
            foreach (double[] b in basis)
                Add(b, gone, -b[point] / gone[point]);
            for (int k = 0; k < basis.Count; k++)
            {
                for (int before = 0; before < k; before++)
                    Add(basis[k], basis[before], -Dot(basis[k], basis[before]));
                double length = Math.Sqrt(Dot(basis[k], basis[k]));
                for (int i = 0; i < n; i++)
                    basis[k][i] /= length;
            }
        }
        return [.. points];
    }

    private static void Add(double[] to, double[] what, double times)
    {
        for (int i = 0; i < to.Length; i++)
            to[i] += times * what[i];
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}

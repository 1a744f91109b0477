namespace Native.Methods;

/// <summary>
/// Minimum sum of squared similarities (Scalable Recollections, algorithm 3, after Bouneffouf and Birol 2015): landmarks that are unlike one another. Two points at random; then again
/// and again, of a random subset of the rest, the one whose squared similarities to the landmarks so far have the smallest sum.
/// </summary>
public static class Msss
{
    /// <summary>Chooses landmarks, in the order of choice.</summary>
    /// <param name="similarity">[n, n] similarities, row after row.</param>
    /// <param name="landmarks">m, at least 2.</param>
    /// <param name="random">Draws the first two and the subsets.</param>
    /// <param name="subset">gamma: the share of the remaining points that a step looks at, at least one of them.</param>
    /// <returns>m different points. Of equal sums the first in the order of the points counts.</returns>
    /// <exception cref="UsageException">There are fewer points than landmarks, or a similarity is no number.</exception>
    public static int[] Choose(ReadOnlySpan<float> similarity, int landmarks, Generator random, double subset = 1)
    {
        int n = (int)Math.Sqrt(similarity.Length);
        if (n * n != similarity.Length || landmarks < 2 || landmarks > n)
            throw new UsageException($"MSSS: {landmarks} landmarks of {similarity.Length} similarities; from 2 to n landmarks of n x n are wanted.");
        if (subset is not (> 0 and <= 1))
            throw new UsageException($"MSSS: a subset of {subset} of the points is none. Give more than 0, up to 1.");
        int[] rest = [.. Enumerable.Range(0, n)], chosen = new int[landmarks];
        var sums = new double[n];
        for (int i = 0, left = n; i < landmarks; i++, left--)
        {
            int at = i < 2 ? (int)random.NextInt64(left) : Smallest(rest.AsSpan(0, left), sums, random, subset);
            int point = chosen[i] = rest[at];
            // In order, so that equal sums fall to the first point whatever was drawn before.
            rest.AsSpan(at + 1, left - at - 1).CopyTo(rest.AsSpan(at));
            for (int p = 0; p < n; p++)
                sums[p] += (double)similarity[point * n + p] * similarity[point * n + p];
        }
        return chosen;
    }

    private static int Smallest(Span<int> rest, double[] sums, Generator random, double subset)
    {
        int look = Math.Max(1, (int)Math.Round(subset * rest.Length));
        int[]? drawn = look == rest.Length ? null : [.. random.Permutation(rest.Length)[..look].Select(i => (int)i).Order()];
        int best = -1;
        for (int k = 0; k < look; k++)
        {
            int at = drawn is null ? k : drawn[k];
            if (!double.IsFinite(sums[rest[at]]))
                throw new NumericException($"MSSS: the squared similarities of point {rest[at]} sum to {sums[rest[at]]}.");
            if (best < 0 || sums[rest[at]] < sums[rest[best]])
                best = at;
        }
        return best;
    }
}

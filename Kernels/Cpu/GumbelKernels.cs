using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Relaxed samples of a categorical distribution, with the bits of the operations they consist of.</summary>
internal static unsafe class GumbelKernels
{
    // One division and what the softmax costs.
    private const long Cost = 4;

    /// <summary>soft [outer, n, inner] = softmax((logits + noise) / tau) along n; hard, unless null, the one-hot of its largest, the first of equals.</summary>
    public static void Run<T>(long outer, long n, long inner, T* logits, T* noise, T tau, T* soft, T* hard) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Chunks.For(Chunks.CeilDiv(outer * n * inner, Vector512<T>.Count), Cost * Vector512<T>.Count, (start, end) =>
        {
            var by = Vector512.Create(tau);
            for (long i = start * Vector512<T>.Count; i < Math.Min(end * Vector512<T>.Count, outer * n * inner); i += Vector512<T>.Count)
            {
                long left = outer * n * inner - i;
                Lanes.Put((Lanes.At(logits + i, left) + Lanes.At(noise + i, left)) / by, soft + i, left);
            }
        });
        // In place: each line is read before it is written.
        SoftmaxKernels.Softmax(outer, n, inner, soft, soft);
        if (hard == null)
            return;
        Chunks.For(outer * inner, n * Cost, (start, end) =>
        {
            for (long line = start; line < end; line++)
            {
                long at = line / inner * n * inner + line % inner, best = 0;
                // A line with a NaN is NaN throughout: its first wins.
                for (long i = 1; i < n; i++)
                    if (soft[at + i * inner] > soft[at + best * inner])
                        best = i;
                for (long i = 0; i < n; i++)
                    hard[at + i * inner] = i == best ? T.One : T.Zero;
            }
        });
    }
}

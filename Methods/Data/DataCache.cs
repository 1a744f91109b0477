using System.Runtime.CompilerServices;

namespace Native.Methods;

/// <summary>
/// Data sets as loaded, the latest first, up to a budget of bytes: many runs in one process read a set once. Keys name the folder and what was asked
/// of it. Sets are never changed, so sharing them is safe.
/// </summary>
internal static class DataCache
{
    /// <summary>MNIST, CIFAR-10 and Omniglot together; MiniImageNet alone is more, and is read anew.</summary>
    private const long Budget = 512L << 20;

    private static readonly Lock Gate = new();
    private static readonly List<(string Key, object Loaded, long Bytes)> Recent = [];
    private static readonly ConditionalWeakTable<byte[], ImageSet> Enlarged = [];

    /// <summary>What is kept under a key, or what loading yields.</summary>
    /// <param name="key">The folder and what was asked of it.</param>
    /// <param name="load">Reads it.</param>
    /// <param name="sets">The sets in it, for their sizes.</param>
    public static T Get<T>(string key, Func<T> load, Func<T, ItemSet[]> sets) where T : notnull
    {
        lock (Gate)
            if (Recent.FindIndex(r => r.Key == key) is >= 0 and var at)
            {
                var kept = Recent[at];
                Recent.RemoveAt(at);
                Recent.Insert(0, kept);
                return (T)kept.Loaded;
            }
        // Outside the lock: another set may be loaded meanwhile, and twice the same one is no harm.
        var loaded = load();
        long bytes = sets(loaded).Sum(s => s is ImageSet i ? (long)i.Pixels.Length : ((TextSet)s).Utf8.Length);
        lock (Gate)
        {
            Recent.RemoveAll(r => r.Key == key);
            Recent.Insert(0, (key, loaded, bytes));
            while (Recent.Sum(r => r.Bytes) > Budget)
                Recent.RemoveAt(Recent.Count - 1);
        }
        return loaded;
    }

    /// <summary>A set at 32 x 32, bilinear; made once for as long as the original is in use.</summary>
    public static ImageSet At32(ImageSet set) => Enlarged.GetValue(set.Pixels, _ => Resample.Bilinear(set, 32, 32));
}

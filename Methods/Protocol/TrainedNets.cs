using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Native.Nn;

namespace Native.Methods;

/// <summary>
/// Networks that many runs share, by everything that decides their bits: a teacher, an auto-encoder, a meta-learned generator. One that was trained in this process is taken over by the runs
/// after it; where a folder is named (<see cref="In"/>), by those of other processes too.
/// </summary>
public static class TrainedNets
{
    private const int Kept = 32;
    private const string KeyField = "key", FlopsField = "flops", StepsField = "steps";

    private static readonly AsyncLocal<string?> Where = new();
    private static readonly Dictionary<string, (OrderedDictionary<string, HostArray> Values, Work Work)> Known = new(StringComparer.Ordinal);
    private static readonly Lock Gate = new();

    /// <summary>Trained networks are kept in a folder and looked for there, until the result is disposed. It must belong to one version of the engine.</summary>
    public static IDisposable In(string folder)
    {
        var before = new Before(Where.Value);
        Where.Value = folder;
        return before;
    }

    /// <summary>Puts the values trained under a key into an equal network, and counts the work that they took as this run's. False when there are none.</summary>
    /// <exception cref="DataFormatException">The file of that key is damaged or of another key.</exception>
    internal static bool TryAdopt(string key, Module net, out Work work)
    {
        if (Find(key) is not var (values, done))
        {
            work = default;
            return false;
        }
        using var scope = TensorScope.Begin("adopt");
        using var constant = Autograd.NoGrad();
        foreach (var (name, t) in net.State())
            t.CopyInPlace(Tensor.From(values[name], t.Device));
        Work.TakeOver(done);
        work = done;
        return true;
    }

    /// <summary>Keeps a trained network under its key.</summary>
    internal static void Remember(string key, Module net, Work work)
    {
        var values = new OrderedDictionary<string, HostArray>(StringComparer.Ordinal);
        foreach (var (name, t) in net.State())
            values.Add(name, t.ToHostArray());
        if (PathOf(key) is { } path)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            Safetensors.Write(path, values, [new(KeyField, key), new(FlopsField, Text(work.Flops)), new(StepsField, Text(work.OptimizerSteps))]);
            return;
        }
        lock (Gate)
        {
            if (Known.Count == Kept)
                Known.Clear();
            Known[key] = (values, work);
        }
    }

    private static (OrderedDictionary<string, HostArray> Values, Work Work)? Find(string key)
    {
        if (PathOf(key) is not { } path)
            lock (Gate)
                return Known.TryGetValue(key, out var known) ? known : null;
        if (!File.Exists(path))
            return null;
        var file = Safetensors.Read(path);
        string of = file.Metadata.GetValueOrDefault(KeyField, "");
        if (of != key)
            throw new DataFormatException($"trained: {path} holds '{of}', not '{key}'. Delete it to train anew.");
        return (file.Arrays, new Work(Number(file.Metadata[FlopsField]), Number(file.Metadata[StepsField])));
    }

    private static string? PathOf(string key) => Where.Value is not { } folder ? null
        : Path.Combine(folder, $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..16]}.safetensors");

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private sealed class Before(string? folder) : IDisposable
    {
        public void Dispose() => Where.Value = folder;
    }
}

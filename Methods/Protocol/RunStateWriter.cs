using System.Globalization;
using System.Runtime.InteropServices;
using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Collects copies of a run's state in memory; <see cref="Save"/> writes them. One safetensors file, whose header is JSON: tensors and arrays
/// are its data, numbers and generators its <c>__metadata__</c>. One file, so that one rename replaces all of it.
/// </summary>
public sealed class RunStateWriter : RunState
{
    private readonly OrderedDictionary<string, HostArray> _arrays = new(StringComparer.Ordinal);
    private readonly OrderedDictionary<string, string> _fields = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override bool Loading => false;

    /// <inheritdoc/>
    public override void Module(string name, Module module)
    {
        foreach (var (path, t) in module.State())
            Add($"{name}.{path}", t.ToHostArray());
        foreach (var (path, p) in module.NamedParameters())
        {
            if (p.Grad is { } g)
                Add($"{name}.{path}{RunStateFile.Gradient}", g.ToHostArray());
            if (p.GradMask is { } mask)
                Add($"{name}.{path}{RunStateFile.Mask}", mask.ToHostArray());
        }
        byte[] training = [.. Parts(module).Select(m => (byte)(m.Training ? 1 : 0))];
        Bytes($"{name}{RunStateFile.Training}", ref training);
    }

    /// <inheritdoc/>
    public override void Optimizer(string name, Optimizer optimizer)
    {
        using var scope = TensorScope.Begin("save");
        foreach (var (path, t) in optimizer.State())
            Add($"{name}.{path}", t.ToHostArray());
        double[] rates = [.. optimizer.Groups.SelectMany(g => new[] { g.Lr, g.WeightDecay })];
        Doubles($"{name}{RunStateFile.Rates}", ref rates);
    }

    /// <inheritdoc/>
    public override void Generator(string name, Generator generator) =>
        Add(name, $"{generator.State.Key:x16}:{generator.State.Counter:x16}");

    /// <inheritdoc/>
    public override void Tensor(string name, ref Tensor? tensor)
    {
        if (tensor is not null)
            Add(name, tensor.ToHostArray());
        else
            Add(name, RunStateFile.Null);
    }

    /// <inheritdoc/>
    public override void Bytes(string name, ref byte[] values) => AddArray<byte>(name, values);

    /// <inheritdoc/>
    public override void Ints(string name, ref int[] values) => AddArray<int>(name, values);

    /// <inheritdoc/>
    public override void Longs(string name, ref long[] values) => AddArray<long>(name, values);

    /// <inheritdoc/>
    public override void Singles(string name, ref float[] values) => AddArray<float>(name, values);

    /// <inheritdoc/>
    public override void Doubles(string name, ref double[] values) => AddArray<double>(name, values);

    /// <inheritdoc/>
    public override void Number(string name, ref long value) => Add(name, value.ToString(CultureInfo.InvariantCulture));

    /// <inheritdoc/>
    public override void Real(string name, ref double value) => Add(name, $"{BitConverter.DoubleToUInt64Bits(value):x16}");

    /// <inheritdoc/>
    public override void Flag(string name, ref bool value) => Add(name, value ? "true" : "false");

    /// <inheritdoc/>
    public override void Text(string name, ref string value) => Add(name, value);

    /// <summary>SHA-256 of everything collected: equal for states of equal bits, whatever the order of the description.</summary>
    public string Digest() => RunStateFile.Digest(_arrays, _fields);

    /// <summary>Writes everything collected to a file, atomically, with a digest of it all.</summary>
    public void Save(string path) =>
        Safetensors.Write(path, _arrays, [.. _fields, KeyValuePair.Create(RunStateFile.DigestField, Digest())]);

    private void AddArray<T>(string name, T[] values) where T : unmanaged => Add(name, HostArray.From<T>([values.Length], values));

    private void Add(string name, HostArray array)
    {
        CheckNew(name);
        _arrays.Add(name, array);
    }

    private void Add(string name, string field)
    {
        CheckNew(name);
        _fields.Add(name, field);
    }

    private void CheckNew(string name)
    {
        if (name.Length == 0 || name == RunStateFile.DigestField || _arrays.ContainsKey(name) || _fields.ContainsKey(name))
            throw new UsageException($"state: the name '{name}' is empty, reserved or used twice. Give each part of the state its own name.");
    }
}

/// <summary>What writer and reader agree on.</summary>
internal static class RunStateFile
{
    public const string Gradient = "#grad", Mask = "#mask", Training = "#training", Rates = "#rates", Null = "null", DigestField = "sha256";

    /// <summary>SHA-256 over names, types, shapes and bytes of the arrays, then names and texts of the fields, all in order of name.</summary>
    public static string Digest(IReadOnlyDictionary<string, HostArray> arrays, IReadOnlyDictionary<string, string> fields)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var (name, a) in arrays.OrderBy(a => a.Key, StringComparer.Ordinal))
        {
            Append(hash, $"{name}\0{a.DType.Name()}\0{a.Shape}\0");
            hash.AppendData(a.Data);
        }
        foreach (var (name, text) in fields.Where(f => f.Key != DigestField).OrderBy(f => f.Key, StringComparer.Ordinal))
            Append(hash, $"{name}\0{text}\0");
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(System.Security.Cryptography.IncrementalHash hash, string text) => hash.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
}

using System.Globalization;
using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Reads back what a <see cref="RunStateWriter"/> saved. Names, shapes and types must be those of the description; at the end
/// <see cref="Finish"/> demands that nothing in the file was left unread.
/// </summary>
public sealed class RunStateReader : RunState
{
    private readonly string _path;
    private readonly SafetensorsFile _file;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal) { RunStateFile.DigestField };

    /// <summary>Opens a saved state.</summary>
    /// <exception cref="DataFormatException">The file is damaged or something else.</exception>
    /// <exception cref="UsageException">There is no such file.</exception>
    public RunStateReader(string path)
    {
        (_path, _file) = (path, Safetensors.Read(path));
        if (!_file.Metadata.TryGetValue(RunStateFile.DigestField, out string? digest))
            throw Bad("it has no digest, so it is no saved state");
        if (digest != RunStateFile.Digest(_file.Arrays, _file.Metadata))
            throw Bad("its digest does not fit its content, so it is damaged");
    }

    /// <inheritdoc/>
    public override bool Loading => true;

    /// <inheritdoc/>
    public override void Module(string name, Module module)
    {
        using var scope = TensorScope.Begin("load");
        using var constant = Autograd.NoGrad();
        foreach (var (path, t) in module.State())
            t.CopyInPlace(Native.Tensor.From(Array($"{name}.{path}", t), t.Device));
        foreach (var (path, p) in module.NamedParameters())
        {
            RestoreGradient($"{name}.{path}{RunStateFile.Gradient}", p);
            p.GradMask = Has($"{name}.{path}{RunStateFile.Mask}") ? Native.Tensor.From(Array($"{name}.{path}{RunStateFile.Mask}", p), p.Device) : null;
        }
        byte[] training = [];
        Bytes($"{name}{RunStateFile.Training}", ref training);
        var parts = Parts(module).ToList();
        if (parts.Count != training.Length)
            throw Bad($"'{name}' has {training.Length} parts there and {parts.Count} here");
        for (int i = 0; i < training.Length; i++)
            _ = training[i] == 1 ? parts[i].Train() : parts[i].Eval();
    }

    /// <inheritdoc/>
    public override void Optimizer(string name, Optimizer optimizer)
    {
        double[] rates = [];
        Doubles($"{name}{RunStateFile.Rates}", ref rates);
        if (rates.Length != 2 * optimizer.Groups.Count)
            throw Bad($"'{name}' has {rates.Length / 2} groups of parameters there and {optimizer.Groups.Count} here");
        for (int i = 0; i < optimizer.Groups.Count; i++)
            (optimizer.Groups[i].Lr, optimizer.Groups[i].WeightDecay) = (rates[2 * i], rates[2 * i + 1]);
        using var scope = TensorScope.Begin("load");
        var state = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (string key in _file.Arrays.Keys.Where(k => k.StartsWith($"{name}.", StringComparison.Ordinal)))
        {
            _used.Add(key);
            state.Add(key[(name.Length + 1)..], Native.Tensor.From(_file.Arrays[key], Device.Cpu));
        }
        optimizer.Load(state);
    }

    /// <inheritdoc/>
    public override void Generator(string name, Generator generator)
    {
        string text = Field(name);
        generator.State = text.Length == 33 && text[16] == ':'
            && ulong.TryParse(text.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong key)
            && ulong.TryParse(text.AsSpan(17), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong counter)
            ? (key, counter) : throw Bad($"'{name}' is '{text}', which is no generator");
    }

    /// <inheritdoc/>
    public override void Tensor(string name, ref Tensor? tensor)
    {
        tensor?.Dispose();
        if (_file.Metadata.ContainsKey(name))
        {
            tensor = Field(name) == RunStateFile.Null ? null : throw Bad($"'{name}' is '{Field(name)}', which is no tensor");
            return;
        }
        using var outside = TensorScope.Outside();
        tensor = Native.Tensor.From(Array(name));
    }

    /// <inheritdoc/>
    public override void Bytes(string name, ref byte[] values) => values = Values<byte>(name);

    /// <inheritdoc/>
    public override void Ints(string name, ref int[] values) => values = Values<int>(name);

    /// <inheritdoc/>
    public override void Longs(string name, ref long[] values) => values = Values<long>(name);

    /// <inheritdoc/>
    public override void Singles(string name, ref float[] values) => values = Values<float>(name);

    /// <inheritdoc/>
    public override void Doubles(string name, ref double[] values) => values = Values<double>(name);

    /// <inheritdoc/>
    public override void Number(string name, ref long value) =>
        value = long.TryParse(Field(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long v) ? v
            : throw Bad($"'{name}' is '{Field(name)}', which is no integer");

    /// <inheritdoc/>
    public override void Real(string name, ref double value) =>
        value = ulong.TryParse(Field(name), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong bits) ? BitConverter.UInt64BitsToDouble(bits)
            : throw Bad($"'{name}' is '{Field(name)}', which is no number in hexadecimal bits");

    /// <inheritdoc/>
    public override void Flag(string name, ref bool value) => value = Field(name) switch
    {
        "true" => true,
        "false" => false,
        var other => throw Bad($"'{name}' is '{other}', which is no truth value"),
    };

    /// <inheritdoc/>
    public override void Text(string name, ref string value) => value = Field(name);

    /// <summary>Demands that everything in the file was read: what is left over belongs to another description.</summary>
    /// <exception cref="DataFormatException">Something was not.</exception>
    public void Finish()
    {
        var left = _file.Arrays.Keys.Concat(_file.Metadata.Keys).Where(k => !_used.Contains(k)).ToList();
        if (left.Count > 0)
            throw Bad($"it holds {left.Count} parts that this run does not have, '{left[0]}' first");
    }

    private bool Has(string name) => _file.Arrays.ContainsKey(name);

    // The flat block of a network keeps its addresses, so a gradient that exists is written in place.
    private void RestoreGradient(string name, Parameter p)
    {
        if (!Has(name))
        {
            p.Grad?.Dispose();
            p.Grad = null;
            return;
        }
        if (p.Grad is null)
            using (TensorScope.Outside())
                p.Grad = Native.Tensor.Zeros(p.Shape, p.DType, p.Device);
        p.Grad!.CopyInPlace(Native.Tensor.From(Array(name, p), p.Device));
    }

    private T[] Values<T>(string name) where T : unmanaged
    {
        var array = Array(name);
        return array.DType == DTypes.Of<T>() && array.Shape.Rank == 1 ? array.As<T>()
            : throw Bad($"'{name}' is {array.DType.Name()}{array.Shape}, not a list of {DTypes.Of<T>().Name()}");
    }

    private HostArray Array(string name, Tensor target)
    {
        var array = Array(name);
        return array.DType == target.DType && array.Shape == target.Shape ? array
            : throw Bad($"'{name}' is {array.DType.Name()}{array.Shape} there and {target.DType.Name()}{target.Shape} here");
    }

    private HostArray Array(string name)
    {
        _used.Add(name);
        return _file.Arrays.TryGetValue(name, out var array) ? array : throw Bad($"it lacks '{name}'");
    }

    private string Field(string name)
    {
        _used.Add(name);
        return _file.Metadata.TryGetValue(name, out string? text) ? text : throw Bad($"it lacks '{name}'");
    }

    private DataFormatException Bad(string what) =>
        new($"state: {_path} cannot be continued from: {what}. Delete it to begin this run anew.");
}

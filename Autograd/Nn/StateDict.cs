namespace Native.Nn;

/// <summary>Parameters and buffers of a module by path, to and from safetensors. Loading is strict: names, shapes and dtypes must all match.</summary>
public static class StateDict
{
    extension(Module module)
    {
        /// <summary>Every parameter and buffer by path: the module's own tensors, not copies.</summary>
        public OrderedDictionary<string, Tensor> State()
        {
            var state = new OrderedDictionary<string, Tensor>(StringComparer.Ordinal);
            foreach (var (name, p) in module.NamedParameters())
                state.Add(name, p);
            foreach (var (name, b) in module.NamedBuffers())
                state.Add(name, b);
            return state;
        }

        /// <summary>Writes parameters and buffers to a safetensors file, atomically.</summary>
        public void Save(string path) => Write(path, module.State());

        /// <summary>Copies parameters and buffers from a safetensors file. Nothing is changed unless everything fits.</summary>
        /// <exception cref="UsageException">The file lacks a name, or has one too many.</exception>
        /// <exception cref="ShapeException">A shape differs.</exception>
        public void Load(string path) => CopyAll(path, Safetensors.Read(path).Arrays, module.State());

        /// <summary>Copies parameters and buffers from a module of the same build, which may have another dtype and be elsewhere. Nothing is changed unless everything fits.</summary>
        /// <exception cref="UsageException">The other module lacks a name, or has one too many.</exception>
        /// <exception cref="ShapeException">A shape differs.</exception>
        public void CopyFrom(Module other)
        {
            OrderedDictionary<string, Tensor> from = other.State(), to = module.State();
            CheckNames("copy: the other module", [.. from.Keys], [.. to.Keys], "Build both modules alike.");
            foreach (var (name, target) in to)
                Check.ShapeIs(from[name], target.Shape, "copy", name);
            using var scope = TensorScope.Begin("copy");
            using var constant = Autograd.NoGrad();
            foreach (var (name, target) in to)
                target.CopyInPlace(from[name].To(target.DType).To(target.Device));
        }
    }

    private static void CheckNames(string what, HashSet<string> have, HashSet<string> want, string advice)
    {
        var missing = want.Where(k => !have.Contains(k)).ToList();
        var extra = have.Where(k => !want.Contains(k)).ToList();
        if (missing.Count + extra.Count > 0)
            throw new UsageException($"{what} does not fit; missing: {List(missing)}; not expected: {List(extra)}. {advice}");
    }

    internal static void Write(string path, IEnumerable<KeyValuePair<string, Tensor>> state) =>
        Safetensors.Write(path, state.Select(s => KeyValuePair.Create(s.Key, s.Value.ToHostArray())));

    /// <summary>Copies arrays into tensors of the same names; all checks come before the first copy.</summary>
    internal static void CopyAll(string path, IReadOnlyDictionary<string, HostArray> from, IReadOnlyDictionary<string, Tensor> to)
    {
        CheckNames($"load: {path}", [.. from.Keys], [.. to.Keys], "Build the module as it was when saved.");
        foreach (var (name, target) in to)
        {
            if (from[name].Shape != target.Shape)
                throw new ShapeException($"load: '{name}' of {path} has shape {from[name].Shape}, the module's has {target.Shape}. Build the module as it was when saved.");
            if (from[name].DType != target.DType)
                throw new DTypeException($"load: '{name}' of {path} is {from[name].DType.Name()}, the module's is {target.DType.Name()}. Build the module with that dtype.");
        }
        using var scope = TensorScope.Begin("load");
        foreach (var (name, target) in to)
        {
            CopyKernels.Copy(Tensor.From(from[name], target.Device), target);
            target.Storage.BumpVersion();
        }
    }

    private static string List(List<string> names) =>
        names.Count == 0 ? "none" : string.Join(", ", names.Take(5)) + (names.Count > 5 ? $" and {names.Count - 5} more" : "");
}

using System.Text;
using System.Text.RegularExpressions;

namespace Native;

/// <summary>
/// A set of CUDA kernels compiled together, once per element type: the program is a prologue that names the type, the headers, and the family's own
/// text. The names of the kernels are read from the text, so that none can be forgotten.
/// </summary>
internal sealed partial class KernelFamily
{
    private static readonly List<KernelFamily> Families = [];

    private readonly Func<DType, string> _text;
    private readonly List<CudaKernel> _launched = [];

    /// <summary>A family whose text is the resource <c>NAME.cu</c>.</summary>
    public KernelFamily(string name, params DType[] dtypes) : this(name, _ => Resource($"{name}.cu"), dtypes)
    {
    }

    /// <summary>A family whose text is generated.</summary>
    public KernelFamily(string name, Func<DType, string> text, params DType[] dtypes)
    {
        Name = name;
        _text = text;
        DTypes = dtypes;
        lock (Families)
            Families.Add(this);
    }

    /// <summary>Every family that has been touched so far.</summary>
    public static IReadOnlyList<KernelFamily> All
    {
        get
        {
            lock (Families)
                return [.. Families];
        }
    }

    public string Name { get; }

    /// <summary>The kernels that somebody launches.</summary>
    public IReadOnlyList<CudaKernel> Launched
    {
        get
        {
            lock (_launched)
                return [.. _launched];
        }
    }

    /// <summary>Element types it is compiled for.</summary>
    public IReadOnlyList<DType> DTypes { get; }

    /// <summary>Names of the kernels for an element type, without its suffix.</summary>
    public IReadOnlyList<string> Entries(DType dtype) => [.. Entry().Matches(_text(dtype)).Select(m => m.Groups["name"].Value)];

    /// <summary>
    /// A kernel's own part of the text: from the comment before it to the brace that closes it. A generated one is given with the line above it, which holds
    /// its row's formula.
    /// </summary>
    public string Text(string kernel, DType dtype)
    {
        string[] lines = _text(dtype).Split('\n');
        int at = Array.FindIndex(lines, l => Entry().Match(l) is { Success: true } m && m.Groups["name"].Value == kernel);
        if (at < 0)
            throw new KernelException($"{kernel}: the text of {Name} for {dtype.Name()} has no such kernel.");
        int from = at, to = at;
        while (from > 0 && lines[from - 1].Length > 0 && lines[from - 1] != "}")
            from--;
        while (to < lines.Length - 1 && lines[to] != "}" && !(lines[to].Contains('{') && lines[to].EndsWith('}')))
            to++;
        if (!lines[at].Contains('{'))
            return string.Join('\n', lines[from..(to + 1)]);
        // A generated kernel is one line; the formula of its row is the nearest line above that is no kernel.
        int formula = Array.FindLastIndex(lines, at, l => !Entry().IsMatch(l));
        return $"{lines[formula]}\n{lines[at]}";
    }

    internal void Add(CudaKernel kernel)
    {
        lock (_launched)
            _launched.Add(kernel);
    }

    /// <summary>The whole program for one element type.</summary>
    public string Source(DType dtype)
    {
        var s = new StringBuilder();
        s.Append("#define NAT_T ").AppendLine(CType(dtype)).Append("#define NAT_NAME ").AppendLine(dtype.Name());
        foreach (string header in new[] { "common.cuh", "special.cuh", "random.cuh", "device.cuh" })
            s.Append("#line 1 \"").Append(header).AppendLine("\"").AppendLine(Resource(header));
        return s.Append("#line 1 \"").Append(Name).AppendLine(".cu\"").AppendLine(_text(dtype)).ToString();
    }

    /// <summary>A file of the assembly's CUDA or emulator text.</summary>
    public static string Resource(string name)
    {
        using var stream = typeof(KernelFamily).Assembly.GetManifestResourceStream(name)
            ?? throw new KernelException($"{name}: the kernel text is not in this build.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Several files as one text; messages of the compiler name the file.</summary>
    public static string Join(params string[] files) => string.Concat(files.Select(f => $"#line 1 \"{f}\"\n{Resource(f)}\n"));

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static string CType(DType dtype) => dtype switch
    {
        DType.F32 => "float",
        DType.F64 => "double",
        DType.I32 => "int",
        DType.I64 => "long long",
        DType.U8 => "unsigned char",
        _ => "bool",
    };

    [GeneratedRegex(@"^KERNEL(_SYNC)?\((?<name>\w+),", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Entry();
}

/// <summary>One kernel of a family; the handle to it is looked up once per device and element type.</summary>
internal sealed class CudaKernel
{
    private static int count;

    private readonly int _id = Interlocked.Increment(ref count) - 1;

    public CudaKernel(KernelFamily family, string name)
    {
        (Family, Name) = (family, name);
        family.Add(this);
    }

    public KernelFamily Family { get; }

    /// <summary>Name without the type's suffix.</summary>
    public string Name { get; }

    /// <summary>The driver's handle of the kernel for an element type; loads the family at the first call.</summary>
    public nint Function(CudaBackend backend, CudaDevice device, DType dtype)
    {
        int index = (_id * 8) + (int)dtype;
        var known = backend.Functions;
        return index < known.Length && known[index] != 0 ? known[index] : backend.Load(device, this, dtype, index);
    }
}

using System.Reflection;
using System.Text.RegularExpressions;

namespace Native.Tests;

/// <summary>Rules of the code base that a compiler does not enforce.</summary>
public partial class RulesTests
{
    private static readonly string[] Order = ["Native.Tensor", "Native.Kernels", "Native.Autograd", "Native.Methods", "native"];

    // Files that may be long, each with its reason.
    private static readonly Dictionary<string, string> Long = new(StringComparer.Ordinal);

    private static Assembly[] Assemblies => [.. Order.Select(Assembly.Load)];

    [Fact]
    public void The_readme_explains_every_switch()
    {
        string readme = File.ReadAllText(Path.Combine(OpKit.Root, "README.md"));
        Assert.Empty(Env.All.Where(s => !readme.Contains($"`{s.Name}`", StringComparison.Ordinal)).Select(s => s.Name));
    }

    [Fact]
    public void Folders_reference_only_what_is_to_their_left()
    {
        for (int i = 0; i < Order.Length; i++)
            foreach (var reference in Assembly.Load(Order[i]).GetReferencedAssemblies().Where(r => r.Name!.StartsWith("Native.", StringComparison.Ordinal)))
                Assert.True(Array.IndexOf(Order, reference.Name) is >= 0 and var at && at < i, $"{Order[i]} references {reference.Name}");
    }

    [Fact]
    public void Pointers_stay_below_Autograd()
    {
        foreach (string folder in (string[])["Autograd", "Methods", "Benchmarks"])
        {
            foreach (string project in Directory.EnumerateFiles(Path.Combine(OpKit.Root, folder), "*.csproj"))
                Assert.DoesNotContain("AllowUnsafeBlocks", File.ReadAllText(project), StringComparison.Ordinal);
            foreach (var (file, text) in Sources(folder))
                Assert.False(Unsafe().IsMatch(text), $"{file} uses unsafe code");
        }
    }

    [Fact]
    public void Native_functions_are_declared_in_their_places_only()
    {
        // libcuda, NVRTC, cuBLAS, the emulator's kernels and libjpeg-turbo are called through pointers found by name, in these; nothing else calls native code.
        string[] allowed = ["Tensor/Cuda/", "Kernels/CudaRuntimeCompiler.cs", "Kernels/CudaBlas.cs", "Kernels/Emulator/", "Tensor/Formats/TurboJpeg.cs"];
        foreach (string folder in (string[])["Tensor", "Kernels", "Autograd", "Methods", "Benchmarks"])
            foreach (var (file, text) in Sources(folder).Where(s => !allowed.Any(a => s.File.StartsWith(a, StringComparison.Ordinal))))
                Assert.False(NativeCall().IsMatch(text), $"{file} calls native code");
        foreach (var method in Assemblies.SelectMany(a => a.GetTypes()).SelectMany(t => t.GetMethods(Everything)))
            Assert.False(method.Attributes.HasFlag(MethodAttributes.PinvokeImpl), $"{method.DeclaringType}.{method.Name} binds a library at build time");
    }

    [Fact]
    public void Formulas_of_rows_capture_nothing()
    {
        foreach (var row in OpTable.All)
        {
            Delegate[] formulas = row.Op switch { UnaryOp u => u.Formulas, BinaryOp b => b.Formulas, _ => [] };
            foreach (var f in formulas)
                Assert.True(f.Target is null || f.Target.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Length == 0,
                    $"a vjp of {row.Name} captures variables; rows are shared by every application");
        }
    }

    [Fact]
    public void Only_three_classes_have_finalizers()
    {
        var found = Assemblies.SelectMany(a => a.GetTypes())
            .Where(t => t.GetMethod("Finalize", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly) is not null)
            .Select(t => t.FullName!.Replace('+', '.')).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(["Native.CachingAllocator", "Native.Scratch.Buffers", "Native.Storage"], found);
    }

    [Fact]
    public void Files_are_short_enough_to_read()
    {
        string[] kinds = [".cs", ".cu", ".cuh"];
        var longer = Files("").Where(f => kinds.Contains(Path.GetExtension(f), StringComparer.Ordinal))
            .Select(f => (File: Path.GetRelativePath(OpKit.Root, f).Replace('\\', '/'), Lines: File.ReadLines(f).Count())).Where(s => s.Lines > 400 && !Long.ContainsKey(s.File)).ToList();
        Assert.True(longer.Count == 0, "above 400 lines: " + string.Join(", ", longer.Select(l => $"{l.File} ({l.Lines})")));
        foreach (var (file, reason) in Long)
        {
            Assert.True(File.Exists(Path.Combine(OpKit.Root, file)), $"{file} is excused but does not exist");
            Assert.NotEqual("", reason);
        }
    }

    [Fact]
    public void No_file_names_a_path_of_one_machine()
    {
        // Written in pieces, so that this file passes its own test.
        string[] forbidden = ["../" + "shared", "/" + "work/", "/" + "home/", "/" + "root/", "C:" + "\\Users"];
        string[] kinds = [".cs", ".cu", ".cuh", ".md", ".sh", ".py", ".csproj", ".props", ".targets", ".json", ".txt", ".yml"];
        foreach (string file in Files("").Where(f => kinds.Contains(Path.GetExtension(f), StringComparer.Ordinal)))
        {
            string text = File.ReadAllText(file);
            foreach (string f in forbidden)
                Assert.False(text.Contains(f, StringComparison.Ordinal), $"{Path.GetRelativePath(OpKit.Root, file)} contains {f}");
        }
    }

    [Fact]
    public void Nothing_is_left_for_later()
    {
        string[] forbidden = ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Exception"];
        foreach (var (file, text) in Sources(""))
            foreach (string f in forbidden)
                Assert.False(text.Contains(f, StringComparison.Ordinal), $"{file} contains {f}");
    }

    [Fact]
    public void Errors_raised_on_purpose_have_a_type_of_ours()
    {
        // A ShapeException tells a user what to do; an ArgumentException tells where our code is.
        foreach (string folder in (string[])["Tensor", "Autograd", "Methods"])
            foreach (var (file, text) in Sources(folder))
                Assert.False(Foreign().IsMatch(text), $"{file} throws {Foreign().Match(text).Value}; use a type of Errors.cs");
    }

    private const BindingFlags Everything = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static IEnumerable<(string File, string Text)> Sources(string folder) =>
        Files(folder).Where(f => f.EndsWith(".cs", StringComparison.Ordinal)).Select(f => (Path.GetRelativePath(OpKit.Root, f).Replace('\\', '/'), File.ReadAllText(f)));

    // Hidden folders and build outputs are not part of the project.
    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(Path.Combine(OpKit.Root, folder), "*", SearchOption.AllDirectories)
            .Where(f => !Path.GetRelativePath(OpKit.Root, f).Split(Path.DirectorySeparatorChar).Any(p => p is "obj" or "bin" or "TestResults" or "artifacts" || p.StartsWith('.')));

    [GeneratedRegex(@"\bunsafe\b(?=\s*(\{|\w+\s))(?<!//.*)")]
    private static partial Regex Unsafe();

    [GeneratedRegex(@"delegate\* unmanaged|\bNativeLibrary\.|\b(Dll|Library)Import\b")]
    private static partial Regex NativeCall();

    [GeneratedRegex(@"throw new (Argument\w*|InvalidOperation|NotSupported|IndexOutOfRange)Exception")]
    private static partial Regex Foreign();
}

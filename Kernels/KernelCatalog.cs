using System.Reflection;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Every CUDA kernel there is: for the tests that compile them all, and for <c>native kernels</c>.</summary>
internal static class KernelCatalog
{
    /// <summary>
    /// All families by name. The rows of pointwise ops and reductions are defined by the assembly above and must have been touched (the op table
    /// does); families whose text is a file of this one are found here.
    /// </summary>
    public static IReadOnlyList<KernelFamily> Families()
    {
        const BindingFlags Statics = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (var type in typeof(KernelCatalog).Assembly.GetTypes())
        {
            if (!type.ContainsGenericParameters && type.GetFields(Statics).Any(f => f.FieldType == typeof(KernelFamily) || f.FieldType == typeof(CudaKernel)))
                RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }
        return [.. KernelFamily.All.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    /// <summary>The family of a name; <see cref="UsageException"/> with the names there are.</summary>
    public static KernelFamily Find(string name)
    {
        var families = Families();
        return families.FirstOrDefault(f => f.Name == name)
            ?? throw new UsageException($"kernels: there is no family '{name}'. There are {string.Join(", ", families.Select(f => f.Name))}.");
    }
}

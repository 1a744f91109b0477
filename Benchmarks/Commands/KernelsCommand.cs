using System.CommandLine;

namespace Native.Benchmarks;

/// <summary><c>native kernels list|source</c>: the CUDA kernels, and the text a compiler is given.</summary>
internal static class KernelsCommand
{
    public static Command Create(Ui ui)
    {
        var list = new Command("list", "Lists every CUDA kernel and the element types it is compiled for.");
        list.SetAction(_ => List(ui));
        var name = new Argument<string>("family") { Description = "A family of `native kernels list`." };
        var dtype = new Option<string>("--dtype") { Description = "Element type.", DefaultValueFactory = _ => "f32", HelpName = "NAME" };
        var source = new Command("source", "Prints the program of a family, headers included, as it is compiled.") { name, dtype };
        source.SetAction(parse => Source(ui, parse.GetValue(name)!, parse.GetValue(dtype)!));
        return new Command("kernels", "The CUDA kernels.") { list, source };
    }

    private static int List(Ui ui)
    {
        ui.Table(["family", "kernel", "element types"], Families().SelectMany(f => f.DTypes
            .SelectMany(t => f.Entries(t).Select(e => (Entry: e, Type: t)))
            .GroupBy(e => e.Entry, StringComparer.Ordinal)
            .Select(g => new[] { f.Name, g.Key, string.Join(' ', g.Select(e => e.Type.Name())) })));
        return App.Success;
    }

    private static int Source(Ui ui, string name, string dtype)
    {
        Families();
        var family = KernelCatalog.Find(name);
        foreach (var t in family.DTypes)
        {
            if (t.Name() != dtype)
                continue;
            ui.Output.Write(family.Source(t));
            return App.Success;
        }
        throw new UsageException($"kernels: {name} is not compiled for '{dtype}'. It is for {string.Join(", ", family.DTypes.Select(t => t.Name()))}.");
    }

    // The op table defines the rows of the generated families.
    private static IReadOnlyList<KernelFamily> Families()
    {
        _ = OpTable.All.Count;
        return KernelCatalog.Families();
    }
}

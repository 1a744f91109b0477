using System.Globalization;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary><c>native kernels list</c>: every kernel, and what it takes of a multiprocessor of each architecture.</summary>
internal static class KernelList
{
    /// <summary>Prints the list, and writes it to a file if one is named. Without NVRTC it names the kernels, and the reason why no more is known.</summary>
    /// <param name="ui">Where.</param>
    /// <param name="families">Which.</param>
    /// <param name="archs">As <c>sm_80</c>.</param>
    /// <param name="json">The file, or null.</param>
    /// <param name="load">The compiler; <see cref="DeviceException"/> when there is none.</param>
    /// <param name="cancel">Stops between two programs.</param>
    public static int Run(Ui ui, IReadOnlyList<KernelFamily> families, string[] archs, string? json, Func<CudaRuntimeCompiler> load, CancellationToken cancel)
    {
        if (json is not null)
            AtomicFile.Probe(json);
        CudaRuntimeCompiler? compiler = null;
        string missing = "";
        try
        {
            compiler = load();
        }
        catch (DeviceException e)
        {
            missing = e.Message;
        }
        var rows = compiler is null ? Names(families) : Measure(ui, compiler, families, archs, cancel);
        if (compiler is null)
        {
            ui.Table(["family", "kernel", "type"], rows.Select(r => new[] { r.Family, r.Kernel, r.Type }));
            ui.Line($"Registers, shared and local memory are not known without NVRTC: {missing}");
        }
        else
        {
            ui.Line($"NVRTC {Driver.VersionText(compiler.Version)} ({compiler.Source})");
            ui.Table(["family", "kernel", "type", "arch", "registers>", "shared B>", "local B>", "spilled B>"], rows.Select(r => new[]
            {
                r.Family, r.Kernel, r.Type, r.Arch, Text(r.Use!.Registers), Text(r.Use.SharedBytes), Text(r.Use.LocalBytes), Text(r.Use.SpillStores + r.Use.SpillLoads),
            }));
        }
        if (json is null)
            return App.Success;
        AtomicFile.WriteJson(json, w => Write(w, compiler, missing, rows));
        ui.Line($"wrote {json}");
        return App.Success;
    }

    private static List<Row> Names(IReadOnlyList<KernelFamily> families) =>
        [.. families.SelectMany(f => f.DTypes.SelectMany(t => f.Entries(t).Select(e => new Row(f.Name, e, t.Name(), "", null))))];

    private static List<Row> Measure(Ui ui, CudaRuntimeCompiler compiler, IReadOnlyList<KernelFamily> families, string[] archs, CancellationToken cancel)
    {
        foreach (string arch in archs)
            KernelsCommand.CheckArch(compiler, arch);
        var cache = KernelCache.Default;
        var rows = new List<Row>();
        foreach (var family in families)
            foreach (var dtype in family.DTypes)
            {
                var reports = new KernelReport[archs.Length];
                for (int i = 0; i < archs.Length; i++)
                {
                    cancel.ThrowIfCancellationRequested();
                    ui.Status($"{family.Name} {dtype.Name()} for {archs[i]}");
                    reports[i] = cache.Reported(compiler, $"{family.Name}_{dtype.Name()}", family.Source(dtype), archs[i]).Report;
                }
                foreach (string entry in family.Entries(dtype))
                    for (int i = 0; i < archs.Length; i++)
                        rows.Add(new(family.Name, entry, dtype.Name(), archs[i], reports[i][$"{entry}_{dtype.Name()}"]));
            }
        ui.EndStatus();
        return rows;
    }

    private static void Write(Utf8JsonWriter w, CudaRuntimeCompiler? compiler, string missing, List<Row> rows)
    {
        if (compiler is null)
            w.WriteString("nvrtcMissing", missing);
        else
            w.WriteString("nvrtc", Driver.VersionText(compiler.Version));
        w.WriteStartArray("kernels");
        foreach (var r in rows)
        {
            w.WriteStartObject();
            w.WriteString("family", r.Family);
            w.WriteString("kernel", r.Kernel);
            w.WriteString("type", r.Type);
            if (r.Use is { } use)
            {
                w.WriteString("arch", r.Arch);
                w.WriteNumber("registers", use.Registers);
                w.WriteNumber("sharedBytes", use.SharedBytes);
                w.WriteNumber("localBytes", use.LocalBytes);
                w.WriteNumber("spillStoreBytes", use.SpillStores);
                w.WriteNumber("spillLoadBytes", use.SpillLoads);
            }
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed record Row(string Family, string Kernel, string Type, string Arch, KernelUse? Use);
}

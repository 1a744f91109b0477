using System.Globalization;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary>One run of one side: what <c>bench steps --json</c> and the peer's script both write.</summary>
/// <param name="Root">The whole object.</param>
/// <param name="Figures">Workload to its figures.</param>
internal sealed record SideFile(JsonElement Root, IReadOnlyDictionary<string, JsonElement> Figures)
{
    /// <summary>The same run with the figures of steps in a CUDA graph; those that could not be had are missing.</summary>
    public SideFile InGraphs => this with { Figures = Graphs };

    private IReadOnlyDictionary<string, JsonElement> Graphs { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>Kind of device, without its number, and whether products were tf32: what must be the same on both sides.</summary>
    public string Setting => $"{(Root.TryGetProperty("device", out var d) ? d.ToString() : "cpu").Split(':')[0]}{(Root.TryGetProperty("tf32", out var t) && t.ValueKind == JsonValueKind.True ? " with tf32" : "")}";

    /// <summary>Reads a file.</summary>
    /// <exception cref="UsageException">It is not there, or is no such file.</exception>
    public static SideFile Read(string path)
    {
        var root = Json(path);
        if (!root.TryGetProperty("eager", out var eager) || eager.ValueKind != JsonValueKind.Object)
            throw new UsageException($"results: {path} has no object 'eager'. Name what bench steps --json or the peer's script wrote.");
        bool graphs = root.TryGetProperty("graph", out var graph) && graph.ValueKind == JsonValueKind.Object;
        return new SideFile(root, Entries(path, eager.EnumerateObject()))
        {
            Graphs = Entries(path, graphs ? graph.EnumerateObject().Where(e => e.Value.ValueKind != JsonValueKind.Object || !e.Value.TryGetProperty("error", out _)) : []),
        };
    }

    private static Dictionary<string, JsonElement> Entries(string path, IEnumerable<JsonProperty> entries)
    {
        var figures = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            foreach (string name in (string[])["median_ms", "min_ms", "steps"])
            {
                if (entry.Value.ValueKind != JsonValueKind.Object || !entry.Value.TryGetProperty(name, out var v) || v.ValueKind != JsonValueKind.Number || !(v.GetDouble() > 0))
                    throw new UsageException($"results: {path}: {entry.Name} has no positive {name}. Name what bench steps --json or the peer's script wrote.");
            }
            if (!figures.TryAdd(entry.Name, entry.Value))
                throw new UsageException($"results: {path} has {entry.Name} twice. Give one file per run.");
        }
        return figures;
    }

    /// <summary>The root of a JSON file.</summary>
    public static JsonElement Json(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new UsageException($"results: {path} holds no JSON object. Name a file that Native or the peer's script wrote.");
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new UsageException($"results: {path} cannot be read; {e.Message}");
        }
    }

    /// <summary>The middle value; of an even number, the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] v = [.. values.Order()];
        return v.Length == 0 ? double.NaN : 0.5 * (v[(v.Length - 1) / 2] + v[v.Length / 2]);
    }
}

/// <summary>
/// Both sides in one sitting. Round i is the i-th file that has the workload, on either side: the two ran next to each other, so the ratio is taken
/// within a round, and the ratio of the sitting is the median over rounds.
/// </summary>
internal sealed record Sitting(string Date, string Machine, string Commit, IReadOnlyList<SideFile> Peer, IReadOnlyList<SideFile> Ours)
{
    /// <summary>What both sides have, in the order of reports.</summary>
    public IReadOnlyList<string> Workloads { get; } = Common(Peer, Ours);

    /// <summary>The same with steps in a CUDA graph, of the workloads where both sides have them in every round; null when there is none.</summary>
    public Sitting? InGraphs
    {
        get
        {
            SideFile[] peer = [.. Peer.Select(f => f.InGraphs)], ours = [.. Ours.Select(f => f.InGraphs)];
            var both = Workloads.Where(n => Count(peer, n) == Count(Peer, n) && Count(ours, n) == Count(Ours, n)).ToHashSet(StringComparer.Ordinal);
            SideFile[] Only(SideFile[] files) => [.. files.Select(f => f with { Figures = f.Figures.Where(p => both.Contains(p.Key)).ToDictionary(StringComparer.Ordinal) })];
            return both.Count > 0 ? new Sitting(Date, Machine, Commit, Only(peer), Only(ours)) : null;
        }
    }

    /// <summary>How many times as fast as the peer, by round.</summary>
    public double[] Ratios(string name) => [.. Values(Peer, name, "median_ms").Zip(Values(Ours, name, "median_ms"), (peer, ours) => peer / ours)];

    /// <summary>Median over rounds of the peer's median step, milliseconds.</summary>
    public double PeerMedian(string name) => SideFile.Median(Values(Peer, name, "median_ms"));

    /// <summary>Median over rounds of Native's median step, milliseconds.</summary>
    public double NativeMedian(string name) => SideFile.Median(Values(Ours, name, "median_ms"));

    /// <summary>The whole sitting, into an open object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteNumber("schema", 1);
        json.WriteString("date", Date);
        json.WriteString("machine", Machine);
        json.WriteString("commit", Commit);
        Copy(json, "native", Ours[0].Root, "native");
        Copy(json, "torch", Peer[0].Root, "torch");
        Copy(json, "device", Ours[0].Root, "device");
        Copy(json, "threads", Ours[0].Root, "threads");
        foreach (string fact in (string[])["device_name", "tf32", "roof_gflops", "roof_gigabytes_per_second"])
            Copy(json, fact, Ours[0].Root, fact);
        Write(json, "workloads");
        InGraphs?.Write(json, "graphs");
    }

    private void Write(Utf8JsonWriter json, string section)
    {
        json.WriteStartObject(section);
        foreach (string name in Workloads)
        {
            double[] ratios = Ratios(name);
            json.WriteStartObject(name);
            json.WriteStartObject("ratio");
            json.WriteNumber("median", SideFile.Median(ratios));
            json.WriteNumber("lowest", ratios.Min());
            json.WriteNumber("highest", ratios.Max());
            Numbers(json, "rounds", ratios);
            json.WriteEndObject();
            Side(json, "peer", Peer, name);
            Side(json, "native", Ours, name);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void Side(Utf8JsonWriter json, string side, IReadOnlyList<SideFile> files, string name)
    {
        double[] medians = Values(files, name, "median_ms");
        json.WriteStartObject(side);
        json.WriteNumber("median_ms", SideFile.Median(medians));
        json.WriteNumber("min_ms", Values(files, name, "min_ms").Min());
        Numbers(json, "medians_ms", medians);
        json.WriteNumber("steps", Values(files, name, "steps").Sum());
        // What is the same in every round, from the first, where the check against f64 ran.
        var first = files.First(f => f.Figures.ContainsKey(name)).Figures[name];
        foreach (string figure in (string[])["peak_bytes", "managed_bytes", "ops", "roof", "pauses", "first_step_difference", "gpu_ms", "host_ms", "launches", "setting"])
            Copy(json, figure, first, figure);
        json.WriteEndObject();
    }

    private static void Copy(Utf8JsonWriter json, string name, JsonElement from, string property)
    {
        if (!from.TryGetProperty(property, out var value))
            return;
        json.WritePropertyName(name);
        value.WriteTo(json);
    }

    private static void Numbers(Utf8JsonWriter json, string name, double[] values)
    {
        json.WriteStartArray(name);
        foreach (double v in values)
            json.WriteNumberValue(v);
        json.WriteEndArray();
    }

    private static double[] Values(IReadOnlyList<SideFile> files, string name, string figure) =>
        [.. files.Where(f => f.Figures.ContainsKey(name)).Select(f => f.Figures[name].GetProperty(figure).GetDouble())];

    private static int Count(IReadOnlyList<SideFile> files, string name) => files.Count(f => f.Figures.ContainsKey(name));

    private static List<string> Common(IReadOnlyList<SideFile> peer, IReadOnlyList<SideFile> ours)
    {
        string[] settings = [.. peer.Concat(ours).Select(f => f.Setting).Distinct(StringComparer.Ordinal)];
        if (settings.Length > 1)
            throw new UsageException($"results: some files were measured on {settings[0]}, some on {settings[1]}. Give the files of one device and one precision.");
        var names = new List<string>();
        foreach (string name in WorkloadTable.All.Select(w => w.Name))
        {
            int p = Count(peer, name), o = Count(ours, name);
            if (p != o)
                throw new UsageException($"results: {name} has {p} rounds of the peer and {o} of Native. Give the files of one sitting, in which both took turns.");
            if (p > 0)
                names.Add(name);
        }
        return names.Count > 0 ? names : throw new UsageException("results: no workload is in the files. Give those of one sitting.");
    }
}

/// <summary>README's table of a recorded sitting.</summary>
internal static class SittingTable
{
    /// <summary>Markdown, line by line.</summary>
    /// <exception cref="UsageException">The file is no record of a sitting.</exception>
    public static IReadOnlyList<string> Lines(string path)
    {
        try
        {
            return [.. Table(path)];
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw new UsageException($"results: {path} is no whole record of a sitting. Name a file that results record wrote.");
        }
    }

    private static IEnumerable<string> Table(string path)
    {
        var root = SideFile.Json(path);
        if (!root.TryGetProperty("workloads", out var workloads) || !root.TryGetProperty("schema", out _))
            throw new UsageException($"results: {path} is no record of a sitting. Name a file that results record wrote.");
        if (Text(root, "device") is not ("cpu" or "unknown"))
        {
            foreach (string line in DeviceTable(root, workloads))
                yield return line;
            yield break;
        }
        yield return $"{Text(root, "date")}, {Text(root, "machine")}, {Text(root, "threads")} threads, PyTorch {Text(root, "torch")}, commit {Text(root, "commit")}; "
            + "both in one sitting, taking turns. Medians; in brackets the lowest and the highest round.";
        yield return "";
        yield return "| one step of | PyTorch ms | Native ms | times as fast | peak MiB | of roof |";
        yield return "| --- | ---: | ---: | ---: | ---: | ---: |";
        foreach (var w in workloads.EnumerateObject())
        {
            JsonElement ratio = w.Value.GetProperty("ratio"), ours = w.Value.GetProperty("native");
            string roof = ours.TryGetProperty("roof", out var r) && r.ValueKind == JsonValueKind.Number ? Format(100 * r.GetDouble(), "F0") + "%" : "";
            yield return $"| `{w.Name}` | {Number(w.Value.GetProperty("peer"), "median_ms", "F1")} | {Number(ours, "median_ms", "F1")} "
                + $"| {Number(ratio, "median", "F2")} ({Number(ratio, "lowest", "F2")} to {Number(ratio, "highest", "F2")}) "
                + $"| {Format(ours.GetProperty("peak_bytes").GetDouble() / 1048576, "F0")} | {roof} |";
        }
    }

    // Milliseconds of who waits for each step, on both sides; of Native also what the device and the host took, in a graph where there is one.
    private static IEnumerable<string> DeviceTable(JsonElement root, JsonElement workloads)
    {
        yield return $"{Text(root, "date")}, {Text(root, "device_name")}, {Text(root, "machine")}, {(Text(root, "tf32") == "True" ? "tf32" : "f32")}, PyTorch {Text(root, "torch")}, "
            + $"commit {Text(root, "commit")}. Medians, milliseconds.";
        yield return "";
        yield return "| one step of | PyTorch | Native | times as fast | PyTorch in a graph | Native in a graph | times as fast | GPU ms | host ms | launches | of roof |";
        yield return "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";
        JsonElement graphs = root.TryGetProperty("graphs", out var g) ? g : default;
        foreach (var w in workloads.EnumerateObject())
        {
            JsonElement? graph = graphs.ValueKind == JsonValueKind.Object && graphs.TryGetProperty(w.Name, out var inGraph) ? inGraph : null;
            var ours = (graph ?? w.Value).GetProperty("native");
            yield return $"| `{w.Name}` | {Pair(w.Value)} | {(graph is { } both ? Pair(both) : " |  | ")} "
                + $"| {Number(ours, "gpu_ms", "F3")} | {Number(ours, "host_ms", "F3")} | {Number(ours, "launches", "F0")} | {Format(100 * ours.GetProperty("roof").GetDouble(), "F0")}% |";
        }
    }

    private static string Pair(JsonElement sides) =>
        $"{Number(sides.GetProperty("peer"), "median_ms", "F3")} | {Number(sides.GetProperty("native"), "median_ms", "F3")} | {Number(sides.GetProperty("ratio"), "median", "F2")}";

    private static string Text(JsonElement from, string name) => from.TryGetProperty(name, out var v) ? v.ToString() : "unknown";

    private static string Number(JsonElement from, string name, string format) => Format(from.GetProperty(name).GetDouble(), format);

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}

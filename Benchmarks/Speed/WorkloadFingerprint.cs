using System.Runtime.InteropServices;

namespace Native.Benchmarks;

/// <summary>
/// A hash of every operation's result in the first step of a workload, then of its losses and parameters, line by line: two processes that differ say
/// with which operation they began to.
/// </summary>
internal static class WorkloadFingerprint
{
    /// <summary>The lines of one workload.</summary>
    public static List<string> Lines(WorkloadRow row)
    {
        var lines = new List<string>();
        using var workload = row.Brief(DType.F32, 0);
        using (var session = Profiler.Start())
        {
            session.Inspect = (e, y) => lines.Add($"{row.Name} {e.Name} {e.Shapes} {Hash(y):x16}");
            double[] losses = StepBench.Losses(workload);
            lines.Add($"{row.Name} losses {Hash(MemoryMarshal.AsBytes<double>(losses)):x16}");
        }
        lines.AddRange(workload.Parameters.Select((p, i) => $"{row.Name} parameter {i} {p.Name} {p.Shape} {Hash(p):x16}"));
        return lines;
    }

    private static ulong Hash(Tensor t) => t.DType switch
    {
        DType.F32 => HashOf<float>(t),
        DType.F64 => HashOf<double>(t),
        DType.I64 => HashOf<long>(t),
        DType.I32 => HashOf<int>(t),
        DType.U8 => HashOf<byte>(t),
        _ => HashOf<bool>(t),
    };

    private static ulong HashOf<T>(Tensor t) where T : unmanaged => Hash(MemoryMarshal.AsBytes(t.IsContiguous ? t.AsSpan<T>() : t.ToArray<T>()));

    // FNV-1a by eight bytes and with a rotation, since activations are megabytes; the rest byte by byte.
    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        const ulong Prime = 1099511628211;
        ulong hash = 14695981039346656037;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
            hash = ulong.RotateLeft((hash ^ word) * Prime, 29);
        foreach (byte b in bytes[^(bytes.Length % 8)..])
            hash = (hash ^ b) * Prime;
        return hash;
    }
}

namespace Native.Benchmarks;

/// <summary>A GPU as its driver describes it.</summary>
internal sealed record GpuFact(int Ordinal, string Name, int Arch, long Bytes);

/// <summary>
/// The CUDA part of <c>native doctor</c>: driver, NVRTC, cuBLAS, GPUs, each with its version as the library gives it, and which of them is too old for
/// which. Versions are in CUDA's numbers (12040 is 12.4); null is what was not found.
/// </summary>
internal sealed record DoctorCuda(int? Driver, int? Nvrtc, IReadOnlyList<int> Archs, int? Blas, IReadOnlyList<GpuFact> Gpus)
{
    /// <summary>What was found, as rows of a table.</summary>
    public IReadOnlyList<string[]> Rows { get; private init; } = [];

    /// <summary>Every place where a library was looked for in vain, a text per library.</summary>
    public IReadOnlyList<string> Searches { get; private init; } = [];

    /// <summary>Asks a machine, this one by default.</summary>
    public static DoctorCuda Ask(LibraryPlaces? places = null)
    {
        places ??= new();
        List<string[]> rows = [];
        List<string> searches = [];
        List<GpuFact> gpus = [];
        int? version = null;
        if (Find("libcuda", _ => Native.Driver.Open(LibraryLoader.Find(CudaLibrary.Driver, places))) is { } driver)
        {
            version = driver.DriverGetVersion(out int v) == CudaResult.Success ? v : null;
            rows.Add(["libcuda", $"CUDA {Text(version ?? 0)}, {driver.Source}"]);
            gpus = AskGpus(driver, rows);
        }
        var compiler = Find("NVRTC", most => CudaRuntimeCompiler.Open(places, most));
        if (compiler is not null)
            rows.Add(["NVRTC", $"{Text(compiler.Version)}, {compiler.Source}; compiles for sm_{compiler.Archs[0]} to sm_{compiler.Archs[^1]}"]);
        var blas = Find("cuBLAS", most => CudaBlas.Open(places, most));
        if (blas is not null)
            rows.Add(["cuBLAS", $"{Text(blas.Version)}, {blas.Source}"]);
        return new(version, compiler?.Version, compiler?.Archs ?? [], blas?.Version, gpus) { Rows = rows, Searches = searches };

        // Where all are too new for the driver one is shown nevertheless, so that the advice can name it.
        T? Find<T>(string what, Func<int?, T> open) where T : class
        {
            string message = "";
            foreach (int? most in (int?[])[version, null])
            {
                try
                {
                    return open(most);
                }
                catch (DeviceException e)
                {
                    message = e.Message;
                }
            }
            rows.Add([what, message.Split('\n')[0].TrimEnd(':')]);
            searches.Add(message);
            return null;
        }
    }

    /// <summary>What does not go together, with the fix; nothing for a machine without a driver, where the CPU is what there is.</summary>
    public IEnumerable<string> Advice()
    {
        if (Driver is not { } driver)
            yield break;
        if (Gpus.Count == 0)
            yield return "There is a driver but no GPU that it can use: see whether nvidia-smi lists one, and whether CUDA_VISIBLE_DEVICES hides it.";
        if (Nvrtc is not { } nvrtc)
            yield return $"Without NVRTC no kernel can be compiled: pip install {Wheel("nvidia-cuda-nvrtc", driver)}, or install the CUDA toolkit.";
        else if (nvrtc / 1000 > driver / 1000)
            yield return $"NVRTC {Text(nvrtc)} is newer than the driver's CUDA {Text(driver)}, which will not load its kernels: "
                + $"install a driver of CUDA {nvrtc / 1000} or newer, or pip install {Wheel("nvidia-cuda-nvrtc", driver)}.";
        else
            foreach (var gpu in Gpus)
                if (TooOld(gpu, nvrtc, driver) is { } advice)
                    yield return advice;
        if (Blas is not { } blas)
            yield return $"Without cuBLAS there are no matrix products on the GPU: pip install {Wheel("nvidia-cublas", driver)}, or install the CUDA toolkit.";
        else if (blas / 1000 > driver / 1000)
            yield return $"cuBLAS {Text(blas)} is newer than the driver's CUDA {Text(driver)}: "
                + $"install a driver of CUDA {blas / 1000} or newer, or pip install {Wheel("nvidia-cublas", driver)}.";
    }

    private string? TooOld(GpuFact gpu, int nvrtc, int driver)
    {
        if (gpu.Arch < Archs[0])
            return $"NVRTC {Text(nvrtc)} no longer compiles for sm_{gpu.Arch} ({gpu.Name}): install an older NVRTC.";
        if (gpu.Arch / 10 <= Archs[^1] / 10)
            return null;
        return $"NVRTC {Text(nvrtc)} does not know sm_{gpu.Arch} ({gpu.Name}), "
            + (nvrtc > driver ? $"and the driver's CUDA {Text(driver)} does not take its PTX. " : "so the driver translates its PTX, slowly and once per kernel. ")
            + $"Install a newer one: pip install {Wheel("nvidia-cuda-nvrtc", driver)}.";
    }

    private static List<GpuFact> AskGpus(Driver driver, List<string[]> rows)
    {
        var found = new List<GpuFact>();
        try
        {
            driver.Check(driver.Init(), "cuInit");
            driver.Check(driver.DeviceGetCount(out int count), "cuDeviceGetCount");
            for (int i = 0; i < count; i++)
            {
                driver.Check(driver.DeviceGetName(i, out string name), "cuDeviceGetName");
                driver.Check(driver.DeviceTotalMem(i, out long bytes), "cuDeviceTotalMem");
                driver.Check(driver.DeviceGetAttribute(i, CudaAttribute.ComputeCapabilityMajor, out int major), "cuDeviceGetAttribute");
                driver.Check(driver.DeviceGetAttribute(i, CudaAttribute.ComputeCapabilityMinor, out int minor), "cuDeviceGetAttribute");
                found.Add(new(i, name, major * 10 + minor, bytes));
            }
        }
        catch (CudaException e)
        {
            rows.Add(["GPU", e.Message]);
        }
        rows.AddRange(found.Select(g => new[] { $"GPU {g.Ordinal}", $"{g.Name}, sm_{g.Arch}, {g.Bytes >> 20} MiB" }));
        return found;
    }

    // Wheels of CUDA 13 dropped the version from their names.
    private static string Wheel(string name, int driver) => driver / 1000 <= 12 ? $"{name}-cu{driver / 1000}" : name;

    private static string Text(int version) => Native.Driver.VersionText(version);
}

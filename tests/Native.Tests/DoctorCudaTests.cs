using Native.Benchmarks;

namespace Native.Tests;

/// <summary>What native doctor says about a driver, a toolkit and a GPU that do not go together.</summary>
[Trait("Category", "Cpu")]
public sealed class DoctorCudaTests
{
    private static readonly int[] Nvrtc11 = [35, 50, 60, 70, 75, 80, 86, 89, 90], Nvrtc13 = [75, 80, 86, 90, 100, 120];

    private static string[] Advice(int? driver, int? nvrtc, int[] archs, int? blas, params int[] gpus) =>
        [.. new DoctorCuda(driver, nvrtc, archs, blas, [.. gpus.Select((g, i) => new GpuFact(i, $"GPU {g}", g, 1L << 34))]).Advice()];

    [Fact]
    public void What_goes_together_needs_no_advice()
    {
        Assert.Empty(Advice(null, null, [], null));
        Assert.Empty(Advice(null, 11080, Nvrtc11, null));
        Assert.Empty(Advice(12040, 11080, Nvrtc11, 11110, 80, 86, 90));
        // A minor version ahead of the driver is a promise of CUDA's; a sister of a known architecture runs its CUBINs.
        Assert.Empty(Advice(12020, 12040, Nvrtc11, 12040, 90));
        Assert.Empty(Advice(13000, 13000, Nvrtc13, 13000, 87, 103, 121));
    }

    [Fact]
    public void What_is_too_old_is_named_with_its_fix()
    {
        Assert.Equal(["NVRTC 13.0 is newer than the driver's CUDA 12.4, which will not load its kernels: install a driver of CUDA 13 or newer, or pip install nvidia-cuda-nvrtc-cu12.",
            "cuBLAS 13.1 is newer than the driver's CUDA 12.4: install a driver of CUDA 13 or newer, or pip install nvidia-cublas-cu12."], Advice(12040, 13000, Nvrtc13, 13010, 90));
        Assert.Equal(["NVRTC 11.8 does not know sm_100 (GPU 100), so the driver translates its PTX, slowly and once per kernel. Install a newer one: pip install nvidia-cuda-nvrtc-cu12."],
            Advice(12080, 11080, Nvrtc11, 12080, 100));
        Assert.Equal(["NVRTC 11.8 does not know sm_120 (GPU 120), and the driver's CUDA 11.4 does not take its PTX. Install a newer one: pip install nvidia-cuda-nvrtc-cu11."],
            Advice(11040, 11080, Nvrtc11, 11080, 120));
        Assert.Equal(["NVRTC 13.0 no longer compiles for sm_70 (GPU 70): install an older NVRTC."], Advice(13000, 13000, Nvrtc13, 13000, 70, 90));
    }

    [Fact]
    public void What_is_missing_is_named_with_its_fix()
    {
        Assert.Equal(["Without NVRTC no kernel can be compiled: pip install nvidia-cuda-nvrtc-cu12, or install the CUDA toolkit.",
            "Without cuBLAS there are no matrix products on the GPU: pip install nvidia-cublas-cu12, or install the CUDA toolkit."], Advice(12040, null, [], null, 90));
        Assert.Contains("pip install nvidia-cublas,", Advice(13000, 13000, Nvrtc13, null, 90).Single());
        Assert.StartsWith("There is a driver but no GPU that it can use", Advice(12040, 12040, Nvrtc11, 12040).Single());
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_machine_is_described_by_what_its_libraries_say()
    {
        using var folder = new TemporaryFolder();
        string driver = GpuKit.Build("fake_cuda.cpp", folder.File("libcuda.so.1")), blas = GpuKit.Build("fake_cublas.cpp", folder.File("libcublas.so.12"), "-DFAKE_VERSION=13020");
        var facts = DoctorCuda.Ask(GpuKit.Bare(folder.Path) with { CudaPath = folder.Path });
        Assert.Equal([$"libcuda: CUDA 12.4, {driver}", "GPU 0: Fake 40, sm_90, 144004 MiB", "GPU 1: Fake 41, sm_90, 144004 MiB", "NVRTC: libnvrtc was not found in 5 places", $"cuBLAS: 13.2, {blas}"],
            facts.Rows.Select(r => $"{r[0]}: {r[1]}"));
        Assert.StartsWith("libnvrtc was not found in 5 places:\n", facts.Searches.Single());
        Assert.Equal(["Without NVRTC no", "cuBLAS 13.2 is n"], facts.Advice().Select(a => a[..16]));
    }

    [Fact]
    public void This_machine_is_described_whatever_it_has()
    {
        var facts = DoctorCuda.Ask();
        foreach (string library in (string[])["libcuda", "NVRTC", "cuBLAS"])
            Assert.Single(facts.Rows, r => r[0] == library);
        Assert.Equal(facts.Rows.Count(r => r[1].Contains("was not found in")), facts.Searches.Count);
        Assert.All(facts.Rows, r => Assert.DoesNotContain('\n', r[1]));
    }
}

namespace Native.Tests;

/// <summary>Where NVIDIA's libraries are looked for, in which order, and what is said when they are not there: machines built in a temporary folder.</summary>
[Trait("Category", "Cpu")]
public sealed class LibraryLoaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // A file of that name which is no library, so that the search goes on: what was tried is then the order.
    private string Put(string path)
    {
        string file = _folder.File(path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "not a library");
        return file;
    }

    private LibraryPlaces Machine(params (string Name, string Value)[] variables) =>
        GpuKit.Bare(_folder.Path) with { Variable = name => variables.FirstOrDefault(v => v.Name == name).Value };

    [Fact]
    public void Places_are_tried_in_the_documented_order()
    {
        if (OperatingSystem.IsWindows())
            return;
        string[] expected =
        [
            Put("named/libnvrtc.so.11.8.89"),
            Put("second/lib64/libnvrtc.so"),
            Put("toolkit/lib64/libnvrtc.so.12"),
            Put("home-of-cuda/targets/x86_64-linux/lib/libnvrtc.so.12"),
            "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so",
            Put("usr/local/cuda/lib64/libnvrtc.so.12"),
            Put("usr/local/cuda-12.4/lib64/libnvrtc.so.12"),
            Put("usr/local/cuda-9.0/lib64/libnvrtc.so.9.0"),
            Put("venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
            Put("conda/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2"),
            Put("py/lib/python3.10/site-packages/nvidia/cu13/lib/libnvrtc.so.13"),
            Put("me/.local/lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
            Put("usr/lib/python3/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
            Put("extra/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
        ];
        Put("py/bin/python3");
        var places = Machine(("CUDA_PATH", _folder.File("toolkit")), ("CUDA_HOME", _folder.File("home-of-cuda")), ("VIRTUAL_ENV", _folder.File("venv")),
            ("CONDA_PREFIX", _folder.File("conda")), ("PATH", $"{_folder.File("nowhere")}:{_folder.File("py/bin")}"), ("PYTHONPATH", _folder.File("extra")))
            with
        { CudaPath = $"{_folder.File("named")}:{_folder.File("second")}", Home = _folder.File("me"), SystemLoader = true };
        // A real NVRTC on this machine would end the search: refused, it is one more candidate.
        var search = LibraryLoader.Find(CudaLibrary.Nvrtc, places, _ => "refused by the test");
        Assert.Equal(expected, search.Tried.Select(t => t.Place));
        Assert.False(search.Found);
    }

    [Fact]
    public void Files_of_a_folder_come_newest_first_and_each_once()
    {
        foreach (string name in (string[])["libnvrtc.so.11.2", "libnvrtc.so.12", "libnvrtc.so.9.2", "libnvrtc-builtins.so.12.4", "libnvrtc.alt.so.12", "libnvrtc.so.old", "libcublas.so.12"])
            Put("x/" + name);
        File.CreateSymbolicLink(_folder.File("x/libnvrtc.so"), "libnvrtc.so.12");
        Assert.Equal(["libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so.9.2"], CudaLibrary.Nvrtc.Files(_folder.File("x"), windows: false).Select(Path.GetFileName));
        Assert.Equal([_folder.File("x/libnvrtc-builtins.so.12.4")], CudaLibrary.Nvrtc.Companions(_folder.File("x/libnvrtc.so.12")));
        Assert.Empty(CudaLibrary.Nvrtc.Companions(_folder.File("x/libnvrtc.so.11.2")));
        foreach (string name in (string[])["nvrtc64_112_0.dll", "nvrtc64_120_0.dll", "nvrtc64_120_0.alt.dll", "nvrtc-builtins64_120.dll", "NVRTC64_130_0.DLL"])
            Put("w/" + name);
        Assert.Equal(["nvrtc64_120_0.dll", "nvrtc64_112_0.dll"], CudaLibrary.Nvrtc.Files(_folder.File("w"), windows: true).Select(Path.GetFileName).Where(f => f![0] == 'n'));
        Put("w/cublas64_12.dll");
        Put("w/cublasLt64_12.dll");
        Assert.Equal(["cublas64_12.dll"], CudaLibrary.Blas.Files(_folder.File("w"), windows: true).Select(Path.GetFileName));
    }

    [Fact]
    public void A_failure_lists_every_candidate_with_its_reason()
    {
        string broken = Put("named/libcublas.so.12");
        Directory.CreateDirectory(_folder.File("empty/lib64"));
        var places = Machine(("CUDA_PATH", _folder.File("empty"))) with { CudaPath = _folder.File("named") };
        var e = Assert.Throws<DeviceException>(() => LibraryLoader.Find(CudaLibrary.Blas, places).Require());
        Assert.Equal($"""
            libcublas was not found in 5 places:
              {broken}: file too short
              CUDA_PATH, CUDA_HOME = {_folder.File("empty")}: no libcublas.so* in {_folder.File("empty")}, {_folder.File("empty/lib64")}
              system loader: not asked
              /usr/local/cuda*: no such folder
              pip's nvidia wheels: no such folder
            Install cuBLAS 11.2 or newer (CUDA toolkit, or pip install nvidia-cublas-cu12), or name its folder in NATIVE_CUDA_PATH.
            """.ReplaceLineEndings("\n"), e.Message);
    }

    [Fact]
    public void A_variable_that_is_unset_or_names_no_folder_says_so()
    {
        var search = LibraryLoader.Find(CudaLibrary.Driver, Machine(("CUDA_HOME", "")) with { CudaPath = _folder.File("nowhere") });
        Assert.Equal(($"NATIVE_CUDA_PATH = {_folder.File("nowhere")}", "no such folder"), search.Tried[0]);
        Assert.Equal("CUDA_PATH, CUDA_HOME (unset)", search.Tried[1].Place);
    }

    [Fact]
    public void A_name_that_the_system_loader_does_not_know_says_so()
    {
        var search = LibraryLoader.Find(CudaLibrary.Driver, GpuKit.Bare(_folder.Path) with { SystemLoader = true }, _ => "refused by the test");
        var (place, why) = search.Tried.Single(t => t.Place == CudaLibrary.Driver.Names(OperatingSystem.IsWindows())[0]);
        Assert.True(why is "refused by the test" || why.Contains("cannot open shared object file") || OperatingSystem.IsWindows(), $"{place}: {why}");
        Assert.DoesNotContain("strace", why);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_library_finds_its_companion_beside_it()
    {
        // As in a folder that is not known to the system loader: the one names the other, without a place.
        string companion = GpuKit.Build("fake_cuda.cpp", _folder.File("libcublasLt.so.12"), "-Wl,-soname,libcublasLt.so.12.of-this-test");
        string blas = GpuKit.Build("fake_cublas.cpp", _folder.File("libcublas.so.12"), "-Wl,--no-as-needed", companion);
        var places = GpuKit.Bare(_folder.Path) with { CudaPath = _folder.Path };
        File.Move(companion, companion + ".away");
        Assert.Contains("libcublasLt.so.12.of-this-test", LibraryLoader.Find(CudaLibrary.Blas, places).Report);
        File.Move(companion + ".away", companion);
        Assert.Equal(blas, LibraryLoader.Find(CudaLibrary.Blas, places).Path);
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_library_without_its_entries_or_of_a_version_too_new_is_passed_over()
    {
        // The first is another library under cuBLAS's name; the second is newer than the driver; the third is right.
        string wrong = GpuKit.Build("fake_cuda.cpp", _folder.File("a/libcublas.so.13")),
            newer = GpuKit.Build("fake_cublas.cpp", _folder.File("b/libcublas.so.12"), "-DFAKE_VERSION=13010"),
            right = GpuKit.Build("fake_cublas.cpp", _folder.File("c/libcublas.so.11"), "-DFAKE_VERSION=12040");
        var places = GpuKit.Bare(_folder.Path) with { CudaPath = string.Join(Path.PathSeparator, _folder.File("a"), _folder.File("b"), _folder.File("c")) };
        var blas = CudaBlas.Open(places, driverVersion: 12020);
        Assert.Equal(right, blas.Source);
        Assert.Equal(12040, blas.Version);
        Assert.Equal(newer, CudaBlas.Open(places, driverVersion: null).Source);
        string message = Assert.Throws<DeviceException>(() => CudaBlas.Open(places, driverVersion: 11040)).Message;
        Assert.Contains($"{wrong}: it has no cublasCreate_v2", message);
        Assert.Contains($"{newer}: it is cuBLAS 13.1, newer than the driver's CUDA 11.4", message);
        Assert.Contains($"{right}: it is cuBLAS 12.4, newer than the driver's CUDA 11.4", message);
    }
}

using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Turns the text of kernels into what a driver loads.</summary>
internal interface IKernelCompiler
{
    /// <summary>Image of a program for an architecture (<c>sm_80</c>).</summary>
    /// <exception cref="KernelException">The text does not compile; the message has the compiler's.</exception>
    /// <exception cref="DeviceException">There is no compiler; the message has the reason.</exception>
    byte[] Compile(string source, string name, string arch);
}

/// <summary>NVRTC behind the cache on disk.</summary>
internal sealed class NvrtcCompiler : IKernelCompiler
{
    private readonly KernelCache _cache = KernelCache.Default;

    public byte[] Compile(string source, string name, string arch)
    {
        var compiler = CudaRuntimeCompiler.Load();
        return _cache.Image(compiler, name, source, compiler.Target(int.Parse(arch.AsSpan("sm_".Length), System.Globalization.CultureInfo.InvariantCulture)));
    }
}

/// <summary>What this assembly keeps with an opened device: its compiler, its matrix products and its loaded kernels.</summary>
internal sealed class CudaBackend(IKernelCompiler compiler, Func<ICudaBlas> blas)
{
    private readonly Lock _lock = new();
    private readonly Lazy<ICudaBlas> _blas = new(blas);
    private readonly Dictionary<(KernelFamily, DType), nint> _modules = [];

    /// <summary>Handles by kernel and element type; replaced, never changed, when it grows.</summary>
    public nint[] Functions { get; private set; } = [];

    public IKernelCompiler Compiler => compiler;

    /// <summary>Matrix products; <see cref="DeviceException"/> with what was tried when the library is not found.</summary>
    public ICudaBlas Blas => _blas.Value;

    /// <summary>Of the device a tensor lives on.</summary>
    public static CudaBackend Of(CudaDevice device) => (CudaBackend)device.Backend;

    /// <summary>Tells the assembly below how devices are opened. Runs when this one is loaded.</summary>
#pragma warning disable CA2255 // The reference goes the other way; see CudaDevice.Factory.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Install()
    {
        // Now, so that its cache is the process's, whatever a test puts in that place for a while.
        var host = HostCompiler.Shared;
        CudaDevice.Factory = device => device.Kind == DeviceKind.Emu
            ? (EmulatedDriver.Shared, Emulated(host))
            : (Driver.Load(), new CudaBackend(new NvrtcCompiler(), CudaBlas.Load));
    }

    /// <summary>What an emulated device is given.</summary>
    public static CudaBackend Emulated(IKernelCompiler compiler) => new(compiler, () => new HostBlas(EmulatedDriver.Queue));

    /// <summary>Compiles and loads a family, and finds one of its kernels.</summary>
    public nint Load(CudaDevice device, CudaKernel kernel, DType dtype, int index)
    {
        lock (_lock)
        {
            if (!kernel.Family.DTypes.Contains(dtype))
                throw new KernelException($"{kernel.Name}: no kernel for {dtype.Name()} on {device.Device}; it has {string.Join(", ", kernel.Family.DTypes.Select(t => t.Name()))}.");
            device.MakeCurrent();
            if (!_modules.TryGetValue((kernel.Family, dtype), out nint module))
            {
                if (GraphCapture.Current is { Recording: true } capture)
                    throw capture.Forbidden($"kernel: {kernel.Name} for {dtype.Name()} is used for the first time", GraphCapture.SameAtEveryRun);
                byte[] image = compiler.Compile(kernel.Family.Source(dtype), $"{kernel.Family.Name}_{dtype.Name()}", device.Facts.Arch);
                device.Check(device.Driver.ModuleLoadData(out module, image), $"loading {kernel.Family.Name} for {dtype.Name()}");
                _modules.Add((kernel.Family, dtype), module);
            }
            string symbol = $"{kernel.Name}_{dtype.Name()}";
            device.Check(device.Driver.ModuleGetFunction(out nint function, module, symbol), $"finding {symbol}");
            if (DebugLines.On(4))
                KernelListing.Print(device, kernel, dtype, function);
            nint[] grown = Functions;
            if (index >= grown.Length)
                Array.Resize(ref grown, Math.Max(index + 1, 2 * grown.Length));
            else
                grown = [.. grown];
            grown[index] = function;
            Functions = grown;
            return function;
        }
    }
}

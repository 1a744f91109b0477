namespace Native;

/// <summary>
/// The GPU's driver refused a call, or reports that earlier work failed. After a failure that ends the device's context this is raised once; whatever uses
/// the device later gets a <see cref="DeviceException"/> that refers to it.
/// </summary>
/// <param name="message">The whole story.</param>
/// <param name="number">The driver's number.</param>
/// <param name="launches">See <see cref="Launches"/>.</param>
public sealed class CudaException(string message, int number, IReadOnlyList<string>? launches = null) : TensorException(message)
{
    /// <summary>The driver's number, as in its documentation under <c>CUresult</c>.</summary>
    public int Number => number;

    /// <summary>The last launches of the thread that saw the failure, latest first: kernel, grid, block, operands. Empty where they say nothing about it.</summary>
    public IReadOnlyList<string> Launches { get; } = launches ?? [];

    internal CudaResult Result => (CudaResult)number;
}

/// <summary>Result codes as sentences.</summary>
internal static class CudaError
{
    private const string Asynchronous = "The error is asynchronous: rerun with NATIVE_SYNC=1 to find the launch.";

    // Launches that a message lists; the exception has them all.
    private const int Listed = 8;

    /// <summary>Nothing on success; else a <see cref="CudaException"/>. Make <paramref name="what"/> a constant, and success costs one comparison.</summary>
    public static void Check(this ICudaDriver driver, CudaResult result, string what)
    {
        if (result != CudaResult.Success)
            throw Exception(driver, result, what);
    }

    /// <summary>The exception of a result: <c>{what}: {name} ({number}): {text}. {what to do}</c>, for callers that put their message together on failure only.</summary>
    public static CudaException Exception(ICudaDriver driver, CudaResult result, string what)
    {
        var (name, text) = driver.Describe(result);
        return new($"{what}: {name} ({(int)result}): {text.TrimEnd('.')}. {Advice(result)}".TrimEnd(), (int)result);
    }

    /// <summary>Whether a result leaves the context unusable: every later call returns it again, and only a new process helps.</summary>
    public static bool EndsContext(CudaResult result) => (int)result is 214 or 220 or 700 or 702 or 709 or 710 or (>= 714 and <= 719);

    /// <summary>The one exception of a context that was lost.</summary>
    /// <param name="device">Whose.</param>
    /// <param name="result">What the driver returned.</param>
    /// <param name="what">The call that returned it.</param>
    /// <param name="launches">This thread's; null when it has none.</param>
    /// <param name="threads">How many threads use the device.</param>
    public static CudaException Lost(CudaDevice device, CudaResult result, string what, LaunchRing? launches, int threads)
    {
        var (name, text) = device.Driver.Describe(result);
        string error = $"{name} ({(int)result}): {text.TrimEnd('.')}", site = CallSite.Find();
        string within = Ambient.Current.Differentiating is { } node ? $" in the backward pass of {node.Name}" : "";
        var all = launches?.Texts ?? [];
        bool pinned = Env.Sync.Value && all.Count > 0;
        List<string> story =
        [
            pinned ? $"{device.Device}: {all[0]} failed: {error}{(site.Length > 0 ? $"; launched{within} at {site}" : "")}."
                : $"{device.Device}: {what}: {error}; {(all.Count > 0 ? $"first seen after {launches!.Latest}" : "this thread has launched nothing")}{(site.Length > 0 ? $", at {site}" : "")}{within}.",
        ];
        if (threads > 1)
            story.Add($"{threads} threads have used the device: the launch may be another's.");
        if ((pinned ? Advice(result).Replace(Asynchronous, "", StringComparison.Ordinal).Trim() : Advice(result)) is { Length: > 0 } advice)
            story.Add(advice);
        story.Add($"{device.Device} is lost to this process.");
        if (all.Count > 0)
            story[^1] += "\nLatest launches of this thread, latest first:" + string.Concat(all.Take(Listed).Select(l => "\n  " + l));
        return new(string.Join(' ', story), (int)result, all);
    }

    /// <summary>Name and text of the results that occur, as CUDA 12 words them: for a driver that has none of its own.</summary>
    public static (string Name, string Text) Describe(CudaResult result) => (int)result switch
    {
        0 => ("CUDA_SUCCESS", "no error"),
        1 => ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
        2 => ("CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
        3 => ("CUDA_ERROR_NOT_INITIALIZED", "initialization error"),
        4 => ("CUDA_ERROR_DEINITIALIZED", "driver shutting down"),
        34 => ("CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"),
        35 => ("CUDA_ERROR_INSUFFICIENT_DRIVER", "CUDA driver version is insufficient for CUDA runtime version"),
        46 => ("CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"),
        100 => ("CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"),
        101 => ("CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"),
        200 => ("CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"),
        201 => ("CUDA_ERROR_INVALID_CONTEXT", "invalid device context"),
        209 => ("CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"),
        214 => ("CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"),
        218 => ("CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"),
        220 => ("CUDA_ERROR_NVLINK_UNCORRECTABLE", "uncorrectable NVLink error detected during the execution"),
        222 => ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain"),
        300 => ("CUDA_ERROR_INVALID_SOURCE", "device kernel image is invalid"),
        400 => ("CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"),
        500 => ("CUDA_ERROR_NOT_FOUND", "named symbol not found"),
        600 => ("CUDA_ERROR_NOT_READY", "device not ready"),
        700 => ("CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
        701 => ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"),
        702 => ("CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"),
        709 => ("CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"),
        710 => ("CUDA_ERROR_ASSERT", "device-side assert triggered"),
        714 => ("CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"),
        715 => ("CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"),
        716 => ("CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"),
        717 => ("CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space"),
        718 => ("CUDA_ERROR_INVALID_PC", "invalid program counter"),
        719 => ("CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"),
        802 => ("CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"),
        803 => ("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"),
        804 => ("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"),
        900 => ("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"),
        901 => ("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"),
        903 => ("CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"),
        907 => ("CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"),
        910 => ("CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph update was not performed because it included changes which violated constraints specific to instantiated graph update"),
        999 => ("CUDA_ERROR_UNKNOWN", "unknown error"),
        var other => ("CUDA_ERROR", $"a result that has no name here: {other}"),
    };

    /// <summary>What to do about a result; "" when nothing general can be said.</summary>
    public static string Advice(CudaResult result) => (int)result switch
    {
        2 => "Use a smaller batch, close what else uses the GPU, or set NATIVE_MEM_LIMIT so that the pool gives back earlier.",
        34 => "This libcuda is the toolkit's stub, made for linking only: take its folder out of LD_LIBRARY_PATH and NATIVE_CUDA_PATH.",
        35 or 222 => "The driver is older than the toolkit: install a newer driver, or an older NVRTC and cuBLAS; native doctor says which.",
        46 or 802 => "Another process holds the GPU, or it is still starting: see nvidia-smi.",
        100 => "See whether nvidia-smi lists a GPU, and whether CUDA_VISIBLE_DEVICES hides it.",
        101 => "native doctor lists the devices there are.",
        200 or 218 or 300 => "A kernel that was compiled or stored wrongly: run native cache clear and try again.",
        209 => "The kernel was not compiled for this GPU: run native cache clear, and see native doctor for an NVRTC too old for it.",
        3 or 201 => "The device was used before it was opened, or on a thread that has no context.",
        214 or 220 => "The hardware failed: see nvidia-smi -q and the system's log.",
        700 or 710 or (>= 714 and <= 719) => Asynchronous,
        702 => "A display driver ends kernels after seconds: use a smaller batch, or a GPU without a screen. " + Asynchronous,
        803 or 804 => "libcuda and the kernel's driver differ in version: reboot after an update, or take the compat folder out of LD_LIBRARY_PATH.",
        900 or 901 => "A graph records launches and copies only: read results, allocate and load outside the captured step.",
        910 => "The step has changed its shape since it was captured: capture it again.",
        999 => "Often a driver that was updated under running programs, or a machine that slept: reboot, or reload the driver.",
        _ => "",
    };
}

namespace Native;

/// <summary>Which back end runs an entry. Every device-neutral entry asks here first, so a device without a kernel is an error and never a silent copy.</summary>
internal static class KernelDevice
{
    /// <summary>The CPU back end is the only one of this version; <see cref="KernelException"/> for any other device.</summary>
    public static void RequireCpu(Tensor output, string kernel)
    {
        if (output.Device.Kind != DeviceKind.Cpu)
            throw new KernelException($"{kernel}: no kernel for {output.Device}.");
    }
}

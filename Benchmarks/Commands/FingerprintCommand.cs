using System.CommandLine;

namespace Native.Benchmarks;

/// <summary>Hidden verb: prints hashes of what is computed, for the tests that compare instruction sets between processes.</summary>
internal static class FingerprintCommand
{
    public static Command Create(Ui ui)
    {
        var kernels = new Option<bool>("--kernels") { Description = "Hashes of kernels that choose their vector width, instead." };
        var command = new Command("fingerprint", "Hashes of the elementary functions.") { Hidden = true };
        command.Options.Add(kernels);
        command.SetAction(parsed =>
        {
            ui.Output.Write(parsed.GetValue(kernels) ? KernelFingerprint.Compute() : MathFnFingerprint.Compute());
            return App.Success;
        });
        return command;
    }
}

using System.CommandLine;
using System.Runtime.Intrinsics;

namespace Native.Benchmarks;

/// <summary>
/// Hidden verb: prints hashes of the elementary functions, of kernels that choose their vector width, or of the workloads' steps, for the tests
/// that compare instruction sets between processes.
/// </summary>
internal static class FingerprintCommand
{
    public static Command Create(Ui ui)
    {
        var kernels = new Option<bool>("--kernels") { Description = "Hashes of kernels that choose their vector width, instead." };
        var workloads = new Option<bool>("--workloads") { Description = "Every operation of the workloads' first step instead." };
        var only = StepsCommand.OnlyOption();
        var command = new Command("fingerprint", "Hashes of what is computed, of the elementary functions if nothing else is asked for.") { kernels, workloads, only };
        command.Hidden = true;
        command.SetAction(parse =>
        {
            if (parse.GetValue(kernels))
            {
                ui.Output.Write(KernelFingerprint.Compute());
                return App.Success;
            }
            if (!parse.GetValue(workloads))
            {
                ui.Output.Write(MathFnFingerprint.Compute());
                return App.Success;
            }
            ui.Output.WriteLine($"# v512 {Vector512.IsHardwareAccelerated}");
            foreach (var row in WorkloadTable.Select(parse.GetValue(only)))
                foreach (string line in WorkloadFingerprint.Lines(row))
                    ui.Output.WriteLine(line);
            return App.Success;
        });
        return command;
    }
}

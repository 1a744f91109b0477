using System.CommandLine;

namespace Native.Benchmarks;

/// <summary>Hidden verb: prints the hashes of the elementary functions, for the test that compares instruction sets between processes.</summary>
internal static class FingerprintCommand
{
    public static Command Create(Ui ui)
    {
        var command = new Command("fingerprint", "Hashes of the elementary functions.") { Hidden = true };
        command.SetAction(_ =>
        {
            ui.Output.Write(MathFnFingerprint.Compute());
            return App.Success;
        });
        return command;
    }
}

using System.CommandLine;

namespace Native.Benchmarks;

/// <summary>The command line as a function: arguments and writers in, exit code out. Tests call it as the program does.</summary>
internal static class App
{
    /// <summary>Everything went well.</summary>
    public const int Success = 0;

    /// <summary>A check that the command made has failed.</summary>
    public const int Failed = 1;

    /// <summary>What was typed, or a file it names, is wrong; one sentence says how.</summary>
    public const int UserError = 2;

    /// <summary>Native itself is wrong (EX_SOFTWARE of sysexits.h).</summary>
    public const int Bug = 70;

    /// <summary>Ended by Ctrl-C (128 + SIGINT).</summary>
    public const int Interrupted = 130;

    /// <summary>Runs one command line.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error, CancellationToken cancel = default)
    {
        var ui = new Ui(output, error, cancel);
        try
        {
            var globals = new Globals();
            var parse = Root(ui, globals).Parse(args.Length == 0 ? ["--help"] : args);
            CommandLineErrors.Check(parse);
            using var settings = globals.Apply(parse, ui);
            return parse.Invoke(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (TensorException e)
        {
            ui.EndStatus();
            error.WriteLine(e.Message);
            return UserError;
        }
        catch (OperationCanceledException)
        {
            ui.EndStatus();
            error.WriteLine("native: interrupted. No file was left half-written.");
            return Interrupted;
        }
        catch (Exception e)
        {
            ui.EndStatus();
            error.WriteLine($"native: this is a bug in Native, not in what you typed: {e.GetType().Name}: {e.Message} "
                + "Please report it with the lines below and the output of 'native doctor'.");
            error.WriteLine(e.StackTrace);
            return Bug;
        }
    }

    private static RootCommand Root(Ui ui, Globals globals)
    {
        var root = new RootCommand("Native: a hand-written tensor engine, and continual-learning methods on top of it.")
        {
            RunCommand.Create(ui),
            SuiteCommand.Create(ui),
            ReproduceCommand.Create(ui),
            RecallCommand.Create(ui),
            DoctorCommand.Create(ui),
            GradCheckCommand.Create(ui),
            DataCommand.Create(ui),
            BenchCommand.Create(ui),
            StepsCommand.CreateProfile(ui),
            ResultsCommand.Create(ui),
            KernelsCommand.Create(ui),
            CacheCommand.Create(ui),
            FingerprintCommand.Create(ui),
        };
        globals.AddTo(root);
        return root;
    }
}

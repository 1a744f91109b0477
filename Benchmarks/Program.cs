using Native.Benchmarks;

// Ctrl-C asks the command to stop at its next step; nothing is left half-written and the exit code says so.
using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    cancel.Cancel();
};
return App.Run(args, Console.Out, Console.Error, cancel.Token);

using Xunit.Abstractions;
using Xunit.Sdk;

namespace Native.Tests;

/// <summary>
/// The tests as a program, for machines without an SDK: <c>Native.Tests [--filter EXPRESSION] [--list]</c>, where EXPRESSION is as dotnet test takes it.
/// Ends with "N passed, N failed, N skipped" after a line for each that was skipped or failed; the exit code is 0 only when some passed and none failed.
/// </summary>
internal static class Runner
{
    public static int Main(string[] args) => Run(args, Console.Out, Console.Error, typeof(Runner).Assembly.Location);

    /// <summary>The same with its surroundings as parameters.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error, string assembly)
    {
        try
        {
            bool list = false;
            TestFilter filter = TestFilter.All;
            for (int i = 0; i < args.Length; i++)
            {
                if (args[i] == "--list")
                    list = true;
                else if (args[i] == "--filter" && i + 1 < args.Length)
                    filter = TestFilter.Parse(args[++i]);
                else
                    throw new UsageException($"tests: '{args[i]}' is not understood. There are --filter EXPRESSION and --list.");
            }
            return Run(filter, list, output, assembly);
        }
        catch (UsageException e)
        {
            error.WriteLine(e.Message);
            return 2;
        }
    }

    private static int Run(TestFilter filter, bool list, TextWriter output, string assembly)
    {
        using var sink = new Sink(output);
        var options = new Options();
        using var framework = new XunitTestFramework(sink);
        var assemblyInfo = Reflector.Wrap(System.Reflection.Assembly.LoadFrom(assembly));
        using var discoverer = framework.GetDiscoverer(assemblyInfo);
        discoverer.Find(includeSourceInformation: false, sink, options);
        sink.Discovered.WaitOne();
        IXunitTestCase[] chosen = [.. sink.Cases.Where(c => filter.Takes(Name(c), c.DisplayName, c.Traits)).OrderBy(c => c.DisplayName, StringComparer.Ordinal)];
        if (chosen.Length == 0)
            throw new UsageException($"tests: none of {sink.Cases.Count} tests is selected by the filter. Run with --list to see their names.");
        if (list)
        {
            foreach (var test in chosen)
                output.WriteLine(test.DisplayName);
            return 0;
        }
        using var executor = framework.GetExecutor(assemblyInfo.Assembly.GetName());
        executor.RunTests(chosen, sink, options);
        sink.Finished.WaitOne();
        output.WriteLine($"{sink.Passed} passed, {sink.Failed} failed, {sink.Skipped} skipped");
        return sink.Failed == 0 && sink.Passed > 0 ? 0 : 1;
    }

    /// <summary>Class and method, as dotnet test's FullyQualifiedName.</summary>
    private static string Name(ITestCase test) => $"{test.TestMethod.TestClass.Class.Name}.{test.TestMethod.Method.Name}";

    /// <summary>The framework's defaults: it asks, and nothing is set.</summary>
    private sealed class Options : ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
    {
        private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

        public TValue GetValue<TValue>(string name) => _values.TryGetValue(name, out object? value) && value is TValue typed ? typed : default!;

        public void SetValue<TValue>(string name, TValue value) => _values[name] = value;
    }

    /// <summary>Counts and prints what the framework reports; messages come from several threads.</summary>
    private sealed class Sink(TextWriter output) : Xunit.LongLivedMarshalByRefObject, IMessageSink, IDisposable
    {
        private readonly Lock _lock = new();

        public List<IXunitTestCase> Cases { get; } = [];

        public ManualResetEvent Discovered { get; } = new(false);

        public ManualResetEvent Finished { get; } = new(false);

        public int Passed { get; private set; }

        public int Failed { get; private set; }

        public int Skipped { get; private set; }

        public bool OnMessage(IMessageSinkMessage message)
        {
            lock (_lock)
                Take(message);
            return true;
        }

        public void Dispose()
        {
            Discovered.Dispose();
            Finished.Dispose();
        }

        private void Take(IMessageSinkMessage message)
        {
            switch (message)
            {
                case ITestCaseDiscoveryMessage m:
                    Cases.Add((IXunitTestCase)m.TestCase);
                    break;
                case IDiscoveryCompleteMessage:
                    Discovered.Set();
                    break;
                case ITestPassed m:
                    Passed++;
                    output.WriteLine($"passed {m.Test.DisplayName} ({m.ExecutionTime:F1} s)");
                    if (m.Output.Length > 0)
                        output.WriteLine(m.Output.TrimEnd());
                    break;
                case ITestSkipped m:
                    Skipped++;
                    output.WriteLine($"SKIPPED {m.Test.DisplayName}: {m.Reason}");
                    break;
                case ITestFailed m:
                    Fail(m.Test.DisplayName, m);
                    break;
                // Fixtures, clean-ups and the framework itself: a failure of theirs is one too.
                case IFailureInformation m:
                    Fail(message.GetType().Name, m);
                    break;
                case ITestAssemblyFinished:
                    Finished.Set();
                    break;
            }
        }

        private void Fail(string what, IFailureInformation why)
        {
            Failed++;
            output.WriteLine($"FAILED {what}: {ExceptionUtility.CombineMessages(why)}");
            output.WriteLine(ExceptionUtility.CombineStackTraces(why));
        }
    }
}

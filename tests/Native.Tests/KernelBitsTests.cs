using System.Diagnostics;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>Kernels give the same bits with AVX-512 and without, and with any number of threads.</summary>
public sealed class KernelBitsTests(ITestOutputHelper output)
{
    [Fact]
    public void Bits_depend_neither_on_avx512_nor_on_threads()
    {
        string[] widest = Fingerprint(""), narrow = Fingerprint("DOTNET_EnableAVX512");
        output.WriteLine(widest[0]);
        Assert.Contains("v512 False", narrow[0], StringComparison.Ordinal);
        Assert.Equal(widest.Length, narrow.Length);
        Assert.Equal([], widest.Zip(narrow).Skip(1).Where(pair => pair.First != pair.Second).Select(pair => $"{pair.First} without: {pair.Second}"));

        var byCase = widest.Skip(1).GroupBy(line => line[..line.IndexOf(" threads ", StringComparison.Ordinal)], line => line[^16..]).ToList();
        Assert.All(byCase, hashes => Assert.Equal(3, hashes.Count()));
        Assert.Equal([], byCase.Where(hashes => hashes.Distinct().Count() > 1).Select(hashes => hashes.Key));
        Assert.True(byCase.Select(hashes => hashes.First()).Distinct().Count() > byCase.Count / 2, "most cases give one result");
    }

    private static string[] Fingerprint(string switchedOff)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in new[] { Path.Combine(AppContext.BaseDirectory, "native.dll"), "fingerprint", "--kernels" })
            start.ArgumentList.Add(argument);
        if (switchedOff.Length > 0)
            start.Environment[switchedOff] = "0";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"native fingerprint --kernels ended with {process.ExitCode}: {errors.Result}");
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}

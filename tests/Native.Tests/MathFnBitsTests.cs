using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>The elementary functions give the same bits on every instruction set, and so does common.cuh under g++.</summary>
public sealed class MathFnBitsTests(ITestOutputHelper output)
{
    // Changes only when a function is changed on purpose: print it with `native fingerprint`.
    private const string Golden = """
        exp f32 7f2137299fb31b7d
        exp f64 31722f00673e1174
        expm1 f32 5254fdd3be0a0b89
        expm1 f64 17a93f7ee9437854
        log f32 b853a917d9ca212b
        log f64 4a7b64a699570776
        log1p f32 9708489deb41b775
        log1p f64 e37862a871da7dd7
        tanh f32 88a160126892ec97
        tanh f64 7ee7620490fe13de
        sigmoid f32 acf83c7fb7ec0d2d
        sigmoid f64 21615d279c2fcd91
        softplus f32 bdda7aabb10466d8
        softplus f64 90ca9b9b3043f77d
        erf f32 a2ea9234228318dd
        erf f64 50fea8bd0cb381c3
        sin f32 a304e3c81a4c558e
        sin f64 16b6a7628e73542b
        cos f32 56e046687a8e49be
        cos f64 c41a9d26ebff5980
        sinh f32 aa948d89a3327097
        sinh f64 c8bc82023bbb4086
        cosh f32 210a0898c34967ee
        cosh f64 077bfa98dc303287
        rsqrt f32 e87dd03a248b907f
        rsqrt f64 5b92f4abd966498f
        sign f32 08b994b3643f28a5
        sign f64 305e8ae73c992495
        pow f32 4b8c04eebec55ba9
        pow f64 39298a23d6737762
        """;

    [Theory]
    [InlineData("", "")]
    [InlineData("DOTNET_EnableAVX512", "v512 False")]
    [InlineData("DOTNET_EnableAVX2", "v256 False fma False")]
    [InlineData("DOTNET_EnableHWIntrinsic", "v256 False fma False")]
    public void BitsAreTheGoldenOnesOnEveryInstructionSet(string switchedOff, string headContains)
    {
        string text = Native(switchedOff, "fingerprint");
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        output.WriteLine(text[..end]);
        Assert.Contains(headContains, text[..end], StringComparison.Ordinal);
        Assert.Equal(Golden.ReplaceLineEndings("\n").Trim(), text[(end + 1)..].Trim());
    }

    [Fact]
    public void ThisProcessGivesTheGoldenBits()
    {
        string text = MathFnFingerprint.Compute();
        Assert.Equal(Golden.ReplaceLineEndings("\n").Trim(), text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..].Trim());
    }

    [Fact]
    public void CudaTextUnderAHostCompilerGivesTheSameBits()
    {
        string folder = Directory.CreateTempSubdirectory("native-mathfn").FullName;
        try
        {
            if (!HasCompiler())
            {
                bool ci = Environment.GetEnvironmentVariable("CI") is not null;
                Assert.False(ci, "g++ is missing, and in CI this comparison must run. Install g++.");
                output.WriteLine("Not run: there is no g++ on the path, and only a C++ compiler can execute the CUDA text here.");
                return;
            }
            File.WriteAllText(Path.Combine(folder, "main.cpp"), HostProgram());
            var compile = new ProcessStartInfo("g++") { WorkingDirectory = folder };
            const string Options = "-std=c++17 -O2 -march=x86-64-v3 -ffp-contract=off -Wall -Wextra -Werror main.cpp -o main";
            foreach (string option in Options.Split(' ')) compile.ArgumentList.Add(option);
            RunProcess(compile);
            float[] x32 = MathFnFingerprint.Inputs<float>(0), y32 = MathFnFingerprint.Inputs<float>(1);
            double[] x64 = MathFnFingerprint.Inputs<double>(0), y64 = MathFnFingerprint.Inputs<double>(1);
            using (var file = File.Create(Path.Combine(folder, "in")))
            {
                file.Write(MemoryMarshal.AsBytes<float>(x32));
                file.Write(MemoryMarshal.AsBytes<float>(y32));
                file.Write(MemoryMarshal.AsBytes<double>(x64));
                file.Write(MemoryMarshal.AsBytes<double>(y64));
            }
            RunProcess(new ProcessStartInfo(Path.Combine(folder, "main")) { WorkingDirectory = folder });
            var bytes = File.ReadAllBytes(Path.Combine(folder, "out")).AsSpan();
            int n = x32.Length;
            Assert.Equal(MathFnFingerprint.Names.Length * n * 12, bytes.Length);
            foreach (string name in MathFnFingerprint.Names)
            {
                Compare(name, MathFnFingerprint.Apply(name, x32, y32), MemoryMarshal.Cast<byte, float>(bytes[..(4 * n)]), x32);
                Compare(name, MathFnFingerprint.Apply(name, x64, y64), MemoryMarshal.Cast<byte, double>(bytes[(4 * n)..(12 * n)]), x64);
                bytes = bytes[(12 * n)..];
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // NaN payloads are not part of the promise; object equality treats NaN as equal and the sign of zero is compared apart.
    private static void Compare<T>(string name, T[] ours, ReadOnlySpan<T> theirs, T[] x)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        for (int i = 0; i < ours.Length; i++)
            Assert.True(ours[i].Equals(theirs[i]) && (T.IsNaN(ours[i]) || T.IsNegative(ours[i]) == T.IsNegative(theirs[i])),
                $"{name}({x[i]}) in {typeof(T).Name}: C# gives {ours[i]}, common.cuh gives {theirs[i]}.");
    }

    private static bool HasCompiler() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "g++")));

    private static string HostProgram()
    {
        var calls = string.Concat(MathFnFingerprint.Names.Select(n => n == "pow"
            ? "    for (int i = 0; i < N; i++) { a[i] = nat_pow(x[i], y[i]); b[i] = nat_pow(u[i], v[i]); }\n    WRITE\n"
            : $"    for (int i = 0; i < N; i++) {{ a[i] = nat_{n}(x[i]); b[i] = nat_{n}(u[i]); }}\n    WRITE\n"));
        return $$"""
            #include <cmath>
            #include <cstdio>
            #include <cstring>
            #define __device__
            #define __forceinline__ inline
            template <class To, class From> static inline To cast(From x)
            {
                To r;
                static_assert(sizeof r == sizeof x);
                memcpy(&r, &x, sizeof r);
                return r;
            }
            typedef unsigned long long nat_host;
            static inline unsigned __float_as_uint(float x) { return cast<unsigned>(x); }
            static inline float __uint_as_float(unsigned x) { return cast<float>(x); }
            static inline long long __double_as_longlong(double x) { return cast<long long>(x); }
            static inline double __longlong_as_double(long long x) { return cast<double>(x); }
            static inline nat_host __umul64hi(nat_host a, nat_host b) { return (nat_host)(((unsigned __int128)a * b) >> 64); }
            using std::sqrt; // the float overload, as CUDA has it
            {{Resource("common.cuh")}}
            {{Resource("special.cuh")}}
            static_assert(sizeof(nat_tanh(0.5f) + nat_rsqrt(0.5f) + nat_pow(0.5f, 0.5f)) == 4, "float stays float");
            enum { N = {{MathFnFingerprint.Inputs<float>(0).Length}} };
            static float x[N], y[N], a[N];
            static double u[N], v[N], b[N];
            #define WRITE if (fwrite(a, 4, N, out) != N || fwrite(b, 8, N, out) != N) return 2;
            int main()
            {
                FILE* in = fopen("in", "rb");
                FILE* out = fopen("out", "wb");
                if (!in || !out) return 1;
                if (fread(x, 4, N, in) != N || fread(y, 4, N, in) != N || fread(u, 8, N, in) != N || fread(v, 8, N, in) != N) return 1;
            {{calls}}
                return fclose(out);
            }
            """;
    }

    private static string Resource(string name)
    {
        using var stream = typeof(MathFn).Assembly.GetManifestResourceStream(name) ?? throw new FileNotFoundException(name);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Runs the command line in a process of its own, with one of the runtime's switches set to 0 unless it is empty; what it printed.</summary>
    internal static string Native(string switchedOff, params string[] args)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet");
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "native.dll"));
        foreach (string arg in args) start.ArgumentList.Add(arg);
        if (switchedOff.Length > 0) start.Environment[switchedOff] = "0";
        return RunProcess(start);
    }

    private static string RunProcess(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{start.FileName} ended with {process.ExitCode}: {errors.Result}");
        return text;
    }
}

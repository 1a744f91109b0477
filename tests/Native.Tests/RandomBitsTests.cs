using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>The CUDA text of the random fills, compiled for the host, makes the bits that the CPU makes.</summary>
[Trait("Category", "Cpu")]
public sealed class RandomBitsTests(ITestOutputHelper output)
{
    private const int N = 1537;

    [Fact]
    public void Cuda_text_under_a_host_compiler_gives_the_same_bits()
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(d => File.Exists(Path.Combine(d, "g++"))))
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") is not null, "g++ is missing, and in CI this comparison must run. Install g++.");
            output.WriteLine("Not run: there is no g++ on the path, and only a C++ compiler can execute the CUDA text here.");
            return;
        }
        string folder = Directory.CreateTempSubdirectory("native-random").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "main.cpp"), Program());
            Run(folder, "g++", "-std=c++17", "-O2", "-march=x86-64-v3", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "main.cpp", "-o", "main");
            Run(folder, Path.Combine(folder, "main"));
            var bytes = File.ReadAllBytes(Path.Combine(folder, "out")).AsSpan();
            Compare(ref bytes, "f32", Fills<float>(DType.F32));
            Compare(ref bytes, "f64", Fills<double>(DType.F64));
            Compare(ref bytes, "i64", [Tensor.RandInt(-5, 1_000_000_000_000, [N], At()).ToArray<long>()]);
            Assert.Equal(0, bytes.Length);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // A key and a block whose upper halves matter.
    private static Generator At() => new(0) { State = (0x1234567890ABCDEF, 0x2_0000_0004) };

    private static T[][] Fills<T>(DType dtype) where T : unmanaged =>
    [
        Tensor.Rand([N], At(), -1.5, 0.25, dtype).ToArray<T>(), Tensor.Randn([N], At(), 0.5, 2, dtype).ToArray<T>(),
        Tensor.Bernoulli([N], 0.375, At(), dtype).ToArray<T>(), Tensor.Gumbel([N], At(), dtype).ToArray<T>(),
    ];

    private static void Compare<T>(ref Span<byte> theirs, string what, T[][] ours) where T : unmanaged
    {
        foreach (var (k, fill) in ours.Index())
        {
            var mine = MemoryMarshal.AsBytes(fill.AsSpan());
            int same = mine.CommonPrefixLength(theirs);
            int i = same / Marshal.SizeOf<T>();
            Assert.True(same == mine.Length, $"{what} fill {k} differs from element {i}: {(i < fill.Length ? fill[i] : default)} here");
            theirs = theirs[mine.Length..];
        }
    }

    private static string Program() => $$"""
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
        static inline unsigned __float_as_uint(float x) { return cast<unsigned>(x); }
        static inline float __uint_as_float(unsigned x) { return cast<float>(x); }
        static inline long long __double_as_longlong(double x) { return cast<long long>(x); }
        static inline double __longlong_as_double(long long x) { return cast<double>(x); }
        static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
        {
            return (unsigned long long)(((unsigned __int128)a * b) >> 64);
        }
        using std::sqrt; // the float overload, as CUDA has it
        {{Resource("common.cuh")}}
        {{Resource("special.cuh")}}
        {{Resource("random.cuh")}}
        static const nat_u64 key = 0x1234567890ABCDEFull, first = 0x80000001ull;
        static FILE* out;
        template <class T, class F> static void write(F f)
        {
            for (int i = 0; i < {{N}}; i++)
            {
                T v = f(i);
                fwrite(&v, sizeof v, 1, out);
            }
        }
        template <class T> static void fills(T last)
        {
            write<T>([=](int i) { return nat_random_uniform<T>(key, first, i, T(-1.5), T(0.25), last); });
            write<T>([](int i) { return nat_random_normal<T>(key, first, i, T(0.5), T(2)); });
            write<T>([](int i) { return nat_random_bernoulli<T>(key, first, i, T(0.375), T(1)); });
            write<T>([](int i) { return nat_random_gumbel<T>(key, first, i); });
        }
        int main()
        {
            out = fopen("out", "wb");
            if (!out) return 1;
            fills<float>(std::nextafter(0.25f, 0.0f));
            fills<double>(std::nextafter(0.25, 0.0));
            write<long long>([](int i) { return nat_random_integer(key, first, i, -5, 1000000000005ull); });
            return fclose(out);
        }
        """;

    private static string Resource(string name)
    {
        using var stream = typeof(MathFn).Assembly.GetManifestResourceStream(name) ?? throw new FileNotFoundException(name);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static void Run(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {errors.Result}");
    }
}

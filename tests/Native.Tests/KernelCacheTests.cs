using System.Diagnostics;
using Native.Benchmarks;

namespace Native.Tests;

/// <summary>The cache of compiled kernels: whole files or none, whatever happens to them or to their writers.</summary>
[Trait("Category", "Cpu")]
public sealed class KernelCacheTests : IDisposable
{
    private const int Keys = 4, ContentBytes = 3 << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static KernelKey Key(int i) => KernelKey.Of($"family{i}_f32", $"text {i}", ["--std=c++17", "--gpu-architecture=sm_80"], "sm_80", 11080);

    // Large, so that a writer is killed in the middle of it, and known from its key alone.
    private static byte[] Content(int i) => [.. Enumerable.Repeat((byte)(i + 1), ContentBytes)];

    private static byte[] MustNotCompile() => throw new KernelException("it is in the cache");

    [Fact]
    public void What_was_stored_is_found_by_another_cache_and_what_differs_is_not()
    {
        byte[] content = [1, 2, 3];
        Assert.Equal(content, new KernelCache(_folder.Path).GetOrAdd(Key(0), () => content));
        Assert.Equal(content, new KernelCache(_folder.Path).GetOrAdd(Key(0), MustNotCompile));
        string[] none = [], two = ["a", "b"];
        KernelKey[] keys =
        [
            KernelKey.Of("n", "text", none, "sm_80", 11080), KernelKey.Of("n", "text ", none, "sm_80", 11080), KernelKey.Of("n", "text", ["a"], "sm_80", 11080),
            KernelKey.Of("n", "text", two, "sm_80", 11080), KernelKey.Of("n", "text", ["ab"], "sm_80", 11080), KernelKey.Of("n", "text", none, "sm_90", 11080),
            KernelKey.Of("n", "text", none, "sm_80", 12040), KernelKey.Of("m", "text", none, "sm_80", 11080),
        ];
        Assert.Equal(keys.Length, keys.Select(k => k.Hash).Distinct().Count());
        Assert.Equal(keys[0], KernelKey.Of("n", "text", none, "sm_80", 11080));
    }

    [Fact]
    public void Any_damage_is_compiled_again_and_replaced()
    {
        byte[] content = [.. Enumerable.Range(0, 100).Select(i => (byte)i)];
        var cache = new KernelCache(_folder.Path);
        cache.GetOrAdd(Key(0), () => content);
        string file = Directory.GetFiles(_folder.Path).Single();
        byte[] whole = File.ReadAllBytes(file);
        var damaged = new List<byte[]> { Array.Empty<byte>(), whole[..7], whole[..20], whole[..^1], whole[..40], new byte[whole.Length] };
        damaged.Add([.. whole, 0]);
        for (int i = 0; i < whole.Length; i++)
        {
            var flipped = (byte[])whole.Clone();
            flipped[i] ^= 1;
            damaged.Add(flipped);
        }
        foreach (byte[] bytes in damaged)
        {
            File.WriteAllBytes(file, bytes);
            int compiled = 0;
            Assert.Equal(content, cache.GetOrAdd(Key(0), () =>
            {
                compiled++;
                return content;
            }));
            Assert.Equal(1, compiled);
            Assert.Equal(whole, File.ReadAllBytes(file));
        }
        // Another kernel's file under this name is damage too.
        cache.GetOrAdd(Key(1), () => [9]);
        File.Copy(Directory.GetFiles(_folder.Path).Single(f => f != file), file, overwrite: true);
        Assert.Equal(content, cache.GetOrAdd(Key(0), () => content));
    }

    [Fact]
    public void A_folder_that_cannot_be_used_costs_the_compilation_only()
    {
        byte[] content = [1];
        string occupied = _folder.File("a-file");
        File.WriteAllText(occupied, "");
        var places = new List<string?> { null, occupied, Path.Combine(occupied, "below") };
        if (OperatingSystem.IsLinux())
            places.Add("/proc/native-kernels");      // nobody may write there
        foreach (string? place in places)
        {
            var cache = new KernelCache(place);
            Assert.Equal(content, cache.GetOrAdd(Key(0), () => content));
            Assert.Equal((0, 0, 0), cache.Count());
            Assert.Equal(0, cache.Clear());
        }
        if (OperatingSystem.IsWindows())
            return;
        // Read-only: what is there is used, what is not is compiled. (The superuser may write nevertheless, and then it is stored.)
        string folder = _folder.File("read-only");
        new KernelCache(folder).GetOrAdd(Key(0), () => content);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            Assert.Equal(content, new KernelCache(folder).GetOrAdd(Key(0), MustNotCompile));
            Assert.Equal([2], new KernelCache(folder).GetOrAdd(Key(1), () => [2]));
            Assert.DoesNotContain(Directory.GetFiles(folder), f => f.EndsWith(".tmp"));
        }
        finally
        {
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public void Processes_beside_each_other_and_killed_at_any_moment_leave_whole_files()
    {
        using var writers = new Writers(_folder.Path, 2);
        var watch = Stopwatch.StartNew();
        while (Directory.GetFiles(_folder.Path, "*.cubin").Length < Keys)
        {
            Assert.True(watch.Elapsed < TimeSpan.FromMinutes(1), "the writers write nothing");
            Thread.Sleep(10);
        }
        // From here on every file is there and is replaced without end: what is read is whole each time, and never compiled.
        var cache = new KernelCache(_folder.Path);
        for (int round = 0; round < 6; round++)
        {
            var until = watch.Elapsed + TimeSpan.FromMilliseconds(100 + 37 * round);
            while (watch.Elapsed < until)
                ReadAll();
            writers.Replace(round % 2);
        }
        writers.Dispose();
        ReadAll();

        void ReadAll()
        {
            for (int i = 0; i < Keys; i++)
                Assert.True(cache.GetOrAdd(Key(i), MustNotCompile).AsSpan().SequenceEqual(Content(i)), $"the content of key {i} is another's");
        }
    }

    [Fact]
    public void What_a_killed_writer_left_is_swept_after_an_hour()
    {
        var cache = new KernelCache(_folder.Path);
        cache.GetOrAdd(Key(0), () => [1]);
        string file = Directory.GetFiles(_folder.Path).Single();
        string old = $"{file}.{Guid.NewGuid():N}.tmp", young = $"{file}.{Guid.NewGuid():N}.tmp", foreign = _folder.File("notes.tmp");
        foreach (string f in (string[])[old, young, foreign])
            File.WriteAllText(f, "half");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));
        File.SetLastWriteTimeUtc(foreign, DateTime.UtcNow.AddHours(-2));
        Assert.Equal((1, 2), (cache.Count().Kernels, cache.Count().Abandoned));
        new KernelCache(_folder.Path).GetOrAdd(Key(1), () => [2]);
        Assert.Equal([false, true, true], new[] { old, young, foreign }.Select(File.Exists));
    }

    [Fact]
    public void The_command_counts_and_clears_its_own_files_only()
    {
        using (Env.Cache.Override(_folder.Path))
        {
            KernelCache.Default.GetOrAdd(Key(0), () => [1]);
            KernelCache.Default.GetOrAdd(Key(1), () => [2]);
            File.WriteAllText(_folder.File("mine.cubin"), "not of the cache");
            Assert.Equal($"{_folder.Path}: 2 kernels, 0.1 KiB\n", Native("info"));
            Assert.Equal($"{_folder.Path}: 2 files deleted\n", Native("clear"));
            Assert.Equal($"{_folder.Path}: 0 kernels, 0.0 KiB\n", Native("info"));
        }
        Assert.Equal([_folder.File("mine.cubin")], Directory.GetFiles(_folder.Path));
    }

    [NeedsFact(GpuKit.Nvrtc)]
    public void A_compiled_kernel_is_compiled_once()
    {
        var compiler = CudaRuntimeCompiler.Load();
        const string Text = """extern "C" __global__ void one_f32(float* x) { x[0] = 1.f; }""";
        byte[] first = new KernelCache(_folder.Path).Image(compiler, "one_f32", Text, "sm_80");
        string file = Directory.GetFiles(_folder.Path).Single();
        Assert.StartsWith("one_f32.sm_80.", Path.GetFileName(file));
        var written = File.GetLastWriteTimeUtc(file);
        Assert.Equal(first, new KernelCache(_folder.Path).Image(compiler, "one_f32", Text, "sm_80"));
        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
        new KernelCache(_folder.Path).Image(compiler, "one_f32", Text + "\n", "sm_80");
        Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
    }

    /// <summary>Runs in a process of its own: replaces every key's file again and again, and ends by itself should nobody be left to kill it.</summary>
    internal static void FillUntilKilled(string folder)
    {
        var cache = new KernelCache(folder);
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromMinutes(2);)
            for (int i = 0; i < Keys; i++)
                cache.Store(Key(i), Content(i));
        Environment.Exit(1);
    }

    private static string Native(string verb)
    {
        using StringWriter output = new(), error = new();
        Assert.True(App.Run(["cache", verb], output, error) == 0, error.ToString());
        return output.ToString().ReplaceLineEndings("\n");
    }

    /// <summary>Processes that fill a cache; each is killed, never asked to end.</summary>
    private sealed class Writers(string folder, int count) : IDisposable
    {
        private readonly Process?[] _processes = [.. Enumerable.Range(0, count).Select(_ => Start(folder))];

        public void Replace(int i)
        {
            Assert.False(_processes[i]!.HasExited, "a writer ended by itself");
            Kill(i);
            _processes[i] = Start(folder);
        }

        public void Dispose()
        {
            for (int i = 0; i < count; i++)
                Kill(i);
        }

        private void Kill(int i)
        {
            if (_processes[i] is not { } process)
                return;
            process.Kill();
            process.WaitForExit();
            process.Dispose();
            _processes[i] = null;
        }

        private static Process Start(string folder)
        {
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet") { UseShellExecute = false };
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "native.dll"));
            start.Environment["DOTNET_STARTUP_HOOKS"] = typeof(StartupHook).Assembly.Location;
            start.Environment[StartupHook.Variable] = folder;
            return Process.Start(start)!;
        }
    }
}

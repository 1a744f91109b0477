using System.Text;

namespace Native.Tests;

/// <summary>g++ behind the cache of kernels: compiled once, whole or not at all, and wrong text is shown with its line.</summary>
[Trait("Category", "Emulator")]
public sealed class HostCompilerTests : IDisposable
{
    private const string Name = "wrap_f32", Text = "extern \"C\" __attribute__((visibility(\"default\"))) int wrap(int x) { return x + 1 > x; }\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [NeedsFact(GpuKit.Gxx)]
    public void A_text_is_compiled_once_whoever_asks()
    {
        byte[] first = Compile();
        string file = Directory.GetFiles(_folder.Path).Single();
        Assert.Matches(@"wrap_f32\.host\.[0-9a-f]{64}\.so$", file);
        var written = File.GetLastWriteTimeUtc(file);
        Assert.Equal(first, Compile());
        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
        Assert.Equal((1, 0), (new KernelCache(_folder.Path).Count().Kernels, new KernelCache(_folder.Path).Count().Abandoned));

        // Damage is compiled away; a writer that was killed leaves nothing that is read.
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..1000]);
        File.WriteAllText($"{file}.{Guid.NewGuid():N}.tmp", "half");
        Assert.Equal([0x7F, (byte)'E', (byte)'L', (byte)'F'], Compile()[..4]);
        Assert.NotEqual(1000, new FileInfo(file).Length);
        Assert.Equal(2, new KernelCache(_folder.Path).Clear());
    }

    [NeedsFact(GpuKit.Gxx)]
    public void Threads_that_compile_the_same_text_at_once_get_whole_libraries()
    {
        byte[][] images = new byte[3][];
        Thread[] threads = [.. images.Select((_, i) => new Thread(() => images[i] = Compile()))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.All(images, i => Assert.True(i.AsSpan().SequenceEqual(images[0])));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [NeedsFact(GpuKit.Gxx)]
    public unsafe void Integers_wrap_as_on_a_gpu()
    {
        string library = _folder.File("wrap.so");
        File.WriteAllBytes(library, Compile());
        var wrap = (delegate* unmanaged<int, int>)System.Runtime.InteropServices.NativeLibrary.GetExport(System.Runtime.InteropServices.NativeLibrary.Load(library), "wrap");
        Assert.Equal((1, 0), (wrap(1), wrap(int.MaxValue)));
    }

    [NeedsFact(GpuKit.Gxx)]
    public void A_mistake_is_shown_with_its_line()
    {
        string message = Assert.Throws<KernelException>(() => new HostCompiler(new(null)).Compile("#line 7 \"wrong.cu\"\nint x = nobody;\n", "wrong_f32", "sm_80")).Message;
        Assert.StartsWith("wrong_f32: the kernels do not compile with g++ for emu:0:\n", message);
        Assert.Contains("wrong.cu:7:9: error: ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_image_that_is_none_is_refused()
    {
        var result = new EmulatedDriver().ModuleLoadData(out nint module, Encoding.ASCII.GetBytes("no library"));
        Assert.Equal((CudaResult.InvalidImage, 0), (result, module));
    }

    private byte[] Compile() => new HostCompiler(new(_folder.Path)).Compile(Text, Name, "sm_80");
}

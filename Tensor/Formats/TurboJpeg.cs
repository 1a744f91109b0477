using System.Runtime.InteropServices;

namespace Native;

/// <summary>
/// Baseline JPEG of grey images through libjpeg-turbo's TurboJPEG library, where the machine has it. The same files as libjpeg with its defaults makes, hence as Pillow: quality scales the
/// standard's tables, the DCT is the accurate one, Huffman tables are the standard's.
/// </summary>
public sealed class TurboJpeg : IDisposable
{
    private const int Grey = 6, GreyOnly = 3, AccurateDct = 4096, NoReallocation = 1024;

    private static readonly string[] Names = ["libturbojpeg.so.0", "libturbojpeg.so", "libturbojpeg.0.dylib", "turbojpeg.dll", "libturbojpeg.dll"];
    private static readonly Lazy<nint> Library = new(() => Names.Select(n => NativeLibrary.TryLoad(n, out nint handle) ? handle : 0).FirstOrDefault(h => h != 0));

    private readonly Compress _compress;
    private readonly Decompress _decompress;
    private readonly Destroy _destroy;
    private readonly LastError _error;
    private nint _compressor, _decompressor;

    /// <summary>Opens the library.</summary>
    /// <exception cref="UsageException">It is not here.</exception>
    public TurboJpeg()
    {
        if (!Available)
            throw new UsageException($"jpeg: {Absent} Looked for {string.Join(", ", Names)}.");
        (_compress, _decompress, _destroy, _error) = (Function<Compress>("tjCompress2"), Function<Decompress>("tjDecompress2"), Function<Destroy>("tjDestroy"), Function<LastError>("tjGetErrorStr"));
        (_compressor, _decompressor) = (Function<Init>("tjInitCompress")(), Function<Init>("tjInitDecompress")());
        if (_compressor == 0 || _decompressor == 0)
            throw Failed("make a codec");
    }

    private delegate nint Init();

    private delegate int Compress(nint handle, byte[] source, int width, int pitch, int height, int format, ref nint jpeg, ref CULong size, int sampling, int quality, int flags);

    private delegate int Decompress(nint handle, byte[] jpeg, CULong size, byte[] target, int width, int pitch, int height, int format, int flags);

    private delegate int Destroy(nint handle);

    private delegate nint LastError();

    private delegate CULong BufferSize(int width, int height, int sampling);

    /// <summary>Whether the library is here.</summary>
    public static bool Available => Library.Value != 0;

    /// <summary>What to do when it is not.</summary>
    public static string Absent => "no JPEG encoder: libjpeg-turbo is not installed. Install its TurboJPEG library (Debian: libturbojpeg0).";

    /// <summary>A grey image [height, width] as a JPEG file.</summary>
    /// <param name="pixels">Bytes, row after row.</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="UsageException">Quality or size are out of range, or the library refuses.</exception>
    public byte[] Encode(byte[] pixels, int width, int quality)
    {
        if (quality is < 1 or > 100)
            throw new UsageException($"jpeg: a quality of {quality} is none. Give 1 to 100.");
        int height = Height(pixels, width);
        var room = Function<BufferSize>("tjBufSize")(width, height, GreyOnly);
        nint buffer = Marshal.AllocHGlobal((nint)room.Value);
        try
        {
            nint at = buffer;
            var size = room;
            if (_compress(_compressor, pixels, width, width, height, Grey, ref at, ref size, GreyOnly, quality, AccurateDct | NoReallocation) != 0)
                throw Failed($"write an image of {height} x {width} pixels at quality {quality}");
            var jpeg = new byte[(int)size.Value];
            Marshal.Copy(buffer, jpeg, 0, jpeg.Length);
            return jpeg;
        }
        finally
        {
            Marshal.FreeHGlobal(buffer);
        }
    }

    /// <summary>The pixels of a grey JPEG file whose size is known.</summary>
    /// <exception cref="DataFormatException">It is none, or of another size.</exception>
    public byte[] Decode(byte[] jpeg, int width, int height)
    {
        // The library would shrink a larger image to fit.
        var frame = Parse(jpeg);
        if ((frame.Width, frame.Height) != (width, height))
            throw new DataFormatException($"jpeg: the file has {frame.Height} x {frame.Width} pixels, not {height} x {width}.");
        var pixels = new byte[width * height];
        return _decompress(_decompressor, jpeg, new CULong((uint)jpeg.Length), pixels, width, width, height, Grey, AccurateDct) == 0 ? pixels
            : throw new DataFormatException($"jpeg: {jpeg.Length} bytes do not decode to {height} x {width} pixels: {Message}.");
    }

    /// <summary>Bytes of a baseline JPEG file that depend on its image: those of the scan. Everything before them, tables and frame, is equal for images of one size and quality, and so is the end marker.</summary>
    /// <exception cref="DataFormatException">It is no baseline JPEG file of one scan.</exception>
    public static int ScanBytes(ReadOnlySpan<byte> jpeg) => Parse(jpeg).Scan;

    /// <summary>Frees the codecs.</summary>
    public void Dispose()
    {
        foreach (nint handle in (ReadOnlySpan<nint>)[_compressor, _decompressor])
            if (handle != 0)
                _ = _destroy(handle);
        (_compressor, _decompressor) = (0, 0);
    }

    private string Message => Marshal.PtrToStringUTF8(_error()) ?? "no reason given";

    private static (int Scan, int Width, int Height) Parse(ReadOnlySpan<byte> jpeg)
    {
        const byte start = 0xD8, baseline = 0xC0, scan = 0xDA, end = 0xD9;
        if (jpeg.Length < 4 || jpeg[0] != 0xFF || jpeg[1] != start || jpeg[^2] != 0xFF || jpeg[^1] != end)
            throw new DataFormatException($"jpeg: {jpeg.Length} bytes do not begin and end as a JPEG file does.");
        int width = 0, height = 0;
        for (int at = 2; at + 9 <= jpeg.Length && jpeg[at] == 0xFF;)
        {
            byte marker = jpeg[at + 1];
            if (marker == baseline)
                (height, width) = (jpeg[at + 5] << 8 | jpeg[at + 6], jpeg[at + 7] << 8 | jpeg[at + 8]);
            at += 2 + (jpeg[at + 2] << 8 | jpeg[at + 3]);
            if (marker == scan && width > 0 && at <= jpeg.Length - 2)
                return (jpeg.Length - 2 - at, width, height);
        }
        throw new DataFormatException($"jpeg: no baseline scan in {jpeg.Length} bytes.");
    }

    private static int Height(byte[] pixels, int width) => width > 0 && pixels.Length > 0 && pixels.Length % width == 0 ? pixels.Length / width
        : throw new UsageException($"jpeg: {pixels.Length} bytes are no rows of {width} pixels.");

    private static T Function<T>(string name) where T : Delegate => NativeLibrary.TryGetExport(Library.Value, name, out nint address)
        ? Marshal.GetDelegateForFunctionPointer<T>(address)
        : throw new UsageException($"jpeg: the TurboJPEG library has no {name}. Install libjpeg-turbo 1.4 or later.");

    private UsageException Failed(string what) => new($"jpeg: the library did not {what}: {Message}.");
}

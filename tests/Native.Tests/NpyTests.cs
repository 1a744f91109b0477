using System.IO.Compression;
using System.Text;

namespace Native.Tests;

public class NpyTests
{
    // Written by NumPy 1.24.
    private const string FortranBigEndian = "k05VTVBZAQB2AHsnZGVzY3InOiAnPmY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo/AAAAQGAAAD/AAABAkAAAQCAAAECwAAA=";
    private const string Version2 = "k05VTVBZAgB0AAAAeydkZXNjcic6ICc8aTgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAP7/////////AAAAAAABAAA=";
    private const string Version3Bool = "k05VTVBZAwB0AAAAeydkZXNjcic6ICd8YjEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMSwgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAA==";
    private const string Scalar = "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAEQA==";
    private const string Fortran3 = "k05VTVBZAQB2AHsnZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoADAQQCBQBDQURCRUCDgYSChYDDwcTCxc=";
    private const string Plain = "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACAPwAAAEAAAEBAAACAQAAAoEA=";
    private const string Zip = "UEsDBBQAAAAIAAAAIQD+dB7UTgAAAJAAAAAFABQAeC5ucHkBABAAkAAAAAAAAABOAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GiY6mjoKtQoUAC4GIGAEYiYgZgZiAFBLAwQUAAAACAAAACEA5tbTOEwAAAAQAgAABQAUAHkubnB5AQAQABACAAAAAAAATAAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2airqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOgqmBpo6CrUK5AIuhlEwqAAAUEsBAhQDFAAAAAgAAAAhAP50HtROAAAAkAAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAhQDFAAAAAgAAAAhAObW0zhMAAAAEAIAAAUAAAAAAAAAAAAAAIABhQAAAHkubnB5UEsFBgAAAAACAAIAZgAAAAgBAAAAAA==";

    private static HostArray Read(string base64) => Read(Convert.FromBase64String(base64));

    private static HostArray Read(byte[] bytes) => Npy.Read(new MemoryStream(bytes), "fuzz.bin");

    private static OrderedDictionary<string, HostArray> ReadZip(byte[] bytes, long limit = 1L << 32) => Npz.Read(new MemoryStream(bytes), "fuzz.bin", limit);

    private static byte[] Bytes(string header, int data, int version = 1, int? length = null)
    {
        int n = length ?? header.Length;
        byte[] size = version == 1 ? [(byte)n, (byte)(n >> 8)] : BitConverter.GetBytes(n);
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. size, .. Encoding.UTF8.GetBytes(header), .. new byte[data]];
    }

    [Fact]
    public void ReadsWhatNumPyWrote()
    {
        Assert.Equal(HostArray.From<float>([2, 3], [0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f]), Read(FortranBigEndian));
        Assert.Equal(HostArray.From<long>([3], [1, -2, 1L << 40]), Read(Version2));
        Assert.Equal(HostArray.From<bool>([1, 2], [true, false]), Read(Version3Bool));
        Assert.Equal(HostArray.From<double>([], [2.5]), Read(Scalar));
        Assert.Equal(HostArray.From<byte>([2, 3, 4], Enumerable.Range(0, 24).Select(i => (byte)i).ToArray()), Read(Fortran3));
        var zip = ReadZip(Convert.FromBase64String(Zip));
        Assert.Equal(["x", "y"], zip.Keys);
        Assert.Equal(HostArray.From<int>([4], [0, 1, 2, 3]), zip["x"]);
        Assert.Equal(HostArray.From<float>([2, 50], new float[100]), zip["y"]);
    }

    [Fact]
    public void WritesWhatNumPyWrites()
    {
        using var stream = new MemoryStream();
        Npy.Write(stream, HostArray.From<float>([2, 3], [0, 1, 2, 3, 4, 5]));
        Assert.Equal(Plain, Convert.ToBase64String(stream.ToArray()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RoundTripsEveryTypeAndRank(bool compress)
    {
        using var folder = new TemporaryFolder();
        var sample = new OrderedDictionary<string, HostArray>
        {
            ["f"] = HostArray.From<float>([1, 2, 1, 1, 1, 1, 1, 2], [1, -0f, float.NaN, 4]),
            ["d"] = HostArray.From<double>([], [Math.E]),
            ["i"] = HostArray.From<int>([3], [1, 2, int.MinValue]),
            ["l"] = HostArray.From<long>([0, 3], []),
            ["folder/u"] = HostArray.From<byte>([300, 300], new byte[90_000]),
            ["b"] = HostArray.From<bool>([1], [true]),
        };
        foreach (var (name, array) in sample)
        {
            Npy.Write(folder.File("a.npy"), array);
            Assert.Equal(array, Npy.Read(folder.File("a.npy")));
            Assert.Equal(0, (new FileInfo(folder.File("a.npy")).Length - array.Data.Length) % 64);
            Assert.NotEmpty(name);
        }
        string path = folder.File("a.npz");
        Npz.Write(path, sample, compress);
        var back = Npz.Read(path);
        Assert.Equal(sample.Keys, back.Keys);
        Assert.Equal(sample.Values, back.Values);
        Assert.Equal(compress, new FileInfo(path).Length < 10_000);
        Npz.Write(folder.File("b.npz"), sample, compress);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(folder.File("b.npz")));
    }

    public static TheoryData<string, int, string> Malformed => new()
    {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, "shape [2] of f32 takes 8 bytes and the file has 7 after the header." },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, "shape [2] of f32 takes 8 bytes and the file has 9 after the header." },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999,), }", 4, "shape [999999999999] of f32 takes 3999999999996 bytes and the file has 4" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 2), }", 0, "the array has an impossible shape" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, "rank 9 is above the limit of 8" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, "the header has a dim that is no integer from 0 to 2^63-1, near character 51 of 58." },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4, "the header has a dim that is no integer" },
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "the dtype is '<c8'; f4, f8, i4, i8, u1 and b1 can be read." },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, "the dtype is '|O'" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, "describes a structured dtype" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", 4, "has a fortran_order that is neither True nor False" },
        { "{'descr': '<f4', 'shape': (1,), }", 4, "the header lacks fortran_order" },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': True, 'shape': (1,)}", 4, "the header has 'descr' twice" },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), 'x': 1}", 4, "the header has an unknown field 'x'" },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (1,)} 1", 4, "the header goes on after the dict" },
        { "{'descr': '<f4", 4, "the header has a quote that is not closed" },
        { "", 4, "the header lacks a '{'" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void RefusesMalformedHeaders(string header, int data, string message)
    {
        var e = Assert.Throws<DataFormatException>(() => Read(Bytes(header, data)));
        Assert.StartsWith("npy: fuzz.bin: ", e.Message);
        Assert.Contains(message, e.Message);
    }

    [Fact]
    public void RefusesOtherFilesVersionsAndLengths()
    {
        Assert.Contains("the file has 4 bytes", Assert.Throws<DataFormatException>(() => Read([1, 2, 3, 4])).Message);
        Assert.Contains("the file starts with 504B03040000", Assert.Throws<DataFormatException>(() => Read([0x50, 0x4B, 3, 4, 0, 0, 0, 0, 0, 0])).Message);
        Assert.Contains("the version is 4.0", Assert.Throws<DataFormatException>(() => Read(Bytes("{}", 0, 4))).Message);
        Assert.Contains("the header claims 9999 bytes and the file has 2 left of 12", Assert.Throws<DataFormatException>(() => Read(Bytes("{}", 0, 1, 9999))).Message);
        Assert.Contains("the header claims 4294967295 bytes; at most 1048576", Assert.Throws<DataFormatException>(() => Read(Bytes("{}", 0, 2, -1))).Message);
        Assert.Contains("the truth value 9 at element 0",
            Assert.Throws<DataFormatException>(() => Read([.. Bytes("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", 0), 9])).Message);
        Assert.Contains("cannot be read", Assert.Throws<UsageException>(() => Npy.Read("/nowhere/at/all.npy")).Message);
    }

    private static byte[] MakeZip(params (string Name, byte[] Bytes)[] members)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, bytes) in members)
                using (var body = zip.CreateEntry(name).Open())
                    body.Write(bytes);
        return stream.ToArray();
    }

    // Overwrites a 32-bit field of the first member's record in the central directory, and in its local header too.
    private static byte[] Patch(byte[] zip, int centralField, int localField, uint value)
    {
        int central = zip.AsSpan().IndexOf("PK\x01\x02"u8);
        BitConverter.TryWriteBytes(zip.AsSpan(central + centralField), value);
        BitConverter.TryWriteBytes(zip.AsSpan(localField), value);
        return zip;
    }

    [Fact]
    public void RefusesHostileArchives()
    {
        string Message(byte[] zip, long limit = 1L << 32) => Assert.Throws<DataFormatException>(() => ReadZip(zip, limit)).Message;
        var plain = Convert.FromBase64String(Plain);
        var zeros = Bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000,), }", 1_000_000);

        Assert.Contains("the zip archive of 3 bytes is damaged", Message([1, 2, 3]));
        Assert.Contains("the member 'a.txt' is no .npy file", Message(MakeZip(("a.txt", plain))));
        Assert.Contains("the member 'a.npy' appears twice", Message(MakeZip(("a.npy", plain), ("a.npy", plain))));
        Assert.Equal($"npz: fuzz.bin: the arrays up to 'a.npy' take {zeros.Length} bytes unpacked; the limit is 1000. Raise the limit or split the archive.",
            Message(MakeZip(("a.npy", zeros)), 1000));
        // The uncompressed size stands at byte 24 of the central record and 22 of the local header; the CRC at 16 and 14.
        Assert.Contains("deflate makes at most 1032 of one", Message(Patch(MakeZip(("a.npy", zeros)), 24, 22, 4_000_000_000)));
        Assert.Contains("takes 1000000 bytes and the file has", Message(Patch(MakeZip(("a.npy", zeros)), 24, 22, 500_000)));
        Assert.Contains("the CRC-32 is ", Message(Patch(MakeZip(("a.npy", zeros)), 16, 14, 1)));
        var longer = MakeZip(("a.npy", [.. plain, 1, 2, 3]));
        Assert.Contains("the CRC-32 is ", Message(Patch(longer, 24, 22, (uint)plain.Length)));
    }

    [Fact]
    public void DamagedFilesOnlyRaiseFormatException()
    {
        int refused = FormatFuzz.Run(s => Npy.Read(s, "fuzz.bin"), 1500, [.. new[] { FortranBigEndian, Version2, Version3Bool, Fortran3 }.Select(Convert.FromBase64String)]);
        Assert.InRange(refused, 2000, 6000);
        refused = FormatFuzz.Run(s => Npz.Read(s, "fuzz.bin"), 3000, Convert.FromBase64String(Zip),
            MakeZip(("a.npy", Convert.FromBase64String(Plain)), ("b.npy", Convert.FromBase64String(Scalar))));
        Assert.InRange(refused, 2000, 6000);
    }
}

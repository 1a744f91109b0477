using System.Buffers.Binary;
using System.Text;

namespace Native.Tests;

public class SafetensorsTests
{
    // Made with Python's json and struct: metadata, then b (BF16), a (F32) and h (F16), whose data lie in the order a, b, h.
    private const string Golden = "4wAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6IHsibWFkZSI6ICJieSBoYW5kIn0sICJiIjogeyJkdHlwZSI6ICJCRjE2IiwgInNoYXBlIjogWzJdLCAiZGF0YV9vZmZzZXRz"
        + "IjogWzgsIDEyXX0sICJhIjogeyJkdHlwZSI6ICJGMzIiLCAic2hhcGUiOiBbMSwgMl0sICJkYXRhX29mZnNldHMiOiBbMCwgOF19LCAiaCI6IHsiZHR5cGUiOiAiRjE2Iiwg"
        + "InNoYXBlIjogWzFdLCAiZGF0YV9vZmZzZXRzIjogWzEyLCAxNF19fQAAwD8AAADAgD9AwAA4";

    private static SafetensorsFile Read(byte[] bytes) => Safetensors.Read(new MemoryStream(bytes), "fuzz.bin");

    private static byte[] Bytes(string header, int data, ulong? length = null)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + text.Length + data];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length ?? (ulong)text.Length);
        text.CopyTo(file, 8);
        return file;
    }

    private static OrderedDictionary<string, HostArray> Sample() => new()
    {
        ["w"] = HostArray.From<float>([2, 3], [1, -0f, float.NaN, float.PositiveInfinity, 5, 6]),
        ["d"] = HostArray.From<double>([], [Math.PI]),
        ["i"] = HostArray.From<int>([2], [int.MinValue, 7]),
        ["empty"] = HostArray.From<float>([0, 4], []),
        ["l"] = HostArray.From<long>([1, 1, 1], [long.MaxValue]),
        ["pixels/é\"\\"] = HostArray.From<byte>([3], [0, 128, 255]),
        ["b"] = HostArray.From<bool>([2], [true, false]),
    };

    [Fact]
    public void RoundTripKeepsBytesOrderAndMetadata()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("a.safetensors");
        File.WriteAllText(path, "old");
        var sample = Sample();
        Safetensors.Write(path, sample, new Dictionary<string, string> { ["step"] = "12", ["note"] = "ünïcode" });
        var back = Safetensors.Read(path);
        Assert.Equal(sample.Keys, back.Arrays.Keys);
        foreach (var (name, array) in sample)
            Assert.Equal(array, back.Arrays[name]);
        Assert.Equal("12", back.Metadata["step"]);
        Assert.Equal("ünïcode", back.Metadata["note"]);
        Assert.Equal([path], Directory.GetFiles(folder.Path));    // no temporary file stays
    }

    [Fact]
    public void HeaderIsPaddedAndPlain()
    {
        using var stream = new MemoryStream();
        Safetensors.Write(stream, new Dictionary<string, HostArray> { ["a"] = HostArray.From<float>([1], [1]) });
        var bytes = stream.ToArray();
        string header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
        int length = (header.Length + 7) / 8 * 8;
        Assert.Equal(length, BinaryPrimitives.ReadInt64LittleEndian(bytes));
        Assert.Equal(header.PadRight(length), Encoding.UTF8.GetString(bytes, 8, length));
        Assert.Equal("0000803F", Convert.ToHexString(bytes, 8 + length, 4));
    }

    [Fact]
    public void ReadsHalfTypesAsFloatInDataOrder()
    {
        var file = Read(Convert.FromBase64String(Golden));
        Assert.Equal(["a", "b", "h"], file.Arrays.Keys);
        Assert.Equal([1.5f, -2f], file.Arrays["a"].As<float>());
        Assert.Equal([1f, -3f], file.Arrays["b"].As<float>());
        Assert.Equal([0.5f], file.Arrays["h"].As<float>());
        Assert.Equal("by hand", file.Metadata["made"]);
        Assert.Throws<DTypeException>(() => file.Arrays["a"].As<double>());
    }

    public static TheoryData<string, int, string> Malformed => new()
    {
        { "{", 0, "the header of 1 bytes is not valid JSON" },
        { "[]", 0, "the header is a JSON Array; it must be an object." },
        { "{\"a\":1}", 0, "the entry 'a' is a JSON Number; it must be an object." },
        { "{\"\\ud800\":{}}", 0, "is not valid JSON" },
        { "{\"__metadata__\":{\"k\":1}}", 0, "the metadata 'k' is a JSON Number; metadata are strings." },
        { "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "the metadata name 'k' appears twice." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "array 'a' lacks data_offsets." },
        { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "array 'a' has the field 'dtype' twice." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1, "array 'a' has a field 'x' of JSON type Number" },
        { "{\"a\":{\"dtype\":\"F8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "array 'a' has dtype 'F8'; F32, F64, I32, I64, U8, BOOL, F16 and BF16 can be read." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "array 'a' has -1 in its shape" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1e30],\"data_offsets\":[0,1]}}", 1, "array 'a' has 1e30 in its shape" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":3,\"data_offsets\":[0,1]}}", 1, "array 'a' has a shape of JSON type Number; it must be a list." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, "array 'a' has an impossible shape" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "rank 9 is above the limit of 8" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "array 'a' has data_offsets [1,0]; they are [begin,end]." },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "array 'a' of shape [2] and dtype F32 takes 8 bytes; its data_offsets [0,4] hold 4." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3,
            "array 'b' begins at byte 1 of the data and the one before it ends at 2: they overlap." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "array 'a' begins at byte 1 of the data and the one before it ends at 0: there is a gap." },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[9000000000],\"data_offsets\":[0,9000000000]}}", 5, "the arrays end at byte 9000000000 of the data and the file has 5. It is cut short" },
        { "{}", 3, "the arrays end at byte 0 of the data and the file has 3. It has bytes that belong to no array" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "the name 'a' appears twice in the header." },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void RefusesMalformedHeaders(string header, int data, string message)
    {
        var e = Assert.Throws<DataFormatException>(() => Read(Bytes(header, data)));
        Assert.StartsWith("safetensors: fuzz.bin: ", e.Message);
        Assert.Contains(message, e.Message);
        Assert.EndsWith(".", e.Message);
    }

    [Fact]
    public void RefusesImpossibleLengthsByNumber()
    {
        Assert.Equal("safetensors: fuzz.bin: the header claims 1152921504606846976 bytes; at most 100000000 are allowed. It is damaged, or no safetensors file.",
            Assert.Throws<DataFormatException>(() => Read(Bytes("{}", 0, 1UL << 60))).Message);
        Assert.Equal("safetensors: fuzz.bin: the header claims 99999999 bytes and the file has 2 left of 10. Fetch the file again.",
            Assert.Throws<DataFormatException>(() => Read(Bytes("{}", 0, 99_999_999))).Message);
        Assert.Contains("the file has 3 bytes", Assert.Throws<DataFormatException>(() => Read([1, 2, 3])).Message);
        Assert.Contains("the truth value 2 at element 1",
            Assert.Throws<DataFormatException>(() => Read([.. Bytes("{\"a\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}", 0), 1, 2])).Message);
    }

    [Fact]
    public void RefusesWhatCannotBeWrittenAndLeavesTheOldFile()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("a.safetensors");
        File.WriteAllText(path, "old");
        var twice = new[] { KeyValuePair.Create("a", HostArray.From<int>([1], [1])), KeyValuePair.Create("a", HostArray.From<int>([1], [1])) };
        Assert.Throws<UsageException>(() => Safetensors.Write(path, twice));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(folder.Path));
        Assert.Contains("cannot be read", Assert.Throws<UsageException>(() => Safetensors.Read(folder.File("none"))).Message);
        Assert.Contains("cannot be written", Assert.Throws<UsageException>(() => Safetensors.Write(folder.File("no/such"), Sample())).Message);
    }

    [Fact]
    public void DamagedFilesOnlyRaiseFormatException()
    {
        using var stream = new MemoryStream();
        Safetensors.Write(stream, Sample(), new Dictionary<string, string> { ["a"] = "b" });
        int refused = FormatFuzz.Run(s => Safetensors.Read(s, "fuzz.bin"), 3000, stream.ToArray(), Convert.FromBase64String(Golden));
        Assert.InRange(refused, 2000, 6000);
    }
}

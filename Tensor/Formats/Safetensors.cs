using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Native;

/// <summary>What a safetensors file holds.</summary>
/// <param name="Arrays">Arrays by name, in the order of their data in the file.</param>
/// <param name="Metadata">The <c>__metadata__</c> map; empty when absent.</param>
public sealed record SafetensorsFile(OrderedDictionary<string, HostArray> Arrays, OrderedDictionary<string, string> Metadata);

/// <summary>
/// The safetensors format (github.com/huggingface/safetensors, "Format"): the length of a JSON header as a little-endian u64, the header
/// (name: dtype, shape, [begin, end) offsets), then the data, which the arrays must tile without gap or overlap. F16 and BF16
/// arrays are read as f32, which holds all their values; other types this engine has no dtype for are refused.
/// </summary>
public static class Safetensors
{
    /// <summary>Longest header read or written, in bytes; the reference implementation's own limit.</summary>
    public const long MaxHeader = 100_000_000;

    private const string Format = "safetensors";

    private readonly record struct Entry(string Name, string Type, Shape Shape, long Begin, long End);

    /// <summary>Reads a whole file; <see cref="DataFormatException"/> if malformed, <see cref="UsageException"/> for no such file.</summary>
    public static SafetensorsFile Read(string path) => FormatFile.Read(Format, path, (source, _) => Read(source));

    /// <summary>Reads from the start of a seekable stream; <paramref name="name"/> is what errors call it.</summary>
    public static SafetensorsFile Read(Stream stream, string name) => Read(new ByteSource(stream, stream.Length, Format, name));

    /// <summary>Writes the arrays in the order given, atomically. Spaces pad the header so that data start at a multiple of 8.</summary>
    public static void Write(
        string path, IEnumerable<KeyValuePair<string, HostArray>> arrays, IEnumerable<KeyValuePair<string, string>>? metadata = null) =>
        FormatFile.Write(Format, path, stream => Write(stream, arrays, metadata));

    /// <summary>Writes to a stream.</summary>
    public static void Write(
        Stream stream, IEnumerable<KeyValuePair<string, HostArray>> arrays, IEnumerable<KeyValuePair<string, string>>? metadata = null)
    {
        var list = arrays.ToList();
        var header = Header(list, metadata?.ToList() ?? []);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (var (_, array) in list)
            stream.Write(array.Data);
    }

    private static byte[] Header(List<KeyValuePair<string, HostArray>> arrays, List<KeyValuePair<string, string>> metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var (name, array) in arrays)
            {
                if (!names.Add(name))
                    throw new UsageException($"{Format}: the name '{name}' is reserved or used twice. Give each array its own name.");
                json.WriteStartObject(name);
                json.WriteString("dtype", TypeName(array.DType));
                json.WriteStartArray("shape");
                foreach (long d in array.Shape)
                    json.WriteNumberValue(d);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += array.Data.Length);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        if (buffer.Length > MaxHeader)
            throw new UsageException($"{Format}: the header takes {buffer.Length} bytes; the format allows {MaxHeader}. Write fewer "
                + "arrays per file.");
        return buffer.ToArray();
    }

    private static SafetensorsFile Read(ByteSource source)
    {
        if (source.Length < 8)
            throw source.Bad($"the file has {source.Length} bytes; the length of the header alone takes 8. It is no safetensors file.");
        Span<byte> prefix = stackalloc byte[8];
        source.Read(prefix, "the length of the header");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxHeader)
            throw source.Bad($"the header claims {length} bytes; at most {MaxHeader} are allowed. It is damaged, or no safetensors file.");
        var header = source.Take((long)length, "the header");
        var metadata = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        List<Entry> entries;
        try
        {
            entries = ParseHeader(source, header, metadata);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is no valid Unicode, found when it is decoded.
            throw source.Bad($"the header of {length} bytes is not valid JSON; {e.Message} Fetch the file again.", e);
        }
        CheckTiling(source, entries);
        var arrays = new OrderedDictionary<string, HostArray>(StringComparer.Ordinal);
        foreach (var e in entries)
            arrays.Add(e.Name, Convert(source, e, source.Take(e.End - e.Begin, $"array '{e.Name}'")));
        return new SafetensorsFile(arrays, metadata);
    }

    private static List<Entry> ParseHeader(ByteSource source, byte[] header, OrderedDictionary<string, string> metadata)
    {
        using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8 });
        if (json.RootElement.ValueKind != JsonValueKind.Object)
            throw source.Bad($"the header is a JSON {json.RootElement.ValueKind}; it must be an object. It is no safetensors file.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        var entries = new List<Entry>();
        foreach (var item in json.RootElement.EnumerateObject())
        {
            if (!names.Add(item.Name))
                throw source.Bad($"the name '{item.Name}' appears twice in the header. Write the file again with one name per array.");
            if (item.Value.ValueKind != JsonValueKind.Object)
                throw source.Bad($"the entry '{item.Name}' is a JSON {item.Value.ValueKind}; it must be an object. Write the file again.");
            if (item.Name != "__metadata__")
                entries.Add(ParseEntry(source, item.Name, item.Value));
            else
                foreach (var pair in item.Value.EnumerateObject())
                    if (pair.Value.ValueKind != JsonValueKind.String)
                        throw source.Bad($"the metadata '{pair.Name}' is a JSON {pair.Value.ValueKind}; metadata are strings. Write "
                            + "the file again.");
                    else if (!metadata.TryAdd(pair.Name, pair.Value.GetString()!))
                        throw source.Bad($"the metadata name '{pair.Name}' appears twice. Write the file again.");
        }
        return entries;
    }

    private static Entry ParseEntry(ByteSource source, string name, JsonElement value)
    {
        string? type = null;
        List<long>? shape = null, offsets = null;
        foreach (var field in value.EnumerateObject())
        {
            bool twice = false;
            switch (field.Name)
            {
                case "dtype" when field.Value.ValueKind == JsonValueKind.String:
                    (twice, type) = (type is not null, field.Value.GetString());
                    break;
                case "shape":
                    (twice, shape) = (shape is not null, Integers(source, name, field));
                    break;
                case "data_offsets":
                    (twice, offsets) = (offsets is not null, Integers(source, name, field));
                    break;
                default:
                    throw source.Bad($"array '{name}' has a field '{field.Name}' of JSON type {field.Value.ValueKind}; "
                        + "the fields are dtype (a string), shape and data_offsets. Write the file again.");
            }
            if (twice)
                throw source.Bad($"array '{name}' has the field '{field.Name}' twice. Write the file again.");
        }
        if (type is null || shape is null || offsets is null)
            throw source.Bad($"array '{name}' lacks {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}. Write the "
                + "file again.");
        if (Width(type) == 0)
            throw source.Bad($"array '{name}' has dtype '{type}'; F32, F64, I32, I64, U8, BOOL, F16 and BF16 can be read. Convert it "
                + "first.");
        if (offsets.Count != 2 || offsets[0] > offsets[1])
            throw source.Bad($"array '{name}' has data_offsets {Native.Shape.Format(offsets.ToArray())}; they are [begin,end]. Write "
                + "the file again.");
        var dims = source.ShapeOf(shape, $"array '{name}'");
        if (dims.Count * Width(type) != offsets[1] - offsets[0])
            throw source.Bad($"array '{name}' of shape {dims} and dtype {type} takes {dims.Count * Width(type)} bytes; "
                + $"its data_offsets [{offsets[0]},{offsets[1]}] hold {offsets[1] - offsets[0]}. The header is damaged.");
        return new Entry(name, type, dims, offsets[0], offsets[1]);
    }

    private static List<long> Integers(ByteSource source, string name, JsonProperty field)
    {
        if (field.Value.ValueKind != JsonValueKind.Array)
            throw source.Bad($"array '{name}' has a {field.Name} of JSON type {field.Value.ValueKind}; it must be a list. Write the "
                + "file again.");
        var list = new List<long>();
        foreach (var n in field.Value.EnumerateArray())
            if (n.ValueKind == JsonValueKind.Number && n.TryGetInt64(out long v) && v >= 0)
                list.Add(v);
            else
                throw source.Bad($"array '{name}' has {n.GetRawText()} in its {field.Name}; integers from 0 to 2^63-1 stand there. "
                    + "Write the file again.");
        return list;
    }

    // Sorts by position: arrays must follow each other from 0 to the last byte, which is what makes a claim about one of them checkable.
    private static void CheckTiling(ByteSource source, List<Entry> entries)
    {
        var sorted = entries.OrderBy(e => e.Begin).ThenBy(e => e.End).ToList();
        long end = 0;
        foreach (var e in sorted)
        {
            if (e.Begin != end)
                throw source.Bad($"array '{e.Name}' begins at byte {e.Begin} of the data and the one before it ends at {end}: "
                    + $"{(e.Begin < end ? "they overlap" : "there is a gap")}. Write the file again.");
            end = e.End;
        }
        if (end != source.Remaining)
            throw source.Bad($"the arrays end at byte {end} of the data and the file has {source.Remaining}. "
                + $"It {(end > source.Remaining ? "is cut short; fetch it again" : "has bytes that belong to no array; write it again")}.");
        entries.Clear();
        entries.AddRange(sorted);
    }

    private static int Width(string type) => type switch
    {
        "F64" or "I64" => 8,
        "F32" or "I32" => 4,
        "F16" or "BF16" => 2,
        "U8" or "BOOL" => 1,
        _ => 0,
    };

    private static string TypeName(DType dtype) => dtype.Name().ToUpperInvariant();

    private static HostArray Convert(ByteSource source, Entry e, byte[] data)
    {
        if (Width(e.Type) == 2)
        {
            if (e.Shape.Count > Array.MaxLength / 4)
                throw source.Bad($"array '{e.Name}' of shape {e.Shape} takes {e.Shape.Count * 4} bytes as f32; one array holds "
                    + $"{Array.MaxLength}. Split it.");
            var wide = new float[e.Shape.Count];
            for (int i = 0; i < wide.Length; i++)
            {
                ushort bits = BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(2 * i));
                wide[i] = e.Type == "F16" ? (float)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16);
            }
            return HostArray.From<float>(e.Shape, wide);
        }
        if (e.Type == "BOOL")
            source.CheckBools(data, $"array '{e.Name}'");
        return new HostArray(DTypes.Parse(e.Type.ToLowerInvariant())!.Value, e.Shape, data);
    }
}

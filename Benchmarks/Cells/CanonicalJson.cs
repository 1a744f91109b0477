using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Native.Benchmarks;

/// <summary>
/// One text for equal values: keys in order of their characters, no spaces, integers as digits, other numbers in the shortest form that reads back to
/// the same bits, UTF-8. What is hashed and compared is this text.
/// </summary>
internal static class CanonicalJson
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Text(JsonNode? node)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Relaxed))
            Write(json, node is null ? default : JsonSerializer.SerializeToElement(node));
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void Write(Utf8JsonWriter json, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var property in value.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
                {
                    json.WritePropertyName(property.Name);
                    Write(json, property.Value);
                }
                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                    Write(json, item);
                json.WriteEndArray();
                break;
            case JsonValueKind.Number:
                json.WriteRawValue(Number(value));
                break;
            case JsonValueKind.String:
                json.WriteStringValue(value.GetString());
                break;
            case JsonValueKind.True or JsonValueKind.False:
                json.WriteBooleanValue(value.ValueKind == JsonValueKind.True);
                break;
            default:
                json.WriteNullValue();
                break;
        }
    }

    // 1, 1.0 and 1e0 are one number; seeds use all 64 bits, which a double does not hold.
    private static string Number(JsonElement value)
    {
        if (value.TryGetInt64(out long integer))
            return integer.ToString(CultureInfo.InvariantCulture);
        if (value.TryGetUInt64(out ulong natural))
            return natural.ToString(CultureInfo.InvariantCulture);
        double real = value.GetDouble();
        return real == Math.Floor(real) && Math.Abs(real) < 1e15
            ? ((long)real).ToString(CultureInfo.InvariantCulture)
            : real.ToString("R", CultureInfo.InvariantCulture);
    }
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Native;

/// <summary>
/// NumPy's .npy format, versions 1 to 3 (numpy.lib.format): magic, version, the length of a header, the header as the text of a Python
/// dict, the elements. Reads f4 f8 i4 i8 u1 b1 in either byte order and in C or Fortran order; writes version 1, little-endian,
/// C order.
/// </summary>
public static class Npy
{
    private const string Format = "npy";
    private const int MaxHeader = 1 << 20;

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads one array; <see cref="DataFormatException"/> if malformed, <see cref="UsageException"/> for no such file.</summary>
    public static HostArray Read(string path) => FormatFile.Read(Format, path, (source, _) => Read(source));

    /// <summary>Reads from the start of a seekable stream; <paramref name="name"/> is what errors call it.</summary>
    public static HostArray Read(Stream stream, string name) => Read(new ByteSource(stream, stream.Length, Format, name));

    /// <summary>Writes one array, atomically.</summary>
    public static void Write(string path, HostArray array) => FormatFile.Write(Format, path, stream => Write(stream, array));

    /// <summary>Writes one array to a stream.</summary>
    public static void Write(Stream stream, HostArray array)
    {
        string dims = string.Join(", ", array.Shape) + (array.Shape.Rank == 1 ? "," : "");
        string text = $"{{'descr': '{Descr(array.DType)}', 'fortran_order': False, 'shape': ({dims}), }}";
        // 10 bytes stand before the text and a newline ends it; NumPy keeps the elements on a multiple of 64 bytes.
        text = text.PadRight((10 + text.Length + 1 + 63) / 64 * 64 - 11) + "\n";
        stream.Write(Magic);
        stream.Write([1, 0, (byte)text.Length, (byte)(text.Length >> 8)]);
        stream.Write(Encoding.ASCII.GetBytes(text));
        stream.Write(array.Data);
    }

    internal static HostArray Read(ByteSource source)
    {
        if (source.Length < 10)
            throw source.Bad($"the file has {source.Length} bytes; the shortest header takes 10. It is no npy file.");
        var start = source.Take(8, "the magic and version");
        if (!start.AsSpan(0, 6).SequenceEqual(Magic))
            throw source.Bad($"the file starts with {System.Convert.ToHexString(start, 0, 6)}; an npy file starts with 934E554D5059. "
                + "It is no npy file.");
        if (start[6] is < 1 or > 3 || start[7] != 0)
            throw source.Bad($"the version is {start[6]}.{start[7]}; 1.0, 2.0 and 3.0 can be read. Save it again with a current NumPy.");
        uint length = start[6] == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(source.Take(2, "the length of the header"))
            : BinaryPrimitives.ReadUInt32LittleEndian(source.Take(4, "the length of the header"));
        if (length > MaxHeader)
            throw source.Bad($"the header claims {length} bytes; at most {MaxHeader} are allowed. It is damaged, or no array of numbers.");
        var text = source.Take(length, "the header");
        var header = new NpyHeader(Encoding.UTF8.GetString(text), source);
        header.Parse();

        var (dtype, bigEndian) = Parse(source, header.Descr!);
        var shape = source.ShapeOf(header.Dims!, "the array");
        long bytes = shape.Count * dtype.Size();
        if (bytes != source.Remaining)
            throw source.Bad($"shape {shape} of {dtype.Name()} takes {bytes} bytes and the file has {source.Remaining} after the header. "
                + "Fetch or save the file again.");
        var data = source.Take(bytes, "the array");
        if (dtype == DType.Bool)
            source.CheckBools(data, "the array");
        if (bigEndian && dtype.Size() == 4)
            BinaryPrimitives.ReverseEndianness(Cells<uint>(data), Cells<uint>(data));
        else if (bigEndian && dtype.Size() == 8)
            BinaryPrimitives.ReverseEndianness(Cells<ulong>(data), Cells<ulong>(data));
        if (header.Fortran == true && shape.Rank > 1)
            data = dtype.Size() switch
            {
                8 => FromFortran<ulong>(data, shape),
                4 => FromFortran<uint>(data, shape),
                _ => FromFortran<byte>(data, shape),
            };
        return new HostArray(dtype, shape, data);
    }

    private static Span<T> Cells<T>(byte[] data) where T : unmanaged => MemoryMarshal.Cast<byte, T>(data.AsSpan());

    private static string Descr(DType dtype) => dtype switch
    {
        DType.F32 => "<f4",
        DType.F64 => "<f8",
        DType.I32 => "<i4",
        DType.I64 => "<i8",
        DType.U8 => "|u1",
        _ => "|b1",
    };

    private static (DType DType, bool BigEndian) Parse(ByteSource source, string descr)
    {
        if (descr.Length == 3 && "<>=|".Contains(descr[0]))
            foreach (var dtype in DTypes.All)
                if (Descr(dtype).EndsWith(descr[1..], StringComparison.Ordinal) && (descr[0] != '|' || dtype.Size() == 1))
                    return (dtype, descr[0] == '>');
        throw source.Bad($"the dtype is '{descr}'; f4, f8, i4, i8, u1 and b1 can be read. Convert the array with astype first.");
    }

    // Walks the output in C order; the first dim moves fastest in the input.
    private static byte[] FromFortran<T>(byte[] data, Shape shape) where T : unmanaged
    {
        var result = new byte[data.Length];
        Span<T> from = Cells<T>(data), to = Cells<T>(result);
        var dims = shape.Span;
        Span<long> stride = stackalloc long[dims.Length], index = stackalloc long[dims.Length];
        stride[0] = 1;
        for (int d = 1; d < dims.Length; d++)
            stride[d] = stride[d - 1] * dims[d - 1];
        index.Clear();
        long at = 0;
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = from[(int)at];
            for (int d = dims.Length - 1; d >= 0; d--)
            {
                at += stride[d];
                if (++index[d] < dims[d])
                    break;
                at -= stride[d] * dims[d];
                index[d] = 0;
            }
        }
        return result;
    }
}

/// <summary>The header's text: a Python dict of exactly descr, fortran_order and shape, in any order.</summary>
internal sealed class NpyHeader(string text, ByteSource source)
{
    private int _at;

    internal string? Descr { get; private set; }

    internal bool? Fortran { get; private set; }

    internal List<long>? Dims { get; private set; }

    internal void Parse()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Expect('{');
        while (!Accept('}'))
        {
            string key = Quoted();
            Expect(':');
            if (!seen.Add(key))
                throw Bad($"has '{key}' twice");
            if (key == "descr")
                Descr = Peek() is '\'' or '"' ? Quoted() : throw Bad("describes a structured dtype, or none; one plain dtype can be read");
            else if (key == "fortran_order")
                Fortran = Word("True") || (Word("False") ? false : throw Bad("has a fortran_order that is neither True nor False"));
            else if (key == "shape")
                Dims = Tuple();
            else
                throw Bad($"has an unknown field '{key}'");
            if (!Accept(','))
            {
                Expect('}');
                break;
            }
        }
        if (Peek() != '\0' || _at < text.Length)
            throw Bad("goes on after the dict");
        if (Descr is null || Fortran is null || Dims is null)
            throw Bad($"lacks {(Descr is null ? "descr" : Fortran is null ? "fortran_order" : "shape")}");
    }

    private DataFormatException Bad(string what) => source.Bad($"the header {what}, near character {_at} of {text.Length}. Save the array "
        + "again with NumPy.");

    private char Peek()
    {
        while (_at < text.Length && text[_at] is ' ' or '\n' or '\t')
            _at++;
        return _at < text.Length ? text[_at] : '\0';
    }

    private bool Accept(char c)
    {
        if (Peek() != c || _at == text.Length)
            return false;
        _at++;
        return true;
    }

    private void Expect(char c)
    {
        if (!Accept(c))
            throw Bad($"lacks a '{c}'");
    }

    private bool Word(string word)
    {
        Peek();
        if (!text.AsSpan(_at).StartsWith(word, StringComparison.Ordinal))
            return false;
        _at += word.Length;
        return true;
    }

    private string Quoted()
    {
        char quote = Peek();
        if (quote is not ('\'' or '"'))
            throw Bad("lacks a quoted name");
        int end = text.IndexOf(quote, _at + 1);
        if (end < 0)
            throw Bad("has a quote that is not closed");
        string inside = text[(_at + 1)..end];
        _at = end + 1;
        return inside;
    }

    private List<long> Tuple()
    {
        var dims = new List<long>();
        Expect('(');
        while (!Accept(')'))
        {
            Peek();
            int start = _at;
            while (_at < text.Length && char.IsAsciiDigit(text[_at]))
                _at++;
            if (!long.TryParse(text.AsSpan(start, _at - start), out long d))
                throw Bad("has a dim that is no integer from 0 to 2^63-1");
            dims.Add(d);
            if (!Accept(','))
            {
                Expect(')');
                break;
            }
        }
        return dims;
    }
}

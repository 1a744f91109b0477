using System.Buffers.Binary;
using System.IO.Compression;

namespace Native.Tests;

/// <summary>Writes MAT-files of level 5 as MATLAB does, byte by byte from the format's description.</summary>
internal static class MatKit
{
    internal static byte[] File(params byte[][] elements)
    {
        var header = new byte[128];
        "MATLAB 5.0 MAT-file, made by the test"u8.CopyTo(header);
        header.AsSpan(37, 79).Fill((byte)' ');
        (header[124], header[125], header[126], header[127]) = (0, 1, (byte)'I', (byte)'M');
        return [.. header, .. elements.SelectMany(e => e)];
    }

    /// <summary>An array: class of the array, type of its storage, elements in MATLAB's order.</summary>
    internal static byte[] Matrix(string name, int kind, int[] dims, int type, byte[] data, byte flags = 0) => Element(14,
    [
        .. Element(6, [(byte)kind, flags, 0, 0, 0, 0, 0, 0]),
        .. Element(5, [.. dims.SelectMany(d => BitConverter.GetBytes(d))]),
        .. Element(1, System.Text.Encoding.ASCII.GetBytes(name)),
        .. Element(type, data),
    ]);

    internal static byte[] Packed(byte[] element)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(element);
        // A packed element is not padded.
        return [.. Word(15), .. Word((uint)packed.Length), .. packed.ToArray()];
    }

    /// <summary>Up to four bytes travel inside the tag, as MATLAB writes them; more are padded to eight.</summary>
    internal static byte[] Element(int type, byte[] data) => data.Length is > 0 and <= 4
        ? [.. Word((uint)(data.Length << 16 | type)), .. data, .. new byte[4 - data.Length]]
        : [.. Word((uint)type), .. Word((uint)data.Length), .. data, .. new byte[(8 - data.Length % 8) % 8]];

    internal static byte[] Word(uint value)
    {
        var word = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(word, value);
        return word;
    }
}

namespace Native.Methods;

/// <summary>
/// SVHN (Netzer et al. 2011), format 2: house numbers cropped to 32 x 32 RGB, 73,257 for training and 26,032 for tests, as MATLAB files with
/// <c>X</c> (32 x 32 x 3 x N) and <c>y</c> (1 to 10, where 10 is the digit 0).
/// </summary>
public static class Svhn
{
    private const int Side = 32;

    /// <summary>Loads a set from <c>svhn/</c>.</summary>
    /// <param name="data">Where to look.</param>
    /// <param name="train">The training set, else the test set.</param>
    /// <param name="allowUnofficial">Accept files whose sums differ; the provenance then says so.</param>
    public static ImageSet Load(DataFolder data, bool train, bool allowUnofficial = false)
    {
        var file = DataTable.Svhn[train ? 0 : 1];
        var (bytes, path, provenance) = CheckedFile.Read("svhn", "SVHN's " + Path.GetFileName(file.Path), data, file, allowUnofficial);
        using var stream = new MemoryStream(bytes, writable: false);
        return Parse(stream, path, train ? "svhn train" : "svhn test", provenance);
    }

    internal static ImageSet Parse(Stream stream, string path, string name, string provenance)
    {
        var arrays = Mat5.Read(stream, path);
        if (!arrays.TryGetValue("X", out var x) || !arrays.TryGetValue("y", out var y))
            throw new DataFormatException($"svhn: {path}: it holds {string.Join(", ", arrays.Keys)}; X and y are wanted. Fetch it again.");
        if (x.DType != DType.U8 || x.Shape.Rank != 4 || x.Shape[1] != 3 || x.Shape[2] != Side || x.Shape[3] != Side)
            throw new DataFormatException($"svhn: {path}: X is {x.DType.Name()} {x.Shape} (dims in reverse); u8 [N,3,{Side},{Side}] is wanted. Fetch it again.");
        int count = (int)x.Shape[0];
        if (y.Shape.Count != count)
            throw new DataFormatException($"svhn: {path}: there are {count} images and {y.Shape.Count} labels. Fetch it again.");
        double[] digits = y.DType switch
        {
            DType.U8 => Array.ConvertAll(y.As<byte>(), v => (double)v),
            DType.F64 => y.As<double>(),
            DType.F32 => Array.ConvertAll(y.As<float>(), v => (double)v),
            DType.I32 => Array.ConvertAll(y.As<int>(), v => (double)v),
            _ => Array.ConvertAll(y.As<long>(), v => (double)v),
        };
        var labels = new int[count];
        for (int i = 0; i < count; i++)
            labels[i] = digits[i] is >= 1 and <= 10 && digits[i] == Math.Floor(digits[i])
                ? (int)digits[i] % 10
                : throw new DataFormatException($"svhn: {path}: label {i} is {digits[i]}; labels are 1 to 10. Fetch it again.");
        return new ImageSet(name, Upright(x.Data), labels, count, 3, Side, Side, provenance);
    }

    /// <summary>Column by column to row by row, plane after plane.</summary>
    private static byte[] Upright(byte[] columns)
    {
        const int plane = Side * Side;
        var rows = new byte[columns.Length];
        Parallel.For(0, columns.Length / plane, p =>
        {
            for (int column = 0; column < Side; column++)
                for (int row = 0; row < Side; row++)
                    rows[p * plane + row * Side + column] = columns[p * plane + column * Side + row];
        });
        return rows;
    }
}

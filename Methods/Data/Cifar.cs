namespace Native.Methods;

/// <summary>
/// CIFAR-10 and CIFAR-100 (Krizhevsky 2009), binary version: records of one label byte (100: coarse, then fine) and 3072 pixels, red, green and
/// blue planes of 32 x 32 row by row. No header and no magic: the length and the labels are what can be checked, besides the sum.
/// </summary>
public static class Cifar
{
    private const int Side = 32, Pixels = 3 * Side * Side;

    /// <summary>Loads CIFAR-10: 50,000 training or 10,000 test images.</summary>
    /// <param name="data">Where to look: <c>cifar-10-batches-bin/</c>.</param>
    /// <param name="train">The training set, else the test set.</param>
    /// <param name="allowUnofficial">Accept files whose sums differ; the provenance then says so.</param>
    public static ImageSet Load10(DataFolder data, bool train, bool allowUnofficial = false)
    {
        DataFile[] files = train ? DataTable.Cifar10[..5] : DataTable.Cifar10[5..];
        Unpacked(data, "cifar-10", files[0]);
        var parts = files.Select(f => CheckedFile.Read("cifar-10", "CIFAR-10's " + Path.GetFileName(f.Path), data, f, allowUnofficial)).ToArray();
        var (pixels, labels, _) = Parse("cifar-10", [.. parts.Select(p => (p.Bytes, p.Path))], labelBytes: 1);
        return new ImageSet(train ? "cifar-10 train" : "cifar-10 test", pixels, labels, labels.Length, 3, Side, Side, CheckedFile.Join(parts.Select(p => p.Provenance)));
    }

    /// <summary>Loads CIFAR-100 with its 100 fine labels, and the superclass (0 to 19) of each fine label.</summary>
    /// <param name="data">Where to look: <c>cifar-100-binary/</c>.</param>
    /// <param name="train">The training set, else the test set.</param>
    /// <param name="allowUnofficial">Accept files whose sums differ; the provenance then says so.</param>
    public static (ImageSet Images, int[] Superclass) Load100(DataFolder data, bool train, bool allowUnofficial = false)
    {
        var file = DataTable.Cifar100[train ? 0 : 1];
        Unpacked(data, "cifar-100", file);
        var part = CheckedFile.Read("cifar-100", "CIFAR-100's " + Path.GetFileName(file.Path), data, file, allowUnofficial);
        var (pixels, labels, superclass) = Parse("cifar-100", [(part.Bytes, part.Path)], labelBytes: 2);
        return (new ImageSet(train ? "cifar-100 train" : "cifar-100 test", pixels, labels, labels.Length, 3, Side, Side, part.Provenance), superclass);
    }

    /// <summary>Reads records from the files one after the other.</summary>
    internal static (byte[] Pixels, int[] Labels, int[] Superclass) Parse(string format, (byte[] Bytes, string Name)[] files, int labelBytes)
    {
        int record = labelBytes + Pixels, most = labelBytes == 1 ? 10 : 100;
        foreach (var (bytes, name) in files)
            if (bytes.Length == 0 || bytes.Length % record != 0)
                throw new DataFormatException($"{format}: {name}: {bytes.Length} bytes are not a number of records of {record}. Fetch it again.");
        int count = files.Sum(f => f.Bytes.Length / record), at = 0;
        var pixels = new byte[count * Pixels];
        var labels = new int[count];
        int[] superclass = [.. Enumerable.Repeat(-1, 100)];
        foreach (var (bytes, name) in files)
            for (int from = 0; from < bytes.Length; from += record, at++)
            {
                int fine = bytes[from + labelBytes - 1], coarse = bytes[from];
                if (fine >= most)
                    throw new DataFormatException($"{format}: {name}: record {from / record} has label {fine}; labels are 0 to {most - 1}. Fetch it again.");
                if (labelBytes == 2)
                {
                    if (coarse >= 20 || (superclass[fine] >= 0 && superclass[fine] != coarse))
                        throw new DataFormatException($"{format}: {name}: record {from / record} puts class {fine} into superclass {coarse}; there are 20, and "
                            + "each class has one. Fetch it again.");
                    superclass[fine] = coarse;
                }
                labels[at] = fine;
                bytes.AsSpan(from + labelBytes, Pixels).CopyTo(pixels.AsSpan(at * Pixels));
            }
        return (pixels, labels, superclass);
    }

    // The archive dropped into the folder is not a missing data set.
    private static void Unpacked(DataFolder data, string name, DataFile first)
    {
        string archive = name == "cifar-10" ? "cifar-10-binary.tar.gz" : "cifar-100-binary.tar.gz";
        if (data.Find(first.Path) is null && data.Find(archive) is { } packed)
            throw new UsageException($"{name}: {packed} is there and not unpacked. Run 'native data get {name}', which needs no network for it.");
    }
}

namespace Native.Methods;

/// <summary>
/// MNIST (LeCun, Cortes, Burges): 60,000 training and 10,000 test images of handwritten digits, 28 x 28 grey, as the four official idx
/// files, packed or not. Files are checked against the official MD5 sums.
/// </summary>
public static class Mnist
{
    // MD5 of the unpacked files, in the order of the table's packed ones.
    private static readonly string[] Plain =
        ["6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624", "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"];

    /// <summary>Whether the folder holds any of it.</summary>
    internal static bool Here(DataFolder folder) => folder.Find("mnist", "MNIST/raw") is not null;

    /// <summary>Where it is, in words.</summary>
    internal static string State(DataFolder folder) => Here(folder) ? $"MNIST in {folder.Find("mnist", "MNIST/raw")}" : "absent: native data get mnist";

    /// <summary>Both sets, as a stream asks for them.</summary>
    internal static (ImageSet Train, ImageSet Test) Load(StreamRequest r) => DataCache.Get($"mnist {r.Folder.Root} {r.AllowUnofficial}",
        () => (Load(r.Folder, train: true, r.AllowUnofficial), Load(r.Folder, train: false, r.AllowUnofficial)), both => [both.Item1, both.Item2]);

    /// <summary>Loads the training or the test set from <c>mnist/</c> (or <c>MNIST/raw/</c>) of the data folder.</summary>
    /// <param name="data">Where to look.</param>
    /// <param name="train">The training set, else the test set.</param>
    /// <param name="allowUnofficial">Accept files whose sums differ (subsets, look-alikes); the provenance then says so.</param>
    public static ImageSet Load(DataFolder data, bool train, bool allowUnofficial = false)
    {
        var (images, imagesOfficial) = Read(data, train ? 0 : 2, 3, allowUnofficial);
        var (labels, labelsOfficial) = Read(data, train ? 1 : 3, 1, allowUnofficial);
        string name = train ? "mnist train" : "mnist test";
        if (images.Shape[0] != labels.Shape[0])
            throw new DataFormatException($"mnist: {name}: there are {images.Shape[0]} images and {labels.Shape[0]} labels. Take both "
                + "files from one distribution.");
        int bad = labels.Data.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)9);
        if (bad >= 0)
            throw new DataFormatException($"mnist: {name}: label {bad} is {labels.Data[bad]}; labels are 0 to 9. Fetch the labels again.");
        return new ImageSet(name, images.Data, [.. labels.Data.Select(l => (int)l)], (int)images.Shape[0], 1, (int)images.Shape[1], (int)images.Shape[2],
            imagesOfficial && labelsOfficial ? "official files (MD5 checked)" : "unofficial files (MD5 differs)");
    }

    private static (HostArray Array, bool Official) Read(DataFolder data, int file, int rank, bool allowUnofficial)
    {
        var packed = DataTable.MnistFiles[file];
        string name = Path.GetFileNameWithoutExtension(packed.Path);
        string path = data.Require($"MNIST's {name}", $"mnist/{name}.gz", $"mnist/{name}", $"MNIST/raw/{name}.gz", $"MNIST/raw/{name}");
        byte[] bytes = CheckedFile.ReadAll("idx", path);
        // The structure first: a swapped or cut file deserves its own sentence rather than a wrong sum.
        var array = Idx.Parse(bytes, path, rank);
        string sum = CheckedFile.Md5(bytes), expected = path.EndsWith(".gz", StringComparison.Ordinal) ? packed.Md5! : Plain[file];
        if (sum != expected && !allowUnofficial)
            throw new DataFormatException($"mnist: {path}: the MD5 is {sum}; the official file has {expected}. Fetch it again, or allow "
                + "unofficial files.");
        return (array, sum == expected);
    }
}

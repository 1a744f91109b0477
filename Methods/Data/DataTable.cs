namespace Native.Methods;

/// <summary>A file of a data set as its authors distribute it. Sums are of that file; null or 0 where nobody has published them.</summary>
/// <param name="Path">Where it belongs below the data folder, with forward slashes.</param>
/// <param name="Bytes">Its length; 0 when unknown.</param>
/// <param name="Md5">MD5, lower case; guards against damage, not against an adversary.</param>
/// <param name="Sha256">SHA-256, lower case.</param>
public sealed record DataFile(string Path, long Bytes, string? Md5, string? Sha256)
{
    /// <summary>Addresses that serve it, in the order in which they are tried.</summary>
    public IReadOnlyList<Uri> Mirrors { get; init; } = [];

    /// <summary>For a .tar.gz: the files it is unpacked into, each by its name in the archive. Nothing else of an archive is ever written.</summary>
    public IReadOnlyList<(string Member, DataFile File)> Members { get; init; } = [];

    /// <summary>How it is checked, in words.</summary>
    public string Sum => Sha256 is not null ? $"sha256 {Sha256[..12]}..." : Md5 is not null ? $"md5 {Md5[..12]}..." : "unknown: recorded at first use";
}

/// <summary>A data set by name.</summary>
/// <param name="Name">As typed after <c>native data get</c>.</param>
/// <param name="Title">Its name and authors.</param>
/// <param name="Folders">Where its files are, below the data folder.</param>
/// <param name="Files">What is fetched, or dropped into the folder by hand.</param>
/// <param name="Check">Reads all of it; returns the sets. The flag accepts other checksums.</param>
public sealed record DataSetRow(
    string Name, string Title, string[] Folders, IReadOnlyList<DataFile> Files, Func<DataFolder, bool, IReadOnlyList<ItemSet>> Check)
{
    /// <summary>Whether it can be fetched: sets that are made by hand have no mirror.</summary>
    public bool CanFetch => Files.Count > 0 && Files.All(f => f.Mirrors.Count > 0);

    /// <summary>Whether the folder holds anything of it.</summary>
    public bool IsHere(DataFolder data) => data.Find([.. Folders, .. Files.Where(f => f.Members.Count > 0).Select(f => f.Path)]) is not null;

    /// <summary>Fetches what is not there, checks what is, unpacks archives; one line for each file when it is done.</summary>
    public IEnumerable<string> Get(DataFolder data, Fetcher fetcher, Action<FetchProgress>? progress = null, CancellationToken cancel = default)
    {
        string root = data.Root ?? throw new UsageException("data get: no data folder is given.");
        foreach (var file in Files)
        {
            string target = Path.Combine(root, file.Path);
            bool unpacked = file.Members.Count > 0 && file.Members.All(m => File.Exists(Path.Combine(root, m.File.Path)));
            if (unpacked)
            {
                foreach (var (_, member) in file.Members)
                    if (Fetcher.Mismatch(member, Path.Combine(root, member.Path)) is { } why)
                        throw new DataFormatException($"data get: {Path.Combine(root, member.Path)}: {why} Move it away and fetch again.");
                yield return $"{file.Members.Count} files of {file.Path}: there, checksums right";
                continue;
            }
            bool fetched = fetcher.Get(file, target, progress, cancel);
            // Sums that nobody has published are recorded, so that a later change is seen.
            string judged = CheckedFile.Judge("data get", data, file, target);
            yield return $"{file.Path}: {(fetched ? "fetched" : "there")}, {judged}";
            if (file.Members.Count == 0)
                continue;
            Unpacker.TarGz(target, file.Members, root);
            yield return $"{file.Members.Count} files of {file.Path}: unpacked, checksums right";
            if (fetched)
                File.Delete(target);
        }
    }
}

/// <summary>
/// The data sets that streams are cut from. Sums are those that the distributions or their well-known readers state (torchvision, TensorFlow
/// Datasets, torchtext, tch-rs), compared with the real files where these were at hand: MNIST, the files inside CIFAR-10's archive, AG News' test
/// file. SVHN's and MNIST's first homes serve plain HTTP only, so mirrors with HTTPS stand first; the sum decides either way.
/// </summary>
public static class DataTable
{
    /// <summary>CIFAR-10 as unpacked: five training files and one of test images.</summary>
    internal static readonly DataFile[] Cifar10 =
    [
        new("cifar-10-batches-bin/data_batch_1.bin", 30_730_000, "5dd7e06a14cb22eb9f671a540d1b7c25", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        new("cifar-10-batches-bin/data_batch_2.bin", 30_730_000, "5ea93a67294ea407fff1d09f752e9692", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        new("cifar-10-batches-bin/data_batch_3.bin", 30_730_000, "942cd6a4bcdd0dd3c604fbe906cb4421", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        new("cifar-10-batches-bin/data_batch_4.bin", 30_730_000, "ae636b3ba5c66a11e91e8cb52e771fcb", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        new("cifar-10-batches-bin/data_batch_5.bin", 30_730_000, "53f37980c15c3d472c316c40844f3f0d", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        new("cifar-10-batches-bin/test_batch.bin", 30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    ];

    /// <summary>CIFAR-100 as unpacked.</summary>
    internal static readonly DataFile[] Cifar100 =
    [
        new("cifar-100-binary/train.bin", 153_700_000, "6172c7755cfe09b2fe270c85cebc1b15", "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),
        new("cifar-100-binary/test.bin", 30_740_000, "4499cfba6c016c1be1438163640a0898", "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
    ];

    /// <summary>SVHN's cropped digits.</summary>
    internal static readonly DataFile[] Svhn =
    [
        At(new("svhn/train_32x32.mat", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
            "https://ufldl.stanford.edu/housenumbers/train_32x32.mat"),
        At(new("svhn/test_32x32.mat", 64_275_384, "eb5a983be6a315427106f1b164d9cef3", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
            "https://ufldl.stanford.edu/housenumbers/test_32x32.mat"),
    ];

    /// <summary>Omniglot: the background alphabets, then the evaluation alphabets.</summary>
    internal static readonly DataFile[] Omniglot =
    [
        At(new("omniglot/images_background.zip", 0, "68d2efa1b9178cc56df9314c21c6e718", null),
            "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/images_background.zip",
            "https://github.com/brendenlake/omniglot/raw/master/python/images_background.zip"),
        At(new("omniglot/images_evaluation.zip", 0, "6b91aef0f799c5bb55b94e3f2daec811", null),
            "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/images_evaluation.zip",
            "https://github.com/brendenlake/omniglot/raw/master/python/images_evaluation.zip"),
    ];

    /// <summary>AG News: training texts, then test texts.</summary>
    internal static readonly DataFile[] AgNews =
    [
        At(new("ag_news/train.csv", 29_470_338, "b1a00f826fdfbd249f79597b59e1dc12", "76a0a2d2f92b286371fe4d4044640910a04a803fdd2538e0f3f29a5c6f6b672e"),
            "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/train.csv"),
        At(new("ag_news/test.csv", 1_857_427, "d52ea96a97a2d943681189a97654912d", "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699"),
            "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/test.csv"),
    ];

    /// <summary>MNIST's four files, packed.</summary>
    internal static readonly DataFile[] MnistFiles =
    [
        MnistFile("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        MnistFile("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        MnistFile("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        MnistFile("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ];

    /// <summary>The rows.</summary>
    public static IReadOnlyList<DataSetRow> All { get; } =
    [
        new("mnist", "MNIST (LeCun, Cortes, Burges)", ["mnist", "MNIST/raw"], MnistFiles, (d, any) => [Mnist.Load(d, true, any), Mnist.Load(d, false, any)]),
        new("cifar-10", "CIFAR-10 (Krizhevsky), binary version", ["cifar-10-batches-bin"],
            [Archive("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", Cifar10)],
            (d, any) => [Cifar.Load10(d, true, any), Cifar.Load10(d, false, any)]),
        new("cifar-100", "CIFAR-100 (Krizhevsky), binary version", ["cifar-100-binary"],
            [Archive("cifar-100-binary.tar.gz", 168_513_733, "03b5dce01913d631647c71ecec9e9cb8",
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", Cifar100)],
            (d, any) => [Cifar.Load100(d, true, any).Images, Cifar.Load100(d, false, any).Images]),
        new("svhn", "SVHN, cropped digits (Netzer et al.)", ["svhn"], Svhn, (d, any) => [Methods.Svhn.Load(d, true, any), Methods.Svhn.Load(d, false, any)]),
        new("omniglot", "Omniglot (Lake, Salakhutdinov, Tenenbaum)", ["omniglot"], Omniglot, (d, any) => [Methods.Omniglot.Load(d, any).Images]),
        new("ag-news", "AG News, four topics (Zhang, Zhao, LeCun)", ["ag_news"], AgNews,
            (d, any) => [Methods.AgNews.Load(d, true, any), Methods.AgNews.Load(d, false, any)]),
        new("miniimagenet", "MiniImageNet (Vinyals et al.): .npz files made by hand, see NpzFolder", ["miniimagenet"], [],
            (d, any) => [NpzFolder.Load(d, NpzFolder.MiniImageNet, any)]),
        new("imagenet-50", "50 classes of ImageNet: .npz files made by hand, see NpzFolder", ["imagenet-50"], [],
            (d, any) => [NpzFolder.Load(d, NpzFolder.ImageNetTrain, any), NpzFolder.Load(d, NpzFolder.ImageNetTest, any)]),
    ];

    /// <summary>The row of a name; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static DataSetRow Find(string name) => All.FirstOrDefault(s => s.Name == name) ?? throw Unknown.Name("data set", name, [.. All.Select(s => s.Name)]);

    private static DataFile At(DataFile file, params string[] mirrors) => file with { Mirrors = [.. mirrors.Select(m => new Uri(m))] };

    private static DataFile MnistFile(string name, long bytes, string md5, string sha256) =>
        At(new($"mnist/{name}", bytes, md5, sha256),
            $"https://ossci-datasets.s3.amazonaws.com/mnist/{name}", $"https://storage.googleapis.com/cvdf-datasets/mnist/{name}");

    private static DataFile Archive(string name, long bytes, string md5, string sha256, DataFile[] files) =>
        At(new(name, bytes, md5, sha256), $"https://www.cs.toronto.edu/~kriz/{name}", $"https://cave.cs.toronto.edu/kriz/{name}") with
        { Members = [.. files.Select(f => (f.Path, f))] };
}

namespace Native.Methods;

/// <summary>
/// Images from .npz files, for data sets that nobody may redistribute: a folder with any number of them, each with <c>images</c>, u8
/// <c>[N,H,W,3]</c> or <c>[N,3,H,W]</c>, and <c>labels</c>, integers <c>[N]</c> from 0. The files are read in the order of their names and joined.
/// </summary>
public static class NpzFolder
{
    /// <summary>What a folder must hold.</summary>
    /// <param name="Name">For errors and tables.</param>
    /// <param name="Path">Below the data folder.</param>
    /// <param name="Classes">Labels are below this.</param>
    /// <param name="Side">Height and width; 0 for any.</param>
    public sealed record Layout(string Name, string Path, int Classes, int Side);

    /// <summary>MiniImageNet: 100 classes of 600 images, centre-cropped to 84 x 84.</summary>
    public static Layout MiniImageNet { get; } = new("miniimagenet", "miniimagenet", 100, 84);

    /// <summary>50 classes of ImageNet, training images of any one size of at least 32 x 32.</summary>
    public static Layout ImageNetTrain { get; } = new("imagenet-50 train", "imagenet-50/train", 50, 0);

    /// <summary>50 classes of ImageNet, the validation images, which the papers test on.</summary>
    public static Layout ImageNetTest { get; } = new("imagenet-50 test", "imagenet-50/val", 50, 0);

    /// <summary>Reads a folder.</summary>
    /// <param name="data">The data folder.</param>
    /// <param name="layout">What to expect.</param>
    /// <param name="allowUnofficial">Accept files that are not what they were at their first use.</param>
    public static ImageSet Load(DataFolder data, Layout layout, bool allowUnofficial = false)
    {
        string folder = data.Require($"{layout.Name}, a folder of .npz files with images and labels,", layout.Path);
        string[] files = Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.npz").Order(StringComparer.Ordinal)] : [];
        if (files.Length == 0)
            throw new UsageException($"{layout.Name}: {folder} holds no .npz file. Put files with 'images' (u8 [N,H,W,3]) and 'labels' ([N]) there.");
        ImageSet? all = null;
        foreach (string path in files)
        {
            byte[] bytes = CheckedFile.ReadAll(layout.Name, path);
            var file = new DataFile($"{layout.Path}/{Path.GetFileName(path)}", 0, null, null);
            string provenance = CheckedFile.Judge(layout.Name, data, file, path, bytes, allowUnofficial);
            using var stream = new MemoryStream(bytes, writable: false);
            var part = Parse(stream, path, layout, provenance);
            all = all is null ? part : all.Then(part, 0) with { Name = layout.Name };
        }
        return all!;
    }

    internal static ImageSet Parse(Stream stream, string path, Layout layout, string provenance)
    {
        DataFormatException bad(string what) => new($"{layout.Name}: {path}: {what}");
        var arrays = Npz.Read(stream, path, Array.MaxLength);
        if (!arrays.TryGetValue("images", out var images) || !arrays.TryGetValue("labels", out var labels))
            throw bad($"it holds {string.Join(", ", arrays.Keys)}; images and labels are wanted. Save it with numpy.savez(images=..., labels=...).");
        var s = images.Shape;
        bool last = s.Rank == 4 && s[3] == 3, first = s.Rank == 4 && s[1] == 3 && !last;
        if (images.DType != DType.U8 || !(last || first))
            throw bad($"images are {images.DType.Name()} {s}; u8 [N,H,W,3] or [N,3,H,W] is wanted. Convert them first.");
        int count = (int)s[0], height = (int)s[last ? 1 : 2], width = (int)s[last ? 2 : 3];
        if (layout.Side != 0 && (height != layout.Side || width != layout.Side))
            throw bad($"images are {height}x{width}; {layout.Side}x{layout.Side} is wanted. Resize and crop them first.");
        if (labels.Shape.Rank != 1 || labels.Shape[0] != count || labels.DType is not (DType.I64 or DType.I32 or DType.U8))
            throw bad($"labels are {labels.DType.Name()} {labels.Shape}; {count} integers, one per image, are wanted.");
        long[] classes = labels.DType switch
        {
            DType.I64 => labels.As<long>(),
            DType.I32 => Array.ConvertAll(labels.As<int>(), v => (long)v),
            _ => Array.ConvertAll(labels.As<byte>(), v => (long)v),
        };
        for (int i = 0; i < count; i++)
            if (classes[i] < 0 || classes[i] >= layout.Classes)
                throw bad($"label {i} is {classes[i]}; labels are 0 to {layout.Classes - 1}.");
        byte[] pixels = last ? ChannelsFirst(images.Data, height * width) : images.Data;
        return new ImageSet(layout.Name, pixels, Array.ConvertAll(classes, c => (int)c), count, 3, height, width, provenance);
    }

    private static byte[] ChannelsFirst(byte[] interleaved, int plane)
    {
        var planes = new byte[interleaved.Length];
        Parallel.For(0, interleaved.Length / (3 * plane), image =>
        {
            int start = image * 3 * plane;
            for (int p = 0; p < plane; p++)
                for (int c = 0; c < 3; c++)
                    planes[start + c * plane + p] = interleaved[start + 3 * p + c];
        });
        return planes;
    }
}

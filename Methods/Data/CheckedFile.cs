using System.Security.Cryptography;

namespace Native.Methods;

/// <summary>
/// A file's bytes together with what its checksum says. A file with a published sum is official or refused; one without is compared with the sum
/// of its first use, which is kept in the data folder's <c>SHA256SUMS</c> (the format of <c>sha256sum</c>).
/// </summary>
internal static class CheckedFile
{
    public const string Ledger = "SHA256SUMS";

    private const string Official = "official files (SHA-256 checked)", OfficialMd5 = "official files (MD5 checked)",
        Recorded = "no published checksum; SHA-256 as at first use", Unrecorded = "no published checksum, and the folder takes no record of one",
        Unofficial = "unofficial files (checksum differs)";

    private static readonly Lock Writing = new();

    /// <summary>Reads a file that must be there.</summary>
    /// <param name="format">The reader's name, for errors.</param>
    /// <param name="what">What the file is, for errors.</param>
    /// <param name="folder">The data folder.</param>
    /// <param name="file">Its row.</param>
    /// <param name="allowUnofficial">Accept another checksum.</param>
    /// <returns>The bytes, the path, and the words for the set's provenance.</returns>
    public static (byte[] Bytes, string Path, string Provenance) Read(string format, string what, DataFolder folder, DataFile file, bool allowUnofficial)
    {
        string path = folder.Require(what, file.Path);
        byte[] bytes = ReadAll(format, path);
        return (bytes, path, Judge(format, folder, file, path, bytes, allowUnofficial));
    }

    /// <summary>The bytes of a regular file that is not empty.</summary>
    public static byte[] ReadAll(string format, string path)
    {
        try
        {
            // Looked at before it is opened: a pipe would wait for its writer, and a device that claims no length can be read for ever.
            var info = new FileInfo(path);
            long length = ((info.ResolveLinkTarget(returnFinalTarget: true) as FileInfo) ?? info).Length;
            if (length == 0)
                throw new DataFormatException($"{format}: {path}: it is empty, or not a regular file. Fetch it again, or name the file itself.");
            if (length > Array.MaxLength)
                throw new DataFormatException($"{format}: {path}: it has {length} bytes and at most {Array.MaxLength} are read. Check that it is the right file.");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{format}: {path} cannot be read; {e.Message} Check the path and its permissions.");
        }
    }

    /// <summary>One set of words for several files.</summary>
    public static string Join(IEnumerable<string> provenances) => string.Join("; ", provenances.Distinct());

    /// <summary>The same for a file that is already known to be the row's, where the row knows its sum.</summary>
    public static string Judge(string format, DataFolder folder, DataFile file, string path)
    {
        if (file.Sha256 is not null || file.Md5 is not null)
            return file.Sha256 is not null ? Official : OfficialMd5;
        using var stream = File.OpenRead(path);
        return First(format, folder, file.Path, path, Convert.ToHexStringLower(SHA256.HashData(stream)), allowUnofficial: false);
    }

    /// <summary>What the bytes are, by their sum; <see cref="DataFormatException"/> when they are not what they must be.</summary>
    public static string Judge(string format, DataFolder folder, DataFile file, string path, byte[] bytes, bool allowUnofficial)
    {
        bool strong = file.Sha256 is not null;
        string? expected = file.Sha256 ?? file.Md5;
        string sum = strong || expected is null ? Sha256(bytes) : Md5(bytes);
        if (sum == expected)
            return strong ? Official : OfficialMd5;
        if (expected is null)
            return First(format, folder, file.Path, path, sum, allowUnofficial);
        if (allowUnofficial)
            return Unofficial;
        throw new DataFormatException($"{format}: {path}: the {(strong ? "SHA-256" : "MD5")} is {sum}; the official file has {expected}. Fetch it again, or "
            + "allow unofficial files.");
    }

    private static string First(string format, DataFolder folder, string relative, string path, string sum, bool allowUnofficial)
    {
        string ledger = Path.Combine(folder.Root!, Ledger);
        lock (Writing)
        {
            if (Entries(ledger).TryGetValue(relative, out string? recorded))
            {
                if (recorded == sum)
                    return Recorded;
                return allowUnofficial ? Unofficial : throw new DataFormatException($"{format}: {path}: the SHA-256 is {sum}; at its first use it was {recorded}, says "
                    + $"{ledger}. Put the old file back, delete its line there, or allow unofficial files.");
            }
            return Record(ledger, relative, sum) ? Recorded : Unrecorded;
        }
    }

    private static Dictionary<string, string> Entries(string ledger)
    {
        var entries = new Dictionary<string, string>(StringComparer.Ordinal);
        if (File.Exists(ledger))
            foreach (string line in File.ReadLines(ledger))
                if (line.IndexOf("  ", StringComparison.Ordinal) is 64 and var at)
                    entries[line[(at + 2)..]] = line[..at];
        return entries;
    }

    private static bool Record(string ledger, string relative, string sum)
    {
        string temporary = $"{ledger}.{Environment.ProcessId}.tmp";
        try
        {
            string before = File.Exists(ledger) ? File.ReadAllText(ledger) : "";
            File.WriteAllText(temporary, $"{before}{sum}  {relative}\n");
            File.Move(temporary, ledger, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

#pragma warning disable CA5351 // Some distributions published MD5 sums only; they guard against damage, not against an adversary.
    public static string Md5(byte[] bytes) => Convert.ToHexStringLower(MD5.HashData(bytes));
#pragma warning restore CA5351
}

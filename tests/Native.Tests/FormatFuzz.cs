namespace Native.Tests;

/// <summary>Damages good files at random, always the same way, and lets nothing but a <see cref="DataFormatException"/> out of a reader.</summary>
internal static class FormatFuzz
{
    /// <summary>Reads <paramref name="rounds"/> damaged copies of each file; returns how many were refused.</summary>
    internal static int Run(Action<Stream> read, int rounds, params byte[][] files)
    {
        var rng = new Generator(2026);
        int refused = 0;
        foreach (var file in files)
            for (int round = 0; round < rounds; round++)
            {
                var bytes = Damage(file, rng);
                try
                {
                    read(new MemoryStream(bytes));
                }
                catch (DataFormatException e)
                {
                    refused++;
                    Assert.Contains("fuzz.bin", e.Message);
                }
                catch (Exception e)
                {
                    Assert.Fail($"round {round}: {e.GetType().Name} {e.Message} for {Convert.ToHexString(bytes)}\n{e.StackTrace}");
                }
            }
        return refused;
    }

    private static byte[] Damage(byte[] file, Generator rng)
    {
        var bytes = new List<byte>(file);
        for (int n = (int)rng.NextInt64(4); n >= 0 && bytes.Count > 0; n--)
        {
            int at = (int)rng.NextInt64(bytes.Count);
            switch (rng.NextInt64(7))
            {
                case 0: bytes[at] = (byte)rng.NextUInt32(); break;
                case 1: bytes[at] ^= (byte)(1 << (int)rng.NextInt64(8)); break;
                case 2: bytes[at] = (byte)"0123456789-{}[](),'\" .:e"[(int)rng.NextInt64(24)]; break;
                case 3: bytes[at] = rng.NextInt64(2) == 0 ? (byte)0 : (byte)255; break;
                case 4: bytes.RemoveRange(at, (int)rng.NextInt64(Math.Min(9, bytes.Count - at) + 1)); break;
                case 5: bytes.Insert(at, (byte)rng.NextUInt32()); break;
                default: bytes.RemoveRange(at, rng.NextInt64(4) == 0 ? bytes.Count - at : 0); break;
            }
        }
        return bytes.ToArray();
    }
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    internal string Path { get; } = Directory.CreateTempSubdirectory("native-test-").FullName;

    internal string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

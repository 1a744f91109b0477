using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Native.Methods;

namespace Native.Tests;

/// <summary>Fetching over a server in this process, which cuts, lies, redirects and refuses as told; and unpacking what was fetched.</summary>
public sealed class FetcherTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Server _server = new();

    private static readonly byte[] Content = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7 + i / 251))];

    public void Dispose()
    {
        _server.Dispose();
        _folder.Dispose();
    }

    private string Target => _folder.File("sub/file.bin");

    private DataFile Row(params string[] paths) => new("sub/file.bin", Content.Length, CheckedFile.Md5(Content), CheckedFile.Sha256(Content))
    { Mirrors = [.. paths.Select(p => new Uri(_server.Root, p))] };

    // Waits long enough for a machine that is busy with other tests; only the test of silence is short.
    private static readonly Fetcher Patient = new();

    private void Whole()
    {
        Assert.Equal(Content, File.ReadAllBytes(Target));
        Assert.Equal([Target], Directory.GetFiles(Path.GetDirectoryName(Target)!));
    }

    private string Refusal(DataFile file)
    {
        string message = Assert.Throws<UsageException>(() => Patient.Get(file, Target)).Message;
        Assert.False(File.Exists(Target));
        return message;
    }

    [Fact]
    public void A_file_arrives_whole_and_is_not_fetched_twice()
    {
        _server.Serve("/f", r => r.Answer(Content));
        long last = 0;
        Assert.True(Patient.Get(Row("/f"), Target, p => last = p.Bytes));
        Whole();
        Assert.Equal(Content.Length, last);
        Assert.False(Patient.Get(Row("/f"), Target));
        Assert.Single(_server.Requests);
    }

    [Fact]
    public void What_was_cut_off_is_continued_where_it_ended()
    {
        int calls = 0;
        _server.Serve("/f", r => r.Answer(Content, cut: calls++ < 2 ? 100_000 : int.MaxValue));
        Assert.True(Patient.Get(Row("/f"), Target));
        Whole();
        Assert.Equal(3, _server.Requests.Count);
        Assert.All(_server.Requests.Skip(1), r => Assert.InRange(r.From, 1, 200_000));
        Assert.True(_server.Requests[2].From > _server.Requests[1].From);
    }

    [Fact]
    public void A_later_process_continues_too_and_a_server_without_ranges_starts_over()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Target)!);
        File.WriteAllBytes(Target + ".part", Content[..70_000]);
        _server.Serve("/f", r => r.Answer(Content));
        Assert.True(Patient.Get(Row("/f"), Target));
        Whole();
        Assert.Equal(70_000, _server.Requests.Single().From);
        File.Delete(Target);
        File.WriteAllBytes(Target + ".part", Content[..70_000]);
        _server.Serve("/g", r => r.Answer(Content, ranges: false));
        Assert.True(Patient.Get(Row("/g"), Target));
        Whole();
        // Too long to be a beginning of it: thrown away.
        File.Delete(Target);
        File.WriteAllBytes(Target + ".part", [.. Content, 1]);
        Assert.True(Patient.Get(Row("/f"), Target));
        Whole();
        // Complete but for the renaming: no request at all.
        File.Move(Target, Target + ".part");
        int before = _server.Requests.Count;
        Assert.True(Patient.Get(Row("/f"), Target));
        Whole();
        Assert.Equal(before, _server.Requests.Count);
    }

    [Fact]
    public void A_connection_that_keeps_ending_keeps_what_arrived_for_the_next_time()
    {
        _server.Serve("/f", r => r.Answer(Content, cut: 1000));
        Assert.Contains("(4 attempts)", Refusal(Row("/f")));
        // Each attempt began where the one before it ended; under load a cut connection may lose its last bytes, which are then asked for again.
        long[] from = [.. _server.Requests.Select(r => r.From), new FileInfo(Target + ".part").Length];
        Assert.Equal((5, 0L), (from.Length, from[0]));
        Assert.All(from.Zip(from.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, 0, 1000));
        Assert.InRange(from[^1], 1, 4000);
        Assert.Equal(Content[..(int)from[^1]], File.ReadAllBytes(Target + ".part"));
    }

    [Fact]
    public void A_wrong_sum_is_never_used_nor_continued()
    {
        byte[] other = [.. Content];
        other[5] ^= 1;
        _server.Serve("/bad", r => r.Answer(other));
        Assert.Contains($"the SHA-256 is {CheckedFile.Sha256(other)}; {CheckedFile.Sha256(Content)} is wanted", Refusal(Row("/bad")));
        Assert.False(File.Exists(Target + ".part"));
        // A beginning from a bad mirror spoils the end of a good one; the next attempt is clean.
        File.WriteAllBytes(Target + ".part", other[..1000]);
        _server.Serve("/f", r => r.Answer(Content));
        Assert.True(Patient.Get(Row("/f", "/f"), Target));
        Whole();
    }

    [Fact]
    public void Mirrors_are_tried_in_order_and_each_reason_is_told()
    {
        _server.Serve("/gone", r => r.Status(404, "Not Found"));
        _server.Serve("/busy", r => r.Status(503, "Service Unavailable"));
        string message = Refusal(Row("/gone", "/busy"));
        Assert.Contains("/gone: 404 Not Found; ", message);
        Assert.Contains("/busy: 503 Service Unavailable. Try again later, or put the file there yourself", message);
        _server.Serve("/f", r => r.Answer(Content));
        Assert.True(Patient.Get(Row("/gone", "/f"), Target));
        Whole();
    }

    [Fact]
    public void Redirections_are_followed_up_to_a_point_and_never_off_https()
    {
        _server.Serve("/f", r => r.Answer(Content));
        _server.Serve("/there", r => r.Redirect("/f"));
        _server.Serve("/loop", r => r.Redirect("/loop"));
        _server.Serve("/away", r => r.Redirect("http://example.invalid/f"));
        Assert.Contains("/loop: it redirects more than 5 times", Refusal(Row("/loop")));
        Assert.Contains("http://example.invalid/f is not HTTPS", Refusal(Row("/away")));
        Assert.Contains("http://example.invalid/f is not HTTPS", Refusal(Row() with { Mirrors = [new Uri("http://example.invalid/f")] }));
        Assert.True(Patient.Get(Row("/there"), Target));
        Whole();
    }

    [Fact]
    public void Lengths_that_cannot_be_right_are_refused_before_they_fill_the_disk()
    {
        _server.Serve("/long", r => r.Answer([.. Content, .. Content]));
        Assert.Contains("it offers 600000 bytes; 300000 are wanted", Refusal(Row("/long")));
        _server.Serve("/endless", r => r.Answer([.. Content, .. Content], length: false));
        Assert.Contains("it sends more than 300000 bytes", Refusal(Row("/endless")));
        Assert.True(new FileInfo(Target + ".part").Length == 0);
        _server.Serve("/elsewhere", r => r.Answer(Content, from: 17));
        File.WriteAllBytes(Target + ".part", Content[..1000]);
        Assert.Contains("it sends from byte 17 where 1000 was asked for", Refusal(Row("/elsewhere")));
    }

    [Fact]
    public void Silence_ends_and_nobody_there_is_said()
    {
        _server.Serve("/silent", r => r.Answer(Content, cut: 10, hang: true));
        var file = Row("/silent");
        Assert.Contains("no answer for 0.2 s", Assert.Throws<UsageException>(() => new Fetcher(TimeSpan.FromSeconds(0.2)).Get(file, Target)).Message);
        var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        Assert.Contains("refused", Refusal(Row() with { Mirrors = [new Uri($"http://127.0.0.1:{port}/f")] }));
    }

    [Fact]
    public void A_file_in_the_way_is_not_touched_and_cancelling_keeps_the_part()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Target)!);
        File.WriteAllBytes(Target, [1, 2, 3]);
        Assert.Contains("it has 3 bytes; 300000 are wanted. It is not what is wanted and is not touched",
            Assert.Throws<DataFormatException>(() => Patient.Get(Row("/f"), Target)).Message);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(Target));
        File.Delete(Target);
        _server.Serve("/f", r => r.Answer(Content));
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => Patient.Get(Row("/f"), Target, _ => cancel.Cancel(), cancel.Token));
        Assert.False(File.Exists(Target));
        Assert.InRange(new FileInfo(Target + ".part").Length, 1, Content.Length);
        using (File.Open(Target + ".part", FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            Assert.Contains("Another process may be fetching it", Assert.Throws<UsageException>(() => Patient.Get(Row("/f"), Target)).Message);
        Assert.Contains("nobody may distribute sub/file.bin", Assert.Throws<UsageException>(() => Patient.Get(Row(), Target)).Message);
    }

    [Fact]
    public void A_set_is_fetched_unpacked_and_then_found()
    {
        byte[] a = [1, 2, 3], b = [.. Enumerable.Range(0, 5000).Select(i => (byte)i)], archive = TarGz(("dir/a.bin", a), ("../evil", [6]), ("dir/b.bin", b));
        _server.Serve("/t.tar.gz", r => r.Answer(archive));
        var row = new DataSetRow("t", "test", ["dir"], [new DataFile("t.tar.gz", archive.Length, null, CheckedFile.Sha256(archive))
        {
            Mirrors = [new Uri(_server.Root, "/t.tar.gz")],
            Members = [.. new[] { ("dir/a.bin", a), ("dir/b.bin", b) }.Select(m => (m.Item1, Member(m.Item1, m.Item2)))],
        }], (_, _) => []);
        var data = DataFolder.From(_folder.Path, null);
        Assert.False(row.IsHere(data));
        Assert.Equal(["t.tar.gz: fetched, official files (SHA-256 checked)", "2 files of t.tar.gz: unpacked, checksums right"], row.Get(data, Patient));
        Assert.Equal(a, File.ReadAllBytes(_folder.File("dir/a.bin")));
        Assert.Equal(b, File.ReadAllBytes(_folder.File("dir/b.bin")));
        Assert.Equal(["2 files of t.tar.gz: there, checksums right"], row.Get(data, Patient));
        Assert.True(row.IsHere(data));
        Assert.Equal(2, Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories).Length);
        Assert.False(File.Exists(Path.Combine(Path.GetDirectoryName(_folder.Path)!, "evil")));
        // Without a network: the archive dropped in.
        Directory.Delete(_folder.File("dir"), recursive: true);
        File.WriteAllBytes(_folder.File("t.tar.gz"), archive);
        _server.Serve("/t.tar.gz", r => r.Status(500, "no"));
        Assert.Equal(["t.tar.gz: there, official files (SHA-256 checked)", "2 files of t.tar.gz: unpacked, checksums right"], row.Get(data, Patient));
        Assert.Equal(b, File.ReadAllBytes(_folder.File("dir/b.bin")));
        File.WriteAllBytes(_folder.File("dir/a.bin"), [9, 9, 9]);
        Assert.Contains("Move it away and fetch again", Assert.Throws<DataFormatException>(() => row.Get(data, Patient).ToList()).Message);
    }

    [Fact]
    public void A_sum_that_nobody_has_published_is_recorded()
    {
        _server.Serve("/f", r => r.Answer(Content));
        var file = new DataFile("sub/file.bin", 0, null, null) { Mirrors = [new Uri(_server.Root, "/f")] };
        var row = new DataSetRow("t", "test", ["sub"], [file], (_, _) => []);
        Assert.Equal("unknown: recorded at first use", file.Sum);
        Assert.Equal(["sub/file.bin: fetched, no published checksum; SHA-256 as at first use"], row.Get(DataFolder.From(_folder.Path, null), Patient));
        Assert.Equal($"{CheckedFile.Sha256(Content)}  sub/file.bin\n", File.ReadAllText(_folder.File("SHA256SUMS")));
    }

    private static DataFile Member(string path, byte[] bytes) => new(path, bytes.Length, null, CheckedFile.Sha256(bytes));

    private static byte[] TarGz(params (string Name, byte[] Bytes)[] members)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
            foreach (var (name, bytes) in members)
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes), ModificationTime = DateTimeOffset.UnixEpoch });
        return packed.ToArray();
    }

    private string Unpacking(byte[] archive, params (string Name, byte[] Bytes)[] wanted)
    {
        string message = Assert.Throws<DataFormatException>(() =>
            Unpacker.TarGz(new MemoryStream(archive), "t.tar.gz", [.. wanted.Select(m => (m.Name, Member(m.Name, m.Bytes)))], _folder.Path)).Message;
        Assert.Empty(Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories));
        return message;
    }

    [Fact]
    public void Archives_that_lie_leave_nothing_behind()
    {
        Assert.Contains("lacks dir/b.bin", Unpacking(TarGz(("dir/c.bin", [1])), ("dir/b.bin", [1])));
        Assert.Contains("dir/b.bin has 2 bytes in the archive; 1 are wanted", Unpacking(TarGz(("dir/b.bin", [1, 2])), ("dir/b.bin", [1])));
        Assert.Contains("the SHA-256 is", Unpacking(TarGz(("dir/b.bin", [2])), ("dir/b.bin", [1])));
        Assert.Contains("is damaged", Unpacking([1, 2, 3, 4], ("dir/b.bin", [1])));
        Assert.Contains("is damaged", Unpacking(TarGz(("dir/b.bin", Content))[..100], ("dir/b.bin", Content)));
        // 200 MB of zeros before what is wanted.
        Assert.Contains("it unpacks to more than the files it should hold", Unpacking(TarGz(("zeros", new byte[200_000_000]), ("dir/b.bin", [1])), ("dir/b.bin", [1])));
        // A link in place of the file: not a file.
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
            tar.WriteEntry(new UstarTarEntry(TarEntryType.SymbolicLink, "dir/b.bin") { LinkName = "/etc/passwd" });
        Assert.Contains("lacks dir/b.bin", Unpacking(packed.ToArray(), ("dir/b.bin", [1])));
    }

    [Fact]
    public void Damaged_archives_only_raise_format_exceptions()
    {
        byte[] good = [1, 2, 3];
        DataFile row = Member("dir/b.bin", good);
        Assert.InRange(FormatFuzz.Run(s => Unpacker.TarGz(s, "fuzz.bin", [("dir/b.bin", row)], _folder.Path), 500, TarGz(("dir/b.bin", good))), 200, 500);
        // The tar itself, packed again after the damage.
        using var plain = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(TarGz(("dir/b.bin", good))), CompressionMode.Decompress))
            gzip.CopyTo(plain);
        FormatFuzz.Run(s =>
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                s.CopyTo(gzip);
            packed.Position = 0;
            Unpacker.TarGz(packed, "fuzz.bin", [("dir/b.bin", row)], _folder.Path);
        }, 1500, plain.ToArray());
        Assert.All(Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories), f => Assert.Equal(good, File.ReadAllBytes(f)));
    }
}

/// <summary>A web server of one path at a time, on this machine, that misbehaves on request.</summary>
internal sealed class Server : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Dictionary<string, Action<Request>> _paths = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _loop;

    internal Server()
    {
        _listener.Start();
        Root = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _loop = Task.Run(Loop);
    }

    internal Uri Root { get; }

    internal List<Request> Requests { get; } = [];

    internal void Serve(string path, Action<Request> answer) => _paths[path] = answer;

    private void Loop()
    {
        while (!_end.IsCancellationRequested)
            try
            {
                using var client = _listener.AcceptTcpClient();
                using var stream = client.GetStream();
                var request = new Request(stream, _end.Token);
                if (!request.Read())
                    continue;
                Requests.Add(request);
                _paths[request.Path](request);
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // The client has heard enough, or the test is over.
            }
    }

    public void Dispose()
    {
        _end.Cancel();
        _listener.Stop();
        _loop.Wait(TimeSpan.FromSeconds(5));
        _end.Dispose();
    }

    internal sealed class Request(NetworkStream stream, CancellationToken end)
    {
        internal string Path { get; private set; } = "";

        /// <summary>The first byte asked for.</summary>
        internal long From { get; private set; }

        internal bool Read()
        {
            var head = new StringBuilder();
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                int b = stream.ReadByte();
                if (b < 0)
                    return false;
                head.Append((char)b);
            }
            string[] lines = head.ToString().Split("\r\n");
            Path = lines[0].Split(' ')[1];
            foreach (string line in lines)
                if (line.StartsWith("Range: bytes=", StringComparison.Ordinal))
                    From = long.Parse(line["Range: bytes=".Length..].TrimEnd('-'));
            return true;
        }

        /// <summary>Sends content from where it was asked for; at most <paramref name="cut"/> bytes of it, whatever the header says.</summary>
        internal void Answer(byte[] content, int cut = int.MaxValue, bool ranges = true, bool length = true, long? from = null, bool hang = false)
        {
            long start = ranges ? from ?? From : 0;
            if (start >= content.Length)
            {
                Status(416, "Range Not Satisfiable");
                return;
            }
            bool partial = ranges && From > 0;
            Head($"{(partial ? "206 Partial Content" : "200 OK")}\r\n{(length ? $"Content-Length: {content.Length - start}\r\n" : "")}"
                + (partial ? $"Content-Range: bytes {start}-{content.Length - 1}/{content.Length}\r\n" : ""));
            stream.Write(content.AsSpan((int)start, (int)Math.Min(cut, content.Length - start)));
            if (hang)
                end.WaitHandle.WaitOne(TimeSpan.FromSeconds(2));
        }

        internal void Status(int code, string reason) => Head($"{code} {reason}\r\nContent-Length: 0\r\n");

        internal void Redirect(string to) => Head($"302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n");

        private void Head(string lines) => stream.Write(Encoding.ASCII.GetBytes($"HTTP/1.1 {lines}Connection: close\r\n\r\n"));
    }
}

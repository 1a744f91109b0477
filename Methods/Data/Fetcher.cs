using System.Net;
using System.Security.Cryptography;

namespace Native.Methods;

/// <summary>How far a fetch has come.</summary>
/// <param name="Source">The address in use.</param>
/// <param name="Bytes">Bytes on disk.</param>
/// <param name="Total">The file's length; null when nobody has said.</param>
public readonly record struct FetchProgress(Uri Source, long Bytes, long? Total);

/// <summary>
/// Brings a file from the first mirror that has it: over HTTPS, into <c>NAME.part</c> beside the target, continuing what an earlier attempt left,
/// compared with its sum, and only then renamed. A reader sees the whole file or none.
/// </summary>
/// <param name="pause">How long a silent connection is waited for; 60 s by default.</param>
public sealed class Fetcher(TimeSpan? pause = null)
{
    private const int Attempts = 4, MaxRedirects = 5;

    /// <summary>Where no length is known, this much is believed to be a file; beyond it, something is wrong.</summary>
    private const long MaxUnknown = 4L << 30;

    private readonly TimeSpan _pause = pause ?? TimeSpan.FromSeconds(60);

    /// <summary>
    /// Fetches unless the target is there with the right sum. <see cref="UsageException"/> when no mirror yields it, with each one's reason.
    /// </summary>
    /// <param name="file">The row: mirrors and sums.</param>
    /// <param name="target">The path to make.</param>
    /// <param name="progress">Called now and then.</param>
    /// <param name="cancel">What was fetched by then is kept and continued next time.</param>
    /// <returns>Whether anything was fetched.</returns>
    public bool Get(DataFile file, string target, Action<FetchProgress>? progress = null, CancellationToken cancel = default)
    {
        if (File.Exists(target))
            return Mismatch(file, target) is { } why
                ? throw new DataFormatException($"data get: {target}: {why} It is not what is wanted and is not touched. Move it away and fetch again.")
                : false;
        if (file.Mirrors.Count == 0)
            throw new UsageException($"data get: nobody may distribute {file.Path}. Put the file there yourself: {target}.");
        var reasons = new List<string>();
        foreach (var mirror in file.Mirrors)
        {
            string? reason = TryMirror(mirror, file, target, progress, cancel);
            if (reason is null)
                return true;
            reasons.Add($"{mirror}: {reason}");
        }
        throw new UsageException($"data get: {file.Path} could not be fetched; {string.Join("; ", reasons)}. Try again later, or put the file there yourself: {target}.");
    }

    /// <summary>Why a file on disk is not the one of the row; null when it is, or when the row knows no sum.</summary>
    public static string? Mismatch(DataFile file, string path)
    {
        long length = new FileInfo(path).Length;
        if (file.Bytes != 0 && length != file.Bytes)
            return $"it has {length} bytes; {file.Bytes} are wanted.";
        string? expected = file.Sha256 ?? file.Md5;
        if (expected is null)
            return length == 0 ? "it is empty." : null;
        using var stream = File.OpenRead(path);
#pragma warning disable CA5351 // Some distributions published MD5 sums only; they guard against damage, not against an adversary.
        string sum = Convert.ToHexStringLower(file.Sha256 is not null ? SHA256.HashData(stream) : MD5.HashData(stream));
#pragma warning restore CA5351
        return sum == expected ? null : $"the {(file.Sha256 is not null ? "SHA-256" : "MD5")} is {sum}; {expected} is wanted.";
    }

    private string? TryMirror(Uri mirror, DataFile file, string target, Action<FetchProgress>? progress, CancellationToken cancel)
    {
        string part = target + ".part";
        string? reason = null;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                bool complete;
                using (var stream = Open(part))
                    complete = Continue(mirror, file, stream, progress, cancel);
                if (!complete)
                {
                    reason = "the connection ended early";
                    continue;
                }
                if (Mismatch(file, part) is { } why)
                {
                    // Wrong from its first byte for all we know: nothing of it is continued.
                    File.Delete(part);
                    return why.TrimEnd('.');
                }
                File.Move(part, target, overwrite: true);
                return null;
            }
            catch (Refused e)
            {
                return e.Message;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !cancel.IsCancellationRequested)
            {
                reason = e is OperationCanceledException ? $"no answer for {_pause.TotalSeconds:0.#} s" : e.Message.TrimEnd('.');
            }
        }
        return $"{reason} ({Attempts} attempts)";
    }

    private static FileStream Open(string part)
    {
        try
        {
            if (Path.GetDirectoryName(part) is { Length: > 0 } folder)
                Directory.CreateDirectory(folder);
            return new FileStream(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"data get: {part} cannot be written; {e.Message} Another process may be fetching it; or name another folder.");
        }
    }

    /// <summary>A mirror's answer that trying again will not change.</summary>
    private sealed class Refused(string message) : Exception(message);

    /// <summary>One request, from where the file ends. False when the connection ended before the file did.</summary>
    private bool Continue(Uri mirror, DataFile file, FileStream to, Action<FetchProgress>? progress, CancellationToken cancel)
    {
        if (file.Bytes != 0 && to.Length == file.Bytes)
            return true;
        if (to.Length > (file.Bytes != 0 ? file.Bytes : MaxUnknown))
            to.SetLength(0);
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None, ConnectTimeout = _pause };
        using var client = new HttpClient(handler, disposeHandler: false) { Timeout = _pause };
        using var answer = Ask(client, mirror, to.Length, cancel);
        if (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            if (to.Length == 0)
                throw new Refused("416, it refuses to send the file from its first byte");
            // What we have cannot be continued: start over, which is one more attempt.
            to.SetLength(0);
            return false;
        }
        if (answer.StatusCode == HttpStatusCode.PartialContent && answer.Content.Headers.ContentRange?.From != to.Length)
            throw new Refused($"it sends from byte {answer.Content.Headers.ContentRange?.From} where {to.Length} was asked for");
        if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.PartialContent))
            throw new Refused($"{(int)answer.StatusCode} {answer.ReasonPhrase}");
        if (answer.StatusCode == HttpStatusCode.OK)
            to.SetLength(0);
        to.Seek(0, SeekOrigin.End);
        long? total = answer.Content.Headers.ContentLength is { } rest ? to.Length + rest : file.Bytes != 0 ? file.Bytes : null;
        if (file.Bytes != 0 && total != file.Bytes)
            throw new Refused($"it offers {total} bytes; {file.Bytes} are wanted");
        Copy(mirror, answer, to, file.Bytes != 0 ? file.Bytes : MaxUnknown, total, progress, cancel);
        return total is null || to.Length == total;
    }

    private void Copy(Uri mirror, HttpResponseMessage answer, FileStream to, long most, long? total, Action<FetchProgress>? progress, CancellationToken cancel)
    {
        using var body = answer.Content.ReadAsStream(cancel);
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var buffer = new byte[1 << 16];
        while (true)
        {
            silence.CancelAfter(_pause);
            int n = body.ReadAsync(buffer, silence.Token).AsTask().GetAwaiter().GetResult();
            if (n == 0)
                return;
            if (to.Length + n > most)
            {
                to.SetLength(0);
                throw new Refused($"it sends more than {most} bytes");
            }
            to.Write(buffer, 0, n);
            progress?.Invoke(new FetchProgress(mirror, to.Length, total));
        }
    }

    private static HttpResponseMessage Ask(HttpClient client, Uri address, long from, CancellationToken cancel)
    {
        for (int hop = 0; hop <= MaxRedirects; hop++)
        {
            // Plain HTTP to this machine is for tests; nothing else may leave the encrypted path, also by redirection.
            if (address.Scheme != Uri.UriSchemeHttps && !(address.Scheme == Uri.UriSchemeHttp && address.IsLoopback))
                throw new Refused($"{address} is not HTTPS");
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.UserAgent.ParseAdd("native-data/0.1");
            if (from > 0)
                request.Headers.Range = new System.Net.Http.Headers.RangeHeaderValue(from, null);
            var answer = client.Send(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            if ((int)answer.StatusCode is not (301 or 302 or 303 or 307 or 308) || answer.Headers.Location is not { } next)
                return answer;
            answer.Dispose();
            address = new Uri(address, next);
        }
        throw new Refused($"it redirects more than {MaxRedirects} times");
    }
}

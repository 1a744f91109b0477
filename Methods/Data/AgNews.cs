using System.Text;

namespace Native.Methods;

/// <summary>
/// AG News (Zhang, Zhao and LeCun 2015): 120,000 training and 7,600 test items of four classes (World, Sports, Business, Sci/Tech), as csv of
/// quoted fields: class 1 to 4, title, description. An item's text is the title, a space, and the description (MyGO).
/// </summary>
public static class AgNews
{
    /// <summary>The classes, from label 0.</summary>
    public static IReadOnlyList<string> Classes { get; } = ["World", "Sports", "Business", "Sci/Tech"];

    /// <summary>The first lines of the training set, for machines that have no more.</summary>
    public const string Part = "ag_news/train_subset.csv";

    /// <summary>Loads a set from <c>ag_news/</c>.</summary>
    /// <param name="data">Where to look.</param>
    /// <param name="train">The training set, else the test set.</param>
    /// <param name="allowUnofficial">Accept other sums; and, where <c>train.csv</c> is absent, <see cref="Part"/>. The provenance says so.</param>
    public static TextSet Load(DataFolder data, bool train, bool allowUnofficial = false)
    {
        var file = DataTable.AgNews[train ? 0 : 1];
        if (train && allowUnofficial && data.Find(file.Path) is null && data.Find(Part) is not null)
            file = file with { Path = Part };
        var (bytes, path, provenance) = CheckedFile.Read("ag-news", "AG News' " + Path.GetFileName(file.Path), data, file, allowUnofficial);
        return Parse(bytes, path, train ? "ag-news train" : "ag-news test", provenance);
    }

    /// <summary>Loads <see cref="Part"/> of the training set.</summary>
    public static TextSet LoadPart(DataFolder data)
    {
        var (bytes, path, _) = CheckedFile.Read("ag-news", "AG News' " + Path.GetFileName(Part), data, DataTable.AgNews[0] with { Path = Part }, allowUnofficial: true);
        var set = Parse(bytes, path, "ag-news train, a part", "");
        return set with { Provenance = $"{set.Count} of 120000 rows; no published checksum" };
    }

    internal static TextSet Parse(byte[] bytes, string path, string name, string provenance)
    {
        var texts = new List<string>();
        var labels = new List<int>();
        foreach (var (line, fields) in Csv.Rows("ag-news", path, bytes))
        {
            if (fields.Count != 3)
                throw new DataFormatException($"ag-news: {path}: line {line} has {fields.Count} fields; class, title and description are wanted. Fetch it again.");
            if (fields[0] is not [>= '1' and <= '4'])
                throw new DataFormatException($"ag-news: {path}: line {line} has class '{Csv.Short(fields[0])}'; classes are 1 to 4. Fetch it again.");
            if (string.IsNullOrWhiteSpace(fields[1]) && string.IsNullOrWhiteSpace(fields[2]))
                throw new DataFormatException($"ag-news: {path}: line {line} has neither title nor description. Fetch it again, or leave the line out.");
            labels.Add(fields[0][0] - '1');
            texts.Add($"{fields[1]} {fields[2]}");
        }
        if (texts.Count == 0)
            throw new DataFormatException($"ag-news: {path}: there are no items in {bytes.Length} bytes. Fetch it again.");
        return TextSet.From(name, texts, [.. labels], provenance);
    }
}

/// <summary>
/// Comma-separated values (RFC 4180) in UTF-8: fields may be quoted; a quote inside quotes is doubled; quoted fields may hold commas and line ends.
/// </summary>
internal static class Csv
{
    public static IEnumerable<(int Line, IReadOnlyList<string> Fields)> Rows(string format, string name, byte[] bytes)
    {
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new DataFormatException($"{format}: {name}: line {1 + bytes.AsSpan(0, Math.Clamp(e.Index, 0, bytes.Length)).Count((byte)'\n')}, byte {e.Index}, is not UTF-8. Fetch it again.", e);
        }
        int at = text.StartsWith('\uFEFF') ? 1 : 0, line = 1;
        while (at < text.Length)
        {
            int start = line;
            var fields = new List<string>();
            bool more = true;
            while (more)
                (at, line, more) = Field(format, name, text, at, line, fields);
            yield return (start, fields);
        }
    }

    /// <summary>A text's beginning, for errors.</summary>
    public static string Short(string text) => text.Length <= 20 ? text : text[..20] + "...";

    private static (int At, int Line, bool More) Field(string format, string name, string text, int at, int line, List<string> fields)
    {
        if (at < text.Length && text[at] == '"')
        {
            var field = new StringBuilder();
            int opened = line;
            for (at++; ; at++)
            {
                if (at >= text.Length)
                    throw new DataFormatException($"{format}: {name}: the quote opened in line {opened} is never closed. Fetch it again.");
                if (text[at] == '"')
                {
                    if (at + 1 >= text.Length || text[at + 1] != '"')
                        break;
                    at++;
                }
                else if (text[at] == '\n')
                    line++;
                field.Append(text[at]);
            }
            at++;
            fields.Add(field.ToString());
        }
        else
        {
            int end = text.AsSpan(at).IndexOfAny(',', '\n', '"');
            end = end < 0 ? text.Length : at + end;
            fields.Add(text[at..end].TrimEnd('\r'));
            at = end;
        }
        if (at < text.Length && text[at] == '\r')
            at++;
        if (at >= text.Length)
            return (at, line, false);
        return text[at] switch
        {
            ',' => (at + 1, line, true),
            '\n' => (at + 1, line + 1, false),
            _ => throw new DataFormatException($"{format}: {name}: line {line} has '{text[at]}' where a field has ended; a comma or the end of the line is wanted. "
                + "Fetch it again."),
        };
    }
}

using System.Text;

namespace Native.Benchmarks;

/// <summary>A table on its way out: to the console, CSV, Markdown or LaTeX. A heading that ends in '>' is of numbers, aligned right.</summary>
internal sealed record ReportTable(IReadOnlyList<string> Headings, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    /// <summary>To the console.</summary>
    public void Print(Ui ui) => ui.Table(Headings, Rows);

    /// <summary>RFC 4180: quoted where a comma, quote or line break asks for it, lines end in CR LF.</summary>
    public string Csv()
    {
        var text = new StringBuilder();
        foreach (var row in Rows.Prepend([.. Headings.Select(Name)]))
            text.AppendJoin(',', row.Select(CsvField)).Append("\r\n");
        return text.ToString();
    }

    /// <summary>A GitHub table.</summary>
    public string Markdown()
    {
        var text = new StringBuilder();
        text.Append("| ").AppendJoin(" | ", Headings.Select(h => MarkdownCell(Name(h)))).Append(" |\n");
        text.Append("| ").AppendJoin(" | ", Headings.Select(h => IsNumber(h) ? "---:" : "---")).Append(" |\n");
        foreach (var row in Rows)
            text.Append("| ").AppendJoin(" | ", row.Select(MarkdownCell)).Append(" |\n");
        return text.ToString();
    }

    /// <summary>A booktabs table.</summary>
    public string Latex(string caption)
    {
        var text = new StringBuilder("\\begin{table}\n\\centering\n");
        text.Append("\\begin{tabular}{").Append(string.Concat(Headings.Select(h => IsNumber(h) ? 'r' : 'l'))).Append("}\n\\toprule\n");
        text.AppendJoin(" & ", Headings.Select(h => LatexText(Name(h)))).Append(" \\\\\n\\midrule\n");
        foreach (var row in Rows)
            text.AppendJoin(" & ", row.Select(LatexText)).Append(" \\\\\n");
        return text.Append("\\bottomrule\n\\end{tabular}\n\\caption{").Append(LatexText(caption)).Append("}\n\\end{table}\n").ToString();
    }

    private static string Name(string heading) => heading.TrimEnd('>');

    private static bool IsNumber(string heading) => heading.EndsWith('>');

    private static string CsvField(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") >= 0 ? $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : field;

    private static string MarkdownCell(string cell) =>
        cell.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static string LatexText(string text)
    {
        var escaped = new StringBuilder();
        foreach (char c in text)
            escaped.Append(c switch
            {
                '\\' => "\\textbackslash{}",
                '~' => "\\textasciitilde{}",
                '^' => "\\textasciicircum{}",
                '<' => "\\textless{}",
                '>' => "\\textgreater{}",
                '±' => "$\\pm$",
                '†' => "$\\dagger$",
                '&' or '%' or '$' or '#' or '_' or '{' or '}' => $"\\{c}",
                '\r' or '\n' => " ",
                _ => c.ToString(),
            });
        return escaped.ToString();
    }
}

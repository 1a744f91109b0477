using Spectre.Console;

namespace Native.Benchmarks;

/// <summary>
/// Where a command writes. Results go to the output; a status line that rewrites itself goes to the error stream, and only when that is a
/// terminal. A pipe or a file gets plain lines without colours or box characters.
/// </summary>
internal sealed class Ui
{
    private readonly IAnsiConsole? _console;       // null: plain text
    private readonly bool _status;
    private int _statusWidth;

    public Ui(TextWriter output, TextWriter error, CancellationToken cancel)
    {
        (Output, Error, Cancel) = (output, error, cancel);
        bool terminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        _status = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;
        _console = terminal ? AnsiConsole.Create(new AnsiConsoleSettings { Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(output) }) : null;
    }

    public TextWriter Output { get; }

    public TextWriter Error { get; }

    /// <summary>Set when Ctrl-C was pressed.</summary>
    public CancellationToken Cancel { get; }

    /// <summary>One line of results.</summary>
    public void Line(string text = "")
    {
        EndStatus();
        Output.WriteLine(text);
    }

    /// <summary>A table; every cell is plain text. Columns whose heading ends in '>' are right-aligned.</summary>
    public void Table(IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        EndStatus();
        if (_console is null)
        {
            PlainTable(headings, [.. rows]);
            return;
        }
        var table = new Table().Border(TableBorder.Simple);
        foreach (string heading in headings)
        {
            var column = new TableColumn(Markup.Escape(heading.TrimEnd('>')));
            table.AddColumn(heading.EndsWith('>') ? column.RightAligned() : column);
        }
        foreach (var row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        _console.Write(table);
    }

    // Columns of spaces, one line per row however long, nothing behind the last cell: for pipes, files and diff.
    private void PlainTable(IReadOnlyList<string> headings, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. headings.Select((h, i) => Math.Max(h.TrimEnd('>').Length, rows.Count == 0 ? 0 : rows.Max(r => r[i].Length)))];
        string line(Func<int, string> cell) => string.Join("  ", headings.Select((h, i) =>
            h.EndsWith('>') ? cell(i).PadLeft(widths[i]) : cell(i).PadRight(widths[i]))).TrimEnd();
        Output.WriteLine(line(i => headings[i].TrimEnd('>')));
        Output.WriteLine(line(i => new string('-', widths[i])));
        foreach (var row in rows)
            Output.WriteLine(line(i => row[i]));
        Output.WriteLine();
    }

    /// <summary>Rewrites the status line, on a terminal only.</summary>
    public void Status(string text)
    {
        if (!_status)
            return;
        Error.Write("\r" + text.PadRight(_statusWidth));
        _statusWidth = text.Length;
    }

    /// <summary>Clears the status line.</summary>
    public void EndStatus()
    {
        if (_statusWidth == 0)
            return;
        Error.Write("\r" + new string(' ', _statusWidth) + "\r");
        _statusWidth = 0;
    }
}

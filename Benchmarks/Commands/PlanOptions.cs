using System.CommandLine;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>What <c>suite</c> and <c>reproduce</c> take: which cells, how many at once, where they are kept.</summary>
internal sealed class PlanOptions
{
    private readonly Option<string> _preset;
    private readonly Option<string?> _only = new("--only")
    { Description = "Only these methods, streams, tables or rows: names separated by commas, * for any characters. A row as it is printed is that row alone.", HelpName = "NAMES" };

    private readonly Option<int?> _seeds = new("--seeds") { Description = "Seeds 0 to N-1 (default: 2 of quick, 5 of paper).", HelpName = "N" };

    private readonly Option<int> _jobs = new("--jobs") { Description = "Cells run at once in this process.", HelpName = "N", DefaultValueFactory = _ => 1 };

    private readonly Option<string> _folder;

    private readonly Option<int?> _index = new("--index")
    { Description = "Run only the cell of this number in the plan, from 0: for job arrays. Any number of processes may share --out.", HelpName = "N" };

    private readonly Option<string> _every = new("--checkpoint-every")
    { Description = "Save the state of running cells this often: 30s, 5m, or a number of steps.", HelpName = "T", DefaultValueFactory = _ => "30s" };

    private readonly Option<bool> _retry = new("--retry") { Description = "Try failed cells again." };

    private readonly Option<string?> _data = DataCommand.FolderOption();

    private readonly ParseResult? _parse;

    public PlanOptions(Preset preset, string folder)
    {
        _preset = new Option<string>("--preset")
        { Description = "quick (seconds per cell, no downloads) or paper (the published sizes).", HelpName = "NAME", DefaultValueFactory = _ => Name(preset) };
        _folder = new Option<string>("--out") { Description = "Folder of cells and reports.", HelpName = "DIR", DefaultValueFactory = _ => folder };
    }

    private PlanOptions(PlanOptions options, ParseResult parse)
    {
        (_preset, _only, _seeds, _jobs, _folder, _index, _every, _retry, _data, _parse) =
            (options._preset, options._only, options._seeds, options._jobs, options._folder, options._index, options._every, options._retry, options._data, parse);
        if (Jobs is < 1 or > 1024)
            throw new UsageException($"jobs: {Jobs} cells at once is no number of jobs. Give 1 to 1024.");
        if (Seeds is < 1 or > 10_000)
            throw new UsageException($"seeds: {Seeds} is no number of seeds. Give 1 to 10000.");
    }

    public Preset Preset => Parse(_parse!.GetRequiredValue(_preset));

    public Filter? Only => _parse!.GetValue(_only) is { } text ? new Filter(text) : null;

    public int Seeds => _parse!.GetValue(_seeds) ?? (Preset == Preset.Quick ? 2 : 5);

    public int Jobs => _parse!.GetValue(_jobs);

    public string Folder => _parse!.GetRequiredValue(_folder);

    public int? Index => _parse!.GetValue(_index);

    public DataFolder Data => DataFolder.From(_parse!.GetValue(_data));

    public CellOptions Cells
    {
        get
        {
            var (every, steps) = RunCheckpoint.ParseInterval(_parse!.GetRequiredValue(_every));
            return new CellOptions(Data, every, steps, Jobs, _parse!.GetValue(_retry));
        }
    }

    /// <summary>Adds the options to a verb.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _preset, _only, _seeds, _jobs, _folder, _index, _every, _retry, _data })
            command.Add(option);
    }

    /// <summary>The values of a command line.</summary>
    public PlanOptions Of(ParseResult parse) => new(this, parse);

    /// <summary>The one cell that <c>--index</c> names, or the whole plan.</summary>
    public IReadOnlyList<Cell> Part(IReadOnlyList<Cell> plan) => Index is not { } i ? plan
        : i >= 0 && i < plan.Count ? [plan[i]]
        : throw new UsageException($"index: the plan has {plan.Count} cells, counted from 0; got {i}.");

    /// <summary>As typed.</summary>
    public static string Name(Preset preset) => preset == Preset.Quick ? "quick" : "paper";

    private static Preset Parse(string name) => name switch
    {
        "quick" => Preset.Quick,
        "paper" => Preset.Paper,
        _ => throw Unknown.Name("preset", name, ["quick", "paper"]),
    };
}

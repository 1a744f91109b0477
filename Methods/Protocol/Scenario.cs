namespace Native.Methods;

/// <summary>
/// What a method is told at test time and which outputs it chooses from (van de Ven and Tolias, "Three scenarios for continual
/// learning", 2019). The same method differs by tens of points between them, so every number names its scenario.
/// </summary>
public enum Scenario
{
    /// <summary>The task is given: only the outputs of its classes compete.</summary>
    TaskIncremental,

    /// <summary>The task is not given and not asked for: all tasks share the same few outputs (on split digits: the place in the pair, which for {0,1}, {2,3}, ... is the digit's parity).</summary>
    DomainIncremental,

    /// <summary>The task is not given: all classes seen compete in one head.</summary>
    ClassIncremental,
}

/// <summary>The printed and parsed names.</summary>
public static class Scenarios
{
    /// <summary>Names accepted on the command line.</summary>
    public static IReadOnlyList<string> Names { get; } = ["class", "task", "domain"];

    /// <summary>The short name: <c>class</c>, <c>task</c> or <c>domain</c>.</summary>
    public static string Name(this Scenario scenario) => scenario switch
    {
        Scenario.TaskIncremental => "task",
        Scenario.DomainIncremental => "domain",
        _ => "class",
    };

    /// <summary>The scenario of a short name; <see cref="UsageException"/> with the nearest one for any other text.</summary>
    public static Scenario Parse(string name) => name switch
    {
        "task" => Scenario.TaskIncremental,
        "domain" => Scenario.DomainIncremental,
        "class" => Scenario.ClassIncremental,
        _ => throw Unknown.Name("scenario", name, Names),
    };
}

/// <summary>The sentence for a name that is not in a list.</summary>
internal static class Unknown
{
    public static UsageException Name(string what, string given, IReadOnlyCollection<string> known)
    {
        string meant = Nearest.Of(given, known) is { } near ? $" Did you mean '{near}'?" : "";
        return new UsageException($"{what}: '{given}' is not known; there are {string.Join(", ", known)}.{meant}");
    }
}

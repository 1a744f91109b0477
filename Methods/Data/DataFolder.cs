namespace Native.Methods;

/// <summary>
/// The one folder that real data are looked for in: the <c>--data DIR</c> of the command line, else the environment variable
/// <c>NATIVE_DATA</c>. Nothing is searched for elsewhere, and nothing is fetched but by <c>native data get</c>.
/// </summary>
public sealed class DataFolder
{
    /// <summary>The environment variable.</summary>
    public const string Variable = "NATIVE_DATA";

    private readonly string _origin;

    private DataFolder(string? root, string origin) => (Root, _origin) = (root, origin);

    /// <summary>The folder; null when none was given.</summary>
    public string? Root { get; }

    /// <summary>Takes the option's value, or the variable's; <see cref="UsageException"/> when the folder named does not exist.</summary>
    public static DataFolder From(string? option) => From(option, Environment.GetEnvironmentVariable(Variable));

    internal static DataFolder From(string? option, string? variable)
    {
        var (root, origin) = !string.IsNullOrEmpty(option) ? (option, "--data")
            : !string.IsNullOrEmpty(variable) ? (variable, Variable)
            : (null, "");
        if (root is not null && !Directory.Exists(root))
            throw new UsageException($"data: {root} is not a folder; {origin} names it. Correct the path.");
        return new DataFolder(root, origin);
    }

    /// <summary>The first of some paths below the folder that exists as a file or folder; null when none does.</summary>
    public string? Find(params ReadOnlySpan<string> relative)
    {
        foreach (string path in relative)
            if (Root is not null && Path.Exists(Path.Combine(Root, path)))
                return Path.Combine(Root, path);
        return null;
    }

    /// <summary>The same, or a <see cref="UsageException"/> that says where <paramref name="what"/> was looked for.</summary>
    public string Require(string what, params ReadOnlySpan<string> relative)
    {
        if (Find(relative) is { } path)
            return path;
        if (Root is null)
            throw new UsageException($"data: {what} is needed and no data folder is given. Pass --data DIR or set {Variable}=DIR, "
                + $"with {Join(relative, "")} below it.");
        throw new UsageException($"data: {what} is not there; looked for {Join(relative, Root)}, since {_origin} says so. "
            + "Put the files there or name another folder.");
    }

    private static string Join(ReadOnlySpan<string> relative, string root)
    {
        var paths = new List<string>();
        foreach (string path in relative)
            paths.Add(Path.Combine(root, path));
        return string.Join(" or ", paths);
    }
}

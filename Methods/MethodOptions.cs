using System.Globalization;
using System.Reflection;

namespace Native.Methods;

/// <summary>What a user may set on the command line; what is left out keeps the method's own default, whose provenance its Options record states.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Capacity">Images in a replay memory.</param>
/// <param name="Options">Any option by name (<c>--set name=value</c>); names as in JSON, where case and hyphens do not matter.</param>
/// <param name="Stream">The stream, for methods whose paper has other values for other data; null for the paper's first data set.</param>
public sealed record MethodSettings(
    double? LearningRate = null, int? Capacity = null, IReadOnlyDictionary<string, string>? Options = null, string? Stream = null)
{
    /// <summary>The data set of the papers that the stream is made of.</summary>
    public PaperData Data => Stream switch
    {
        { } s when s.Contains("cifar", StringComparison.OrdinalIgnoreCase) => PaperData.Cifar10,
        { } s when s.Contains("miniimagenet", StringComparison.OrdinalIgnoreCase) => PaperData.MiniImageNet,
        _ => PaperData.Mnist,
    };
}

/// <summary>The data sets of Automatic Recall Machines, which has a column of hyper-parameters for each (table 6).</summary>
public enum PaperData
{
    /// <summary>MNIST-5k-5, and every stream that is none of the others.</summary>
    Mnist,

    /// <summary>CIFAR10-5.</summary>
    Cifar10,

    /// <summary>MiniImageNet-20.</summary>
    MiniImageNet,
}

/// <summary>Settings of a method: a record whose values end up in every result.</summary>
public interface IMethodOptions
{
    /// <summary>Refuses what the method cannot run with.</summary>
    /// <param name="method">Its name, for the message.</param>
    /// <exception cref="UsageException">A value is out of range.</exception>
    void Validate(string method);
}

/// <summary>Checks of numbers by name; NaN fails them all.</summary>
internal static class OptionRange
{
    public static void Positive(string method, params ReadOnlySpan<(string Name, double Value)> options) => Check(method, options, v => v > 0, "a positive number");

    public static void NotNegative(string method, params ReadOnlySpan<(string Name, double Value)> options) => Check(method, options, v => v >= 0, "a number of 0 or more");

    public static void Finite(string method, params ReadOnlySpan<(string Name, double Value)> options) => Check(method, options, _ => true, "a finite number");

    /// <summary>A share of 0 up to 1, 1 not included.</summary>
    public static void Share(string method, params ReadOnlySpan<(string Name, double Value)> options) => Check(method, options, v => v is >= 0 and < 1, "from 0 up to 1");

    private static void Check(string method, ReadOnlySpan<(string Name, double Value)> options, Func<double, bool> good, string what)
    {
        foreach (var (name, value) in options)
            if (!double.IsFinite(value) || !good(value))
                throw new UsageException($"{method}: {MethodOptions.Spelling(name)} = {value.ToString(CultureInfo.InvariantCulture)} is not {what}.");
    }
}

/// <summary>Options by name: the command line's words onto a record's properties.</summary>
public static class MethodOptions
{
    /// <summary>
    /// The defaults with what the settings change, checked. The options are the record's constructor parameters.
    /// </summary>
    /// <exception cref="UsageException">A name that the record lacks (the nearest is suggested), a value that is none, or one out of range.</exception>
    public static T Apply<T>(string method, T defaults, MethodSettings settings) where T : IMethodOptions
    {
        var constructor = typeof(T).GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        var parameters = constructor.GetParameters();
        var values = Array.ConvertAll(parameters, p => typeof(T).GetProperty(p.Name!)!.GetValue(defaults));
        if (settings.Capacity is { } capacity)
            Set("Capacity", capacity, $"{method}: it keeps no images, so a memory of {capacity} means nothing. Leave --buffer out.");
        if (settings.LearningRate is { } rate)
            Set("LearningRate", rate, $"{method}: it has no learning rate of its own. Leave --lr out.");
        foreach (var (name, text) in settings.Options ?? new Dictionary<string, string>())
        {
            int at = Array.FindIndex(parameters, p => Key(p.Name!) == Key(name));
            if (at < 0)
                throw Unknown.Name($"{method}: option", name, [.. parameters.Select(p => Spelling(p.Name!))]);
            values[at] = Parse(method, parameters[at], text);
        }
        var options = (T)constructor.Invoke(values);
        options.Validate(method);
        return options;

        void Set(string name, object value, string otherwise)
        {
            int at = Array.FindIndex(parameters, p => p.Name == name);
            if (at < 0)
                throw new UsageException(otherwise);
            values[at] = value;
        }
    }

    /// <summary>The pair of <c>name=value</c>.</summary>
    /// <exception cref="UsageException">There is no equals sign, or nothing before it.</exception>
    public static KeyValuePair<string, string> Pair(string text)
    {
        int at = text.IndexOf('=', StringComparison.Ordinal);
        return at > 0 ? KeyValuePair.Create(text[..at].Trim(), text[(at + 1)..].Trim())
            : throw new UsageException($"set: '{text}' is not name=value. Write for example --set steps=20.");
    }

    /// <summary>A property's name as in JSON.</summary>
    internal static string Spelling(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    private static string Key(string name) => name.Replace("-", "", StringComparison.Ordinal).ToUpperInvariant();

    private static object? Parse(string method, ParameterInfo parameter, string text)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType);
        bool optional = type is not null;
        type ??= parameter.ParameterType;
        if (optional && text.Equals("none", StringComparison.OrdinalIgnoreCase))
            return null;
        if (type.IsEnum)
            return Enum.GetNames(type).FirstOrDefault(n => Key(n) == Key(text)) is { } known ? Enum.Parse(type, known)
                : throw Unknown.Name($"{method}: {Spelling(parameter.Name!)}", text, [.. Enum.GetNames(type).Select(Spelling)]);
        object? value = type == typeof(double) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) ? d
            : type == typeof(int) && int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out int i) ? i
            : type == typeof(bool) && bool.TryParse(text, out bool b) ? b
            : type == typeof(string) ? text
            : null;
        return value ?? throw new UsageException($"{method}: {Spelling(parameter.Name!)} is {Kind(type)}{(optional ? " or none" : "")}; got '{text}'.");
    }

    private static string Kind(Type type) => type == typeof(int) ? "a whole number" : type == typeof(bool) ? "true or false" : "a number";
}

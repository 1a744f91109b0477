using System.Text;

namespace Native.Methods;

/// <summary>Labelled items at rest: <see cref="ImageSet"/> or <see cref="TextSet"/>. Items are numbered from 0 and lie in flat arrays.</summary>
public abstract record ItemSet
{
    /// <summary>For tables, for example <c>mnist test</c>.</summary>
    public abstract string Name { get; init; }

    /// <summary>One class per item, from 0.</summary>
    public abstract int[] Labels { get; init; }

    /// <summary>N.</summary>
    public abstract int Count { get; init; }

    /// <summary>Where the data come from, in words: official files, unofficial files, or drawn by the program.</summary>
    public abstract string Provenance { get; init; }

    /// <summary>The first <paramref name="count"/> items, under a name that says so; the set itself when it has no more.</summary>
    public abstract ItemSet Part(int count);

    private protected string PartName(int count) => $"{Name} (the first {count} of {Count})";
}

/// <summary>Labelled texts at rest, as UTF-8 in one array.</summary>
/// <param name="Name">For tables, for example <c>ag-news test</c>.</param>
/// <param name="Utf8">All texts, one after the other.</param>
/// <param name="Starts">Where each text begins in <paramref name="Utf8"/>, and at the end where the last one ends: N + 1 numbers.</param>
/// <param name="Labels">One class per text.</param>
/// <param name="Provenance">Where they come from.</param>
public sealed record TextSet(string Name, byte[] Utf8, int[] Starts, int[] Labels, string Provenance) : ItemSet
{
    /// <inheritdoc/>
    public override string Name { get; init; } = Name;

    /// <inheritdoc/>
    public override int[] Labels { get; init; } = Labels;

    /// <inheritdoc/>
    public override string Provenance { get; init; } = Provenance;

    /// <inheritdoc/>
    public override int Count { get; init; } = Starts.Length - 1 == Labels.Length
        ? Labels.Length
        : throw new UsageException($"text set: {Name} has {Labels.Length} labels and {Starts.Length} starts; N labels go with N + 1 starts.");

    /// <summary>A set of texts, encoded.</summary>
    public static TextSet From(string name, IReadOnlyList<string> texts, int[] labels, string provenance)
    {
        var starts = new int[texts.Count + 1];
        long total = 0;
        for (int i = 0; i < texts.Count; i++)
        {
            if ((total += Encoding.UTF8.GetByteCount(texts[i])) > Array.MaxLength)
                throw new UsageException($"text set: {name} takes more than {Array.MaxLength} bytes. Split it.");
            starts[i + 1] = (int)total;
        }
        var utf8 = new byte[total];
        for (int i = 0; i < texts.Count; i++)
            Encoding.UTF8.GetBytes(texts[i], utf8.AsSpan(starts[i]));
        return new TextSet(name, utf8, starts, labels, provenance);
    }

    /// <summary>The bytes of a text.</summary>
    public ReadOnlySpan<byte> Bytes(int index) => Utf8.AsSpan(Starts[index]..Starts[index + 1]);

    /// <summary>A text.</summary>
    public string Text(int index) => Encoding.UTF8.GetString(Bytes(index));

    /// <inheritdoc/>
    public override TextSet Part(int count) => count >= Count ? this : new TextSet(
        PartName(count), Utf8[..Starts[count]], Starts[..(count + 1)], Labels[..count], Provenance);
}

using System.Runtime.CompilerServices;

namespace Native.Methods;

/// <summary>
/// The words that a network of texts knows, by number: 0 fills up, 1 stands for every unknown word, and the others follow from the most frequent on. Words are runs of two
/// or more letters and digits in lower case; words that say nothing of a topic are left out (MyGO's released code: scikit-learn's CountVectorizer with 10,000 features
/// and English stop words).
/// </summary>
public sealed class Vocabulary
{
    /// <summary>What a shorter text of a batch is filled up with; no word.</summary>
    public const int Padding = 0;

    /// <summary>Every word that is not in the vocabulary, and a text without any word.</summary>
    public const int Unknown = 1;

    /// <summary>Words at most, the two numbers above not counted.</summary>
    public const int Most = 10_000;

    private const int First = 2;

    // Data at rest is one object for as long as it is used, and so are its numbers.
    private static readonly ConditionalWeakTable<TextSet, Vocabulary> Known = [];

    // The second key is the set that is numbered.
    private readonly ConditionalWeakTable<TextSet, ReadOnlyMemory<int>[]> _numbered = [];
    private readonly Dictionary<string, int> _number = new(StringComparer.Ordinal);

    /// <summary>The most frequent words of some texts; of equally frequent ones the first in the alphabet.</summary>
    public Vocabulary(IEnumerable<string> texts, int most = Most)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string text in texts)
            foreach (string word in Split(text))
                counts[word] = counts.GetValueOrDefault(word) + 1;
        Words = [.. counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Take(most).Select(c => c.Key)];
        for (int i = 0; i < Words.Count; i++)
            _number.Add(Words[i], First + i);
    }

    /// <summary>The words, from number 2 on.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <summary>Rows of a table with one for each number.</summary>
    public int Rows => First + Words.Count;

    /// <summary>The vocabulary of a set, made once.</summary>
    public static Vocabulary Of(TextSet set) => Known.GetValue(set, s => new Vocabulary(Enumerable.Range(0, s.Count).Select(s.Text)));

    /// <summary>The numbers of a text's words, in order; <see cref="Unknown"/> alone for a text without any word.</summary>
    public int[] Number(string text)
    {
        int[] numbers = [.. Split(text).Select(w => _number.GetValueOrDefault(w, Unknown))];
        return numbers.Length > 0 ? numbers : [Unknown];
    }

    /// <summary>The numbers of every text of a set, made once.</summary>
    public ReadOnlyMemory<int>[] Number(TextSet set) => _numbered.GetValue(set, s =>
    {
        var all = new ReadOnlyMemory<int>[s.Count];
        Parallel.For(0, all.Length, i => all[i] = Number(s.Text(i)));
        return all;
    });

    /// <summary>The words of a text in lower case, without stop words.</summary>
    public static IEnumerable<string> Split(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int start = at;
            while (at < text.Length && char.IsLetterOrDigit(text[at]))
                at++;
            if (at - start >= 2 && text[start..at].ToLowerInvariant() is var word && !StopWords.Contains(word))
                yield return word;
            if (at == start)
                at++;
        }
    }

    // English words that hold a sentence together: articles, pronouns, prepositions, conjunctions, auxiliaries and the adverbs that go with everything.
    private static readonly HashSet<string> StopWords = new(("""
        an the this that these those such same other another each every either neither both all any some no none nor not only own several many much more most few less least
        he she it its itself they them their theirs themselves him his himself her hers herself we us our ours ourselves you your yours yourself yourselves my mine me myself
        who whom whose which what whatever whoever someone something anyone anything everyone everything nobody nothing one
        am is are was were be been being have has had having do does did doing done can cannot could may might must shall should will would ought
        at by for from in into of off on onto out over to up down under with within without about above across after again against along among amongst around as
        before behind below beneath beside besides between beyond during except inside near outside past since through throughout till toward towards until upon via
        and but or so yet if then than because though although while whereas whether unless else hence thus therefore however moreover nevertheless otherwise
        here there where when why how now ever never always often sometimes already also too very just even still once twice perhaps rather quite almost enough
        """).Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries), StringComparer.Ordinal);
}

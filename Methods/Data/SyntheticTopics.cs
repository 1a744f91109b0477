using System.Text;

namespace Native.Methods;

/// <summary>
/// Four topics of invented text, written by the program: the twin of AG News where there are no data. Each topic prefers 150 words of its own;
/// most words of a document are common to all topics, and neighbouring topics share some of theirs, so that single words do not decide. Words
/// are drawn by rank (Zipf). Document <c>i</c> depends on the seed and <c>i</c> alone.
/// </summary>
public static class SyntheticTopics
{
    private const int Topics = 4, Common = 600, PerTopic = 150, Shortest = 12, Longest = 40;

    private static readonly string[] Onsets = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st", "tr", "pl"];
    private static readonly string[] Vowels = ["a", "e", "i", "o", "u", "ai", "ou"];

    /// <summary>Writes a training and a test set. Any four texts from a multiple of four on are one of each topic, in random order.</summary>
    public static (TextSet Train, TextSet Test) Make(Generator rng, int train = 4_000, int test = 1_000) =>
        (MakeSet(rng.Stream("topics/train"), "topics train", train), MakeSet(rng.Stream("topics/test"), "topics test", test));

    private static TextSet MakeSet(Generator rng, string name, int count)
    {
        if (count < 0 || count > Array.MaxLength / (12 * Longest))
            throw new UsageException($"topics: a set has from 0 to {Array.MaxLength / (12 * Longest)} texts; got {count}. Ask for fewer.");
        var texts = new string[count];
        var labels = new int[count];
        Parallel.For(0, count, i => (texts[i], labels[i]) = Write(rng.Seed, i));
        return TextSet.From(name, texts, labels, $"written by the program (seed {rng.Seed:x16})");
    }

    private static (string Text, int Topic) Write(ulong seed, int index)
    {
        var topics = new Generator(seed) { State = (seed, (ulong)(index / Topics) << 10) };
        var rng = new Generator(seed) { State = (seed, (1UL << 60) + ((ulong)index << 20)) };
        int topic = (int)topics.Permutation(Topics)[index % Topics];
        var text = new StringBuilder();
        for (int n = Shortest + (int)rng.NextInt64(Longest - Shortest + 1); n > 0; n--)
        {
            double kind = rng.NextDouble();
            // 70% common words, 22% the topic's own, 8% of the next topic's.
            int word = kind < 0.7 ? Rank(rng, Common)
                : Common + (kind < 0.92 ? topic : (topic + 1) % Topics) * PerTopic + Rank(rng, PerTopic);
            text.Append(text.Length == 0 ? "" : " ").Append(Word(word));
        }
        return (text.ToString(), topic);
    }

    // Zipf's law by inverting its continuous form: the probability of rank r falls as 1/r.
    private static int Rank(Generator rng, int words) => Math.Min(words - 1, (int)(Math.Pow(words + 1, rng.NextDouble()) - 1));

    /// <summary>Two syllables; different for every number below (18 x 7)^2.</summary>
    private static string Word(int number)
    {
        int syllables = Onsets.Length * Vowels.Length, first = number % syllables, second = number / syllables * 41 % syllables;
        return Syllable(first) + Syllable(second);
    }

    private static string Syllable(int number) => Onsets[number % Onsets.Length] + Vowels[number / Onsets.Length];
}

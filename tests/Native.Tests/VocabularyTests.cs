using Native.Methods;

namespace Native.Tests;

/// <summary>Texts as numbers of words: splitting, counting, what is unknown, and batches of unequal lengths.</summary>
[Trait("Category", "Cpu")]
public sealed class VocabularyTests
{
    [Theory]
    [InlineData("Oil prices SOAR, again: $50 a barrel", "oil prices soar 50 barrel")]
    [InlineData("the and of a I", "")]
    [InlineData("", "")]
    [InlineData("... -- ?!", "")]
    [InlineData("Zürich's café", "zürich café")]
    [InlineData("x yy zzz", "yy zzz")]
    public void Words_are_runs_of_two_or_more_letters_without_stop_words(string text, string words) => Assert.Equal(words, string.Join(' ', Vocabulary.Split(text)));

    [Fact]
    public void The_most_frequent_words_are_numbered_and_the_rest_is_unknown()
    {
        var words = new Vocabulary(["cat dog cat", "emu dog cat bee"], most: 3);
        // Of equals the first in the alphabet.
        Assert.Equal(["cat", "dog", "bee"], words.Words);
        Assert.Equal(5, words.Rows);
        Assert.Equal([2, 3, 1, 4], words.Number("Cat, dog! emu bee"));
        // No known word, no word at all, an empty text: one unknown word, never an empty bag.
        Assert.Equal([1, 1], words.Number("yak gnu"));
        Assert.Equal([1], words.Number("?"));
        Assert.Equal([1], words.Number(""));
    }

    private static TaskStream Stream(params string[] texts)
    {
        var set = TextSet.From("texts", texts, [.. texts.Select((_, i) => i % 4)], "made by the test");
        return new TaskStream(new StreamPlan("texts", set, set, [[0, 1], [2, 3]]), Scenario.TaskIncremental);
    }

    [Fact]
    public void A_batch_is_filled_up_to_its_longest_text_and_filling_changes_no_answer()
    {
        using var scope = TensorScope.Begin();
        var stream = Stream("cat dog emu", "cat", "bee", "yak cat dog emu bee");
        var batch = stream.BatchOf(stream.TrainItems, [1, 0, 3]);
        long[] x = batch.X.ToArray<long>();
        Assert.Equal([3L, 5L], batch.X.Shape.ToArray());
        Assert.Equal([2L, 0, 0, 0, 0], x[..5]);
        Assert.Equal(0, x[8]);
        Assert.DoesNotContain(0L, x[10..]);
        Assert.Equal((1, 0), (batch.Targets[0], batch.Targets[1]));
        using var net = new NeocortexNet(stream, new Generator(1), 8);
        float[] together = net.Forward(batch.X).ToArray<float>(), alone = net.Forward(stream.BatchOf(stream.TrainItems, [1]).X).ToArray<float>();
        Assert.Equal(alone, together[..4]);
        // And the mean is a mean: a text of one word has that word's row.
        var table = net.NamedParameters().First(p => p.Name == "table.weight").Value.ToArray<float>();
        Assert.Equal(table[(2 * 128)..(3 * 128)], net.Encode(batch.X).ToArray<float>()[..128]);
        Assert.All(table[..128], v => Assert.Equal(0, v));
    }

    [Fact]
    public void Rows_that_are_held_stay_and_others_learn()
    {
        using var scope = TensorScope.Begin();
        var stream = Stream("cat dog", "emu cat", "bee", "yak");
        using var net = new NeocortexNet(stream, new Generator(1), 8);
        var table = net.NamedParameters().First(p => p.Name == "table.weight").Value;
        net.HoldRows([0, 0, 1]);
        float[] before = table.ToArray<float>();
        using var adam = new Optim.Adam(net.Parameters(), 0.1);
        var batch = stream.BatchOf(stream.TrainItems, [0, 1]);
        for (int i = 0; i < 3; i++)
            adam.Minimize(batch.Loss(net.Forward(batch.X)));
        float[] after = table.ToArray<float>();
        bool Moved(int row) => !before.AsSpan(row * 128, 128).SequenceEqual(after.AsSpan(row * 128, 128));
        int[] used = [.. stream.Words(stream.TrainItems, 0).ToArray(), .. stream.Words(stream.TrainItems, 1).ToArray()];
        Assert.False(Moved(0));
        Assert.False(Moved(2));
        Assert.Contains(2, used);
        Assert.All(used.Where(w => w != 2), w => Assert.True(Moved(w)));
    }
}

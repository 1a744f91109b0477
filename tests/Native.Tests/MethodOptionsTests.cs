using Native.Methods;

namespace Native.Tests;

/// <summary>Options by name, and what each method refuses.</summary>
public sealed class MethodOptionsTests
{
    private static object Configure(string method, params string[] set) =>
        MethodTable.Find(method).Configure(new MethodSettings(Options: set.Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal)));

    private static string Refusal(Action action) => Assert.Throws<UsageException>(action).Message;

    [Fact]
    public void Every_kind_of_option_is_set_by_its_name()
    {
        var o = (ArmOptions)Configure("arm", "steps=20", "diversity=0.5", "fromNoise=true", "again=accumulate", "lag=3", "recall-norm=EVAL", "RecallFrom=none");
        Assert.Equal(new ArmOptions(Steps: 20, Diversity: 0.5, FromNoise: true, Again: RecallAgain.Accumulate, Lag: 3, RecallNorm: RecallNorm.Eval), o);
        Assert.Equal(new ArmOptions(), Configure("arm"));
        Assert.Equal(0.25, ((NaiveOptions)MethodTable.Find("naive").Configure(new MethodSettings(LearningRate: 0.25))).LearningRate);
        Assert.Equal(7, ((ErOptions)MethodTable.Find("er").Configure(new MethodSettings(Capacity: 7))).Capacity);
    }

    [Fact]
    public void A_stream_of_the_paper_brings_its_own_column_of_table_6()
    {
        object on(string method, string stream) => MethodTable.Find(method).Configure(new MethodSettings(Stream: stream));
        Assert.Equal(new ArmOptions(LearningRate: 0.01, PixelRate: 10, Recalled: 100), on("arm", "cifar10-5"));
        Assert.Equal(new ArmOptions(LearningRate: 0.01, PixelRate: 10, Recalled: 100, RealWeight: 2, Diversity: 1, Sharpness: 1), on("arm", "miniimagenet-20"));
        Assert.Equal(new ArmOptions(), on("arm", "mnist-5k-5"));
        Assert.Equal(1, ((AdiOptions)on("adi", "cifar10-5")).RealWeight);
        Assert.Equal(0.1, ((NaiveOptions)on("naive", "cifar10-5")).LearningRate);
        Assert.False(((ErMirOptions)on("er-mir", "cifar10-5")).CompareToBest);
        Assert.Equal(new JointOptions(0.05, LinearDecay: false), on("stationary", "mnist-5k-5"));
    }

    [Fact]
    public void Names_and_values_that_are_none_get_a_sentence()
    {
        Assert.Contains("arm: option: 'diversty' is not known", Refusal(() => Configure("arm", "diversty=1")));
        Assert.EndsWith("Did you mean 'diversity'?", Refusal(() => Configure("arm", "diversty=1")));
        Assert.Equal("arm: steps is a whole number; got 'ten'.", Refusal(() => Configure("arm", "steps=ten")));
        Assert.Equal("arm: lag is a whole number or none; got 'never'.", Refusal(() => Configure("arm", "lag=never")));
        Assert.Equal("arm: fromNoise is true or false; got '1'.", Refusal(() => Configure("arm", "fromNoise=1")));
        Assert.Contains("arm: again: 'pile' is not known; there are restart, continue, accumulate.", Refusal(() => Configure("arm", "again=pile")));
        Assert.Equal("set: 'steps' is not name=value. Write for example --set steps=20.", Refusal(() => MethodOptions.Pair("steps")));
        Assert.Equal("naive: it keeps no images, so a memory of 5 means nothing. Leave --buffer out.",
            Refusal(() => MethodTable.Find("naive").Configure(new MethodSettings(Capacity: 5))));
    }

    [Theory]
    [InlineData("arm", "learningRate=0")]
    [InlineData("arm", "learningRate=NaN")]
    [InlineData("arm", "recalled=0")]
    [InlineData("arm", "lag=0")]
    [InlineData("arm", "diversity=Infinity")]
    [InlineData("adi", "steps=-1")]
    [InlineData("lwf", "distillWeight=-1")]
    [InlineData("er", "capacity=0")]
    [InlineData("er-mir", "candidates=0")]
    [InlineData("gem", "strength=-0.5")]
    [InlineData("icarl", "iterations=0")]
    [InlineData("gen", "dropout=1")]
    [InlineData("gen-mir", "warmUp=0")]
    [InlineData("ewc", "strength=NaN")]
    [InlineData("dgr", "latent=0")]
    [InlineData("stationary", "width=-1")]
    public void Values_out_of_range_are_refused_by_name(string method, string set)
    {
        string message = Refusal(() => Configure(method, set));
        Assert.StartsWith(method + ":", message);
    }

    [Fact]
    public void A_memory_without_a_share_for_each_is_refused() => OpKit.OnFreshThread(() =>
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        Assert.Contains("no share for each of 5 tasks", Refusal(() => new Gem(stream, new SeedStreams(0), new GemOptions(Capacity: 4))));
        Assert.Contains("less than one for each of 10 classes", Refusal(() => new Icarl(stream, new SeedStreams(0), new IcarlOptions(Capacity: 9))));
    });
}

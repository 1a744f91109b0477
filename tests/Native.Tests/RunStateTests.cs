using Native.Methods;
using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>What is saved in the middle of a run comes back to the bit, and nothing else is taken for it.</summary>
public sealed class RunStateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>One of everything that a method may hold.</summary>
    private sealed class Everything : IDisposable
    {
        public Sequential Net { get; }

        public Adam Adam { get; }

        public Generator Random { get; } = new(11);

        public Tensor? Kept;
        public Tensor? None;
        public byte[] Bytes = [];
        public int[] Ints = [];
        public long[] Longs = [];
        public float[] Singles = [];
        public double[] Doubles = [];
        public long Number;
        public int Small;
        public double Real, NaN;
        public bool Flag;
        public string Text = "";

        public Everything(ulong seed)
        {
            var init = new Generator(seed);
            Net = new Sequential(new Linear(3, 4, init), new BatchNorm(4), new Linear(4, 2, init));
            Adam = new Adam(Net.Parameters(), 0.01);
        }

        public void Fill()
        {
            Random.NextUInt32();
            (Kept, Bytes, Ints, Longs) = (Tensor.From<double>(1, -0.0, double.NaN), [1, 2, 255], [-1, 7], [long.MinValue]);
            (Singles, Doubles, Number, Small) = ([float.Epsilon], [double.MaxValue, -0.0], long.MaxValue, -5);
            (Real, NaN, Flag, Text) = (0.1, double.NaN, true, "a \"text\" é");
            Net.Parameters()[0].GradMask = Tensor.Zeros([4, 3]);
            _ = Net.Children.ElementAt(1).Eval();
            Adam.Lr = 0.02;
        }

        public void Persist(RunState state)
        {
            state.Module("net", Net);
            state.Optimizer("adam", Adam);
            state.Generator("random", Random);
            state.Tensor("kept", ref Kept);
            state.Tensor("none", ref None);
            state.Bytes("bytes", ref Bytes);
            state.Ints("ints", ref Ints);
            state.Longs("longs", ref Longs);
            state.Singles("singles", ref Singles);
            state.Doubles("doubles", ref Doubles);
            state.Number("number", ref Number);
            state.Number("small", ref Small);
            state.Real("real", ref Real);
            state.Real("nan", ref NaN);
            state.Flag("flag", ref Flag);
            state.Text("text", ref Text);
        }

        public void Step(int head)
        {
            using var scope = TensorScope.Begin("step");
            var x = Tensor.Rand([5, 3], Random);
            Adam.ZeroGrad();
            // With head 0 the last layer gets no gradient at all: its moments must stay where they are.
            var h = Net.Children.First().Forward(x);
            (head == 0 ? h.Square().Mean() : Net.Forward(x).Square().Mean()).Backward();
            Adam.Step();
        }

        public byte[] Bits(string file)
        {
            var writer = new RunStateWriter();
            Persist(writer);
            writer.Save(file);
            return File.ReadAllBytes(file);
        }

        public void Dispose()
        {
            Adam.Dispose();
            Net.Dispose();
            Kept?.Dispose();
        }
    }

    private string Save(Everything e, string name = "state.safetensors")
    {
        e.Bits(_folder.File(name));
        return _folder.File(name);
    }

    private static void Load(Everything e, string path)
    {
        var reader = new RunStateReader(path);
        e.Persist(reader);
        reader.Finish();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Everything_comes_back_to_the_bit_and_goes_on_alike(int before) => OpKit.OnFreshThread(() =>
    {
        using var first = new Everything(1);
        first.Step(before);
        first.Fill();
        using var second = new Everything(2) { None = Tensor.Scalar(1f), Text = "other" };
        Load(second, Save(first));
        Assert.Equal(first.Bits(_folder.File("a")), second.Bits(_folder.File("b")));
        Assert.Null(second.None);
        Assert.Equal(0.02, second.Adam.Lr);
        Assert.True(second.Net.Training);
        Assert.False(second.Net.Children.ElementAt(1).Training);
        Assert.Equal(first.Random.NextUInt32(), second.Random.NextUInt32());
        // A last layer without a gradient has none afterwards; one that has a gradient keeps it, since a step moves it by its momentum even if it is zero.
        Assert.Equal(before == 0, second.Net.Parameters()[^1].Grad is null);
        foreach (int head in (int[])[0, 1, 1, 0])
        {
            first.Step(head);
            second.Step(head);
        }
        Assert.Equal(first.Bits(_folder.File("a")), second.Bits(_folder.File("b")));
        second.Step(0);
        Assert.NotEqual(first.Bits(_folder.File("a")), second.Bits(_folder.File("b")));
    });

    [Fact]
    public void What_is_read_back_belongs_to_no_scope() => OpKit.OnFreshThread(() =>
    {
        using var first = new Everything(1);
        first.Step(head: 1);
        first.Fill();
        string path = Save(first);
        using var second = new Everything(2);
        using (TensorScope.Begin("caller"))
            Load(second, path);
        second.Step(head: 1);
        Assert.True(second.Kept!.IsAlive);
        Assert.True(second.Net.Parameters()[0].Grad!.IsAlive);
    });

    [Fact]
    public void A_memory_comes_back_and_draws_alike() => OpKit.OnFreshThread(() =>
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        ReservoirBuffer first = new(7, stream.InputSize, new Generator(1)), second = new(7, stream.InputSize, new Generator(2));
        first.Add(stream.BatchOf(stream.Train, stream.Tasks[0].Train));
        var writer = new RunStateWriter();
        first.Persist(writer, "memory");
        writer.Save(_folder.File("m"));
        second.Persist(new RunStateReader(_folder.File("m")), "memory");
        foreach (var memory in (ReservoirBuffer[])[first, second])
            memory.Add(stream.BatchOf(stream.Train, stream.Tasks[1].Train));
        Assert.Equal(first.Offered, second.Offered);
        Batch a = first.Draw(stream, 5, exceptTask: -1)!, b = second.Draw(stream, 5, exceptTask: -1)!;
        Assert.Equal(a.Pixels, b.Pixels);
        Assert.Equal(a.Targets, b.Targets);
        Assert.Equal(a.Tasks, b.Tasks);
        var small = new ReservoirBuffer(3, stream.InputSize, new Generator(1));
        Assert.StartsWith("replay: a saved memory of 7 images in 28 bytes does not fit one of 3 images of 4 bytes.",
            Assert.Throws<UsageException>(() => small.Persist(new RunStateReader(_folder.File("m")), "memory")).Message);
    });

    [Fact]
    public void A_state_that_does_not_fit_is_refused_in_one_sentence() => OpKit.OnFreshThread(() =>
    {
        using var first = new Everything(1);
        first.Fill();
        string path = Save(first);
        string refusal(Action<RunStateReader> read) => Assert.Throws<DataFormatException>(() => read(new RunStateReader(path))).Message;
        string sentence(string what) => $"state: {path} cannot be continued from: {what}. Delete it to begin this run anew.";
        long n = 0;
        int[] ints = [];
        bool flag = false;
        Tensor? t = null;
        Assert.Equal(sentence("it lacks 'absent'"), refusal(r => r.Number("absent", ref n)));
        Assert.Equal(sentence("'text' is 'a \"text\" é', which is no integer"), refusal(r => r.Number("text", ref n)));
        Assert.Equal(sentence("'number' is '9223372036854775807', which is no truth value"), refusal(r => r.Flag("number", ref flag)));
        Assert.Equal(sentence("'number' is '9223372036854775807', which is no tensor"), refusal(r => r.Tensor("number", ref t)));
        Assert.Equal(sentence("'number' is '9223372036854775807', which is no generator"), refusal(r => r.Generator("number", new Generator(1))));
        Assert.Equal(sentence("'bytes' is u8[3], not a list of i32"), refusal(r => r.Ints("bytes", ref ints)));
        using var other = new Linear(3, 5, new Generator(1));
        using var wide = new Sequential(other);
        Assert.Equal(sentence("'net.0.weight' is f32[4,3] there and f32[5,3] here"), refusal(r => r.Module("net", wide)));
        using var two = new Adam(first.Net.Children.First().Parameters(), 0.1);
        two.AddGroup(first.Net.Children.Last().Parameters(), 0.1);
        Assert.Equal(sentence("'adam' has 1 groups of parameters there and 2 here"), refusal(r => r.Optimizer("adam", two)));
        Assert.EndsWith("parts that this run does not have, 'net.0.weight' first. Delete it to begin this run anew.", refusal(r => r.Finish()));
    });

    [Fact]
    public void Damage_is_found_before_anything_is_read()
    {
        using var first = new Everything(1);
        string path = Save(first);
        byte[] good = File.ReadAllBytes(path);
        good[^9] ^= 1;
        File.WriteAllBytes(path, good);
        Assert.Contains("its digest does not fit its content, so it is damaged", Assert.Throws<DataFormatException>(() => new RunStateReader(path)).Message);
        File.WriteAllBytes(path, good[..^10]);
        Assert.Throws<DataFormatException>(() => new RunStateReader(path));
        File.WriteAllText(path, "not a state");
        Assert.Throws<DataFormatException>(() => new RunStateReader(path));
        Safetensors.Write(path, []);
        Assert.Contains("it has no digest, so it is no saved state", Assert.Throws<DataFormatException>(() => new RunStateReader(path)).Message);
    }

    [Fact]
    public void A_name_is_used_once()
    {
        var writer = new RunStateWriter();
        long n = 1;
        writer.Number("a", ref n);
        foreach (string name in (string[])["a", "", "sha256"])
            Assert.StartsWith($"state: the name '{name}' is empty, reserved or used twice.", Assert.Throws<UsageException>(() => writer.Number(name, ref n)).Message);
    }
}

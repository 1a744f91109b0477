using System.Globalization;

namespace Native.Methods;

/// <summary>
/// Accuracy on TRAINING items of the tasks so far, after each task: what the released code of MyGO reports (it loads the training split only), beside the test accuracy
/// that every other figure means.
/// </summary>
internal sealed class TrainingAccuracy(TaskStream stream, bool wanted)
{
    private const string Definition = "on TRAINING items, as the released code of MyGO evaluates";

    private double[] _values = [];
    private int _rows;

    /// <summary>A task is over; -1 for all of them at once.</summary>
    public void Record(IMethod method, StreamTask task)
    {
        if (!wanted)
            return;
        int tasks = task.Index < 0 ? stream.Tasks.Count : task.Index + 1;
        _values = [.. _values, .. new Trainer(stream).EvaluateTraining(method, tasks)];
        _rows++;
    }

    /// <summary><c>trainTaskN</c> and <c>trainAverageAccuracy</c> at the end, <c>trainAverageN</c> after each task, and whether the matrix is flat.</summary>
    public IEnumerable<Metric> Metrics()
    {
        if (_values.Length == 0)
            yield break;
        bool joint = _values.Length == stream.Tasks.Count && _rows == 1;
        int tasks = joint ? _values.Length : _rows;
        for (int t = 0; t < tasks; t++)
            yield return Of($"trainTask{N(t)}", $"training accuracy, task {N(t)}", _values[^(tasks - t)]);
        for (int i = 0, at = 0; i < tasks && !joint; at += ++i)
            yield return Of($"trainAverage{N(i)}", $"training accuracy after task {N(i)}", _values.AsSpan(at, i + 1).ToArray().Average());
        if (!joint)
            yield return new("trainFlat", "flat matrix", Flat(tasks) ? 1 : 0, null, "1 if no task's accuracy ever changes after its own phase, to the bit; " + Definition);
        yield return Of("trainAverageAccuracy", "average training accuracy", _values[^tasks..].Average());

        static string N(int index) => (index + 1).ToString(CultureInfo.InvariantCulture);
        static Metric Of(string key, string name, double value) => new(key, name, value, null, Definition);
    }

    // Row i holds the tasks up to i.
    private bool Flat(int tasks)
    {
        int last = _values.Length - tasks;
        for (int i = 0, at = 0; i < tasks; at += ++i)
            if (!_values.AsSpan(at, i + 1).SequenceEqual(_values.AsSpan(last, i + 1)))
                return false;
        return true;
    }

    public void Persist(RunState state, string name)
    {
        state.Doubles($"{name}.values", ref _values);
        state.Number($"{name}.rows", ref _rows);
    }
}

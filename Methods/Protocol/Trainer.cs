using System.Diagnostics;

namespace Native.Methods;

/// <summary>How the loop runs.</summary>
/// <param name="Epochs">Passes over the images of each phase. 1 is the online protocol of the papers on this stream (ARM, table 3).</param>
/// <param name="BatchSize">Images per step: 10 in ARM, table 6. The last batch of an epoch may be smaller; nothing is dropped.</param>
/// <param name="EvaluationBatch">Images per forward pass when testing; changes no result but of networks that use statistics of the test batch.</param>
/// <param name="MixedTests">
/// Test batches hold the classes seen so far, mixed in a fixed order, instead of one task after the other: for networks that use statistics of the test batch.
/// </param>
public sealed record TrainerOptions(int Epochs = 1, int BatchSize = 10, int EvaluationBatch = 500, bool MixedTests = false)
{
    /// <summary>Refuses what no loop can run with.</summary>
    /// <exception cref="UsageException">An option is not positive.</exception>
    public void Validate()
    {
        Positive(Epochs, "epochs");
        Positive(BatchSize, "batch size");
        Positive(EvaluationBatch, "evaluation batch");
    }

    /// <summary>Steps of one pass over a task.</summary>
    public int StepsPerEpoch(StreamTask task) => task.Train.Length / BatchSize + (task.Train.Length % BatchSize == 0 ? 0 : 1);

    /// <summary>Steps of all passes over a task.</summary>
    /// <exception cref="UsageException">More than can be counted.</exception>
    public int StepsIn(StreamTask task) => (long)StepsPerEpoch(task) * Epochs is var steps and <= int.MaxValue ? (int)steps
        : throw new UsageException($"train: {Epochs} epochs of {StepsPerEpoch(task)} steps are more than {int.MaxValue} steps of one task. Give fewer epochs.");

    private static void Positive(int value, string what)
    {
        if (value < 1)
            throw new UsageException($"train: {what} must be 1 or more; got {value}.");
    }
}

/// <summary>Where a run stands.</summary>
/// <param name="Phase">Training phase, from 1; 0 before training.</param>
/// <param name="Phases">Number of phases.</param>
/// <param name="Task">The task, or null before training.</param>
/// <param name="Step">Steps done in this phase.</param>
/// <param name="Steps">Steps of this phase.</param>
/// <param name="Loss">Loss of the latest step, NaN before the first.</param>
/// <param name="Row">The accuracies just measured when the phase is over, else null.</param>
/// <param name="Elapsed">Since the run began.</param>
public readonly record struct TrainerProgress(
    int Phase, int Phases, StreamTask? Task, int Step, int Steps, double Loss, IReadOnlyList<double>? Row, TimeSpan Elapsed);

/// <summary>What a run yields.</summary>
/// <param name="Matrix">Accuracies.</param>
/// <param name="Steps">Optimiser steps' worth of batches observed.</param>
/// <param name="TrainTime">Time in training, without tests.</param>
/// <param name="TestTime">Time in tests.</param>
/// <param name="Work">Operations and updates of training, earlier sittings included.</param>
/// <param name="Answers">What was answered in the last test, by class.</param>
public sealed record RunResult(AccuracyMatrix Matrix, long Steps, TimeSpan TrainTime, TimeSpan TestTime, Work Work, ClassCounts Answers);

/// <summary>The loop, in full view: begin a task, observe its batches, end it, test on every task.</summary>
public sealed class Trainer
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);

    private readonly TaskStream _stream;
    private readonly TrainerOptions _options;

    /// <summary>A loop over a stream.</summary>
    /// <exception cref="UsageException">An option is not positive.</exception>
    public Trainer(TaskStream stream, TrainerOptions? options = null)
    {
        (_stream, _options) = (stream, options ?? new TrainerOptions());
        _options.Validate();
        if (_options.MixedTests && stream.Scenario == Scenario.TaskIncremental)
            throw new UsageException("train: test batches of several tasks at once have no task to be told. Leave mixed tests out in the task-incremental scenario.");
    }

    /// <summary>Trains the method through the stream and tests it on every task before training and after each phase.</summary>
    /// <param name="method">The method, freshly made.</param>
    /// <param name="joint">Train on the union of all tasks in one phase.</param>
    /// <param name="shuffle">Order of the images within each epoch.</param>
    /// <param name="progress">Called now and then, and after each phase.</param>
    /// <param name="checkpoint">Where to save, and to continue from; null for neither.</param>
    /// <param name="cancel">Looked at before each step. What was asked to stop has saved its state.</param>
    public RunResult Run(IMethod method, bool joint, Generator shuffle, Action<TrainerProgress>? progress = null, RunCheckpoint? checkpoint = null,
        CancellationToken cancel = default)
    {
        IReadOnlyList<StreamTask> phases = joint ? [_stream.Union()] : _stream.Tasks;
        var at = new RunPosition(new AccuracyMatrix(_stream.Tasks.Count, joint));
        using var losses = new LossTrail(at);
        var saver = new RunSaver(checkpoint, method, shuffle, at) { Settle = losses.Look };
        saver.Load();
        var clock = Stopwatch.StartNew();
        var answers = ClassCounts.Of(_stream);
        double earlier = at.TrainSeconds + at.TestSeconds;
        void report(int phase, StreamTask? task, int steps, IReadOnlyList<double>? row)
        {
            losses.Look();
            progress?.Invoke(new TrainerProgress(phase, phases.Count, task,
            phase == 0 ? 0 : at.Step, steps, at.Loss, row, TimeSpan.FromSeconds(earlier + clock.Elapsed.TotalSeconds)));
        }
        void test(int phase, StreamTask? task, int steps)
        {
            long start = Stopwatch.GetTimestamp();
            answers = ClassCounts.Of(_stream);
            at.Matrix.AddRow(saver.Test(() => Evaluate(method, joint && phase > 0 ? _stream.Tasks.Count : phase, answers, cancel)));
            at.TestSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            report(phase, task, steps, at.Matrix.Row(phase));
        }
        if (at.Matrix.Rows == 0)
            test(0, null, 0);
        for (; at.Phase <= phases.Count; at.NextPhase())
        {
            var task = phases[at.Phase - 1];
            int perEpoch = _options.StepsPerEpoch(task), inPhase = _options.StepsIn(task);
            Train(method, task, perEpoch, inPhase, shuffle, at, saver, losses, () => report(at.Phase, task, inPhase, null), cancel);
            test(at.Phase, task, inPhase);
        }
        return new RunResult(at.Matrix, at.Steps, TimeSpan.FromSeconds(at.TrainSeconds), TimeSpan.FromSeconds(at.TestSeconds), at.Work, answers);
    }

    // One phase, from wherever it stands.
    private void Train(IMethod method, StreamTask task, int perEpoch, int inPhase, Generator shuffle, RunPosition at, RunSaver saver, LossTrail losses, Action report,
        CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp(), reported = start;
        var work = Work.Done;
        void clock()
        {
            at.TrainSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            start = Stopwatch.GetTimestamp();
            at.Work += Work.Done - work;
            work = Work.Done;
        }
        if (!at.Begun)
            method.BeginTask(task, inPhase);
        at.Begun = true;
        while (at.Step < inPhase)
        {
            StopIfAsked();
            int from = at.Step % perEpoch * _options.BatchSize;
            if (from == 0)
            {
                at.Order = [.. task.Train];
                if (!_stream.InOrder || task.Index < 0)
                    shuffle.Shuffle<int>(at.Order);
            }
            Step(method, task, at, losses, from, inPhase);
            clock();
            saver.Stepped();
            Tell();
        }
        losses.Look();
        while (!at.Ended && method is IOffline sleeper)
        {
            StopIfAsked();
            if (!Rest(sleeper, task, at))
                break;
            clock();
            saver.Stepped();
            Tell();
        }
        if (!at.Ended)
            method.EndTask(task);
        at.Ended = true;
        clock();

        void StopIfAsked()
        {
            if (!cancel.IsCancellationRequested)
                return;
            clock();
            saver.Save();
            cancel.ThrowIfCancellationRequested();
        }

        void Tell()
        {
            if (Stopwatch.GetElapsedTime(reported) < ReportEvery)
                return;
            reported = Stopwatch.GetTimestamp();
            report();
        }
    }

    private static bool Rest(IOffline sleeper, StreamTask task, RunPosition at)
    {
        using var scope = TensorScope.Begin("offline-step");
        if (sleeper.Rest(task)?.Item() is not { } loss)
            return false;
        at.Rested(loss);
        return double.IsFinite(loss) ? true
            : throw new NumericException($"train: the loss is {loss} in a step after the last batch of task {task.Name}. Lower the rate of these steps, or find the operation with --nan-trap.");
    }

    private void Step(IMethod method, StreamTask task, RunPosition at, LossTrail losses, int from, int inPhase)
    {
        using var scope = TensorScope.Begin("train-step");
        var batch = _stream.BatchOf(_stream.TrainItems, at.Order.AsSpan(from, Math.Min(_options.BatchSize, at.Order.Length - from)));
        var loss = method.Observe(batch);
        at.Advance();
        losses.Add(loss, $"of {inPhase} of task {task.Name}");
    }

    /// <summary>The accuracy on the test set of every task, fractions.</summary>
    /// <param name="method">The method.</param>
    /// <param name="answers">Counts the answers by class, when given.</param>
    /// <param name="cancel">Looked at before each batch.</param>
    public double[] Evaluate(IMethod method, ClassCounts? answers = null, CancellationToken cancel = default) => Evaluate(method, 0, answers, cancel);

    /// <summary>The same when the first <paramref name="seen"/> tasks have been trained on: mixed tests mix theirs.</summary>
    public double[] Evaluate(IMethod method, int seen, ClassCounts? answers, CancellationToken cancel)
    {
        using var constant = Autograd.NoGrad();
        var correct = new int[_stream.Tasks.Count];
        int together = _options.MixedTests ? seen : 0;
        if (together > 0)
        {
            int[] mixed = [.. _stream.Tasks.Take(together).SelectMany(t => t.Test)];
            new Generator(0).Stream("mixed-tests").Shuffle<int>(mixed);
            Count(method, _stream.TestItems, mixed, null, correct, answers, cancel);
        }
        foreach (var task in _stream.Tasks.Skip(together))
            Count(method, _stream.TestItems, task.Test, task, correct, answers, cancel);
        return [.. _stream.Tasks.Select(t => (double)correct[t.Index] / t.Test.Length)];
    }

    /// <summary>The accuracy on the TRAINING items of the first <paramref name="tasks"/> tasks, fractions: what some released code reports as its result.</summary>
    public double[] EvaluateTraining(IMethod method, int tasks)
    {
        using var constant = Autograd.NoGrad();
        var correct = new int[_stream.Tasks.Count];
        foreach (var task in _stream.Tasks.Take(tasks))
            Count(method, _stream.TrainItems, task.Train, task, correct, null, CancellationToken.None);
        return [.. _stream.Tasks.Take(tasks).Select(t => (double)correct[t.Index] / t.Train.Length)];
    }

    // Adds the right answers to their tasks; the task is null for images of several.
    private void Count(IMethod method, ItemSet set, int[] images, StreamTask? task, int[] correct, ClassCounts? answers, CancellationToken cancel)
    {
        bool told = task is not null && _stream.Scenario == Scenario.TaskIncremental;
        int[] competing = told ? task!.Outputs : [.. Enumerable.Range(0, _stream.Outputs)];
        // Mixed batches are of one size, give or take one: a remainder of a few images would have statistics of its own.
        int parts = (images.Length + _options.EvaluationBatch - 1) / _options.EvaluationBatch;
        for (int part = 0, at = 0; part < parts; part++)
        {
            cancel.ThrowIfCancellationRequested();
            using var scope = TensorScope.Begin("test");
            int until = task is null ? (int)((long)images.Length * (part + 1) / parts) : Math.Min(at + _options.EvaluationBatch, images.Length);
            var batch = _stream.BatchOf(set, images.AsSpan(at..until));
            var logits = method.Predict(batch.X, told ? task : null);
            if (logits.Rank != 2 || logits.Shape.Span[0] != batch.Count || logits.Shape.Span[1] != _stream.Outputs)
                throw new ShapeException($"predict: logits must be [{batch.Count},{_stream.Outputs}]; got {logits.Shape}.");
            var values = logits.ToArray<float>();
            for (int i = 0; i < batch.Count; i++)
            {
                int label = set.Labels[images[at + i]], output = Largest(values.AsSpan(i * _stream.Outputs, _stream.Outputs), competing);
                answers?.Add(label, output);
                if (output == batch.Targets[i])
                    correct[_stream.TaskOf(label)]++;
            }
            at = until;
        }
    }

    // The first of equals. A NaN would compare false with everything and win or lose by its position, so it stops the run.
    private static int Largest(ReadOnlySpan<float> logits, int[] among)
    {
        int best = among[0];
        foreach (int output in among)
        {
            if (float.IsNaN(logits[output]))
                throw new NumericException($"predict: output {output} is NaN. Lower the learning rate, or find the operation with --nan-trap.");
            if (logits[output] > logits[best])
                best = output;
        }
        return best;
    }
}

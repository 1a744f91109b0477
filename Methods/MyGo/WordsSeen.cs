namespace Native.Methods;

/// <summary>Which words earlier tasks have used, a bit for each: rows of a table that must stay where dreams cannot repair them. Nothing for images.</summary>
internal sealed class WordsSeen(TaskStream stream)
{
    private byte[] _seen = new byte[stream.IsText ? stream.Vocabulary.Rows : 0];

    /// <summary>A bit for each row of the table.</summary>
    public long StorageBits => _seen.Length;

    /// <summary>For each row 1 if an earlier task used its word.</summary>
    public ReadOnlySpan<byte> Rows => _seen;

    /// <summary>A task is over: its words have been used.</summary>
    public void Add(StreamTask task)
    {
        if (!stream.IsText)
            return;
        foreach (int i in task.Train)
            foreach (int word in stream.Words(stream.TrainItems, i).Span)
                _seen[word] = 1;
    }

    public void Persist(RunState state, string name) => state.Bytes(name, ref _seen);
}

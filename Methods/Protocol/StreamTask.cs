namespace Native.Methods;

/// <summary>One task of a stream.</summary>
/// <param name="Index">Position in the stream, from 0; -1 for the union of all tasks.</param>
/// <param name="Classes">Labels of the data set that belong to it.</param>
/// <param name="Outputs">The outputs of the network that stand for these classes.</param>
/// <param name="Train">Indices into the training set.</param>
/// <param name="Test">Indices into the test set.</param>
public sealed record StreamTask(int Index, int[] Classes, int[] Outputs, int[] Train, int[] Test)
{
    /// <summary>Indices into the training set of items that are held back from training; empty when the stream has no validation part.</summary>
    public int[] Validation { get; init; } = [];

    /// <summary>A name of its own, for example an angle or an alphabet; null when its classes name it.</summary>
    public string? Title { get; init; }

    /// <summary>For tables: the title, else the classes, for example <c>{0,1}</c>.</summary>
    public string Name => Title ?? $"{{{string.Join(',', Classes)}}}";
}

using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// An n-dimensional array: a layout over a storage, with an element type and, when recorded, the node that computed it.
/// Tensors are cheap handles without a finalizer; the storage behind them is owned by the innermost <see cref="TensorScope"/>,
/// by a long-lived holder, or by the garbage collector. Arithmetic and everything differentiable live in Native.Autograd.
/// </summary>
[DebuggerDisplay("{ToString()}")]
public class Tensor : IDisposable
{
    internal Tensor(Storage storage, Layout layout, DType dtype)
    {
        Storage = storage;
        Generation = storage.Generation;
        Layout = layout;
        DType = dtype;
    }

    /// <summary>A second handle on another tensor's storage (parameters, aliases).</summary>
    internal Tensor(Tensor other) : this(other.Storage, other.Layout, other.DType) => Generation = other.Generation;

    /// <summary>Where the bytes are. Only a parameter changes it, when it moves into a flat block or grows.</summary>
    internal Storage Storage { get; private protected set; }

    internal int Generation { get; private protected set; }

    /// <summary>The node that computed this tensor, or its leaf accumulator; null when nothing is recorded.</summary>
    internal GradNode? Node { get; set; }

    internal byte OutputIndex { get; set; }

    /// <summary>Shape, strides and offset.</summary>
    public Layout Layout { get; private protected set; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Where the bytes are.</summary>
    public Device Device => Storage.Device;

    /// <summary>The dims.</summary>
    public Shape Shape => Layout.Shape;

    /// <summary>Number of dims; 0 for a scalar.</summary>
    public int Rank => Layout.Rank;

    /// <summary>Number of elements.</summary>
    public long Count => Layout.Count;

    /// <summary>True when the elements lie row-major without gaps.</summary>
    public bool IsContiguous => Layout.IsDense;

    /// <summary>Whether gradients flow to or through this tensor.</summary>
    public bool RequiresGrad
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Node is { } node && node.Differentiable;
    }

    /// <summary>The recorded operation behind this tensor; null for constants and leaves.</summary>
    public GradNode? GradFn => IsLeaf || !RequiresGrad ? null : Node;

    /// <summary>True when no recorded operation made it.</summary>
    public bool IsLeaf => Node is null or ILeafNode || !Node.Differentiable;

    /// <summary>The accumulated gradient of a leaf, null before the first backward.</summary>
    /// <exception cref="GradException">Set to a tensor of another shape, dtype or device, or to a strided view: gradients are added in place.</exception>
    public Tensor? Grad
    {
        get;
        set
        {
            if (value is not null && (value.Shape != Shape || value.DType != DType || !ReferenceEquals(value.Device, Device) || (!value.IsContiguous && !value.RequiresGrad)))
                throw new GradException($"grad: the gradient of {this.Describe()} must be dense with the same shape, dtype and device; got {value.Describe()}{(value.IsContiguous ? "" : ", a strided view")}. Convert it, or call Contiguous().");
            field = value;
        }
    }

    /// <summary>Frees the storage now instead of at the scope's end. Views of it die with it.</summary>
    public virtual void Dispose()
    {
        GC.SuppressFinalize(this);
        if (Storage.Generation == Generation && Storage.TryClaim())
            Ambient.Current.Release(Storage);
    }

    /// <summary>True while the memory behind the tensor has not been given back.</summary>
    public bool IsAlive
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Storage.Generation == Generation;
    }

    /// <summary>Throws <see cref="LifetimeException"/> naming the scope that freed it, if one did.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CheckAlive(string op, string operand = "input")
    {
        if (Storage.Generation != Generation)
            Freed(op, operand);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Freed(string op, string operand)
    {
        string who = Storage.Generation == Generation + 1 && Storage.FreedBy is { } scope ? $"was freed when {scope} closed or released it"
            : Storage.Generation == Generation + 1 ? "was freed by Dispose"
            : "was freed and its memory has been reused";
        throw new LifetimeException($"{op}: {operand} {DType.Name()}{Shape} {who}. Keep it with scope.Keep(t), or create it outside the scope.");
    }

    /// <summary>Address of the first element. The kernel entry that asks has checked dtype and device.</summary>
    internal unsafe T* Data<T>() where T : unmanaged
    {
        CheckAlive("read");
        return (T*)Storage.Pointer + Layout.Offset;
    }

    /// <summary>Same storage, other geometry; not recorded.</summary>
    internal Tensor View(Layout layout) => new(Storage, layout, DType, Generation);

    /// <summary>Same elements, nothing recorded.</summary>
    internal Tensor Alias() => View(Layout);

    private Tensor(Storage storage, Layout layout, DType dtype, int generation) : this(storage, layout, dtype) => Generation = generation;

    /// <summary>A fresh tensor owned by the innermost scope; contents undefined.</summary>
    internal static Tensor Allocate(Layout dense, DType dtype, Device device) => new(Ambient.Current.Rent(Bytes(dense, dtype), device), dense, dtype);

    /// <summary>A fresh tensor that no scope owns; contents undefined.</summary>
    internal static Tensor AllocateUnscoped(Layout dense, DType dtype, Device device) => new(Ambient.Current.RentUnscoped(Bytes(dense, dtype), device), dense, dtype);

    internal static long Bytes(Layout layout, DType dtype) => checked(layout.Count * dtype.Size());

    /// <summary>Bytes of the elements.</summary>
    public long ByteSize => Bytes(Layout, DType);

    /// <summary>
    /// Views by index, as in <c>x[0]</c>, <c>x[^1]</c>, <c>x[2..5]</c>, <c>x[.., 3]</c>: an integer drops its dim, a range keeps it.
    /// Recorded, so gradients flow back.
    /// </summary>
    public Tensor this[params ReadOnlySpan<TensorIndex> indices] => TensorIndex.Hook(this, indices);

    /// <summary>dtype, shape, device and origin, for example <c>f32[64,10]@cpu grad_fn=tanh</c>, then the values of a small tensor.</summary>
    public override string ToString() => TensorPrint.Summary(this);

    /// <summary>As <see cref="ToString()"/>, but <paramref name="full"/> prints every element instead of the corners.</summary>
    public string ToString(bool full) => TensorPrint.Print(this, full);
}

/// <summary>Marks the accumulator node of a leaf.</summary>
internal interface ILeafNode;

/// <summary>One position of an index expression: a number (drops the dim) or a range (keeps it).</summary>
public readonly struct TensorIndex
{
    private TensorIndex(Index? index, Range range)
    {
        Index = index;
        Range = range;
    }

    /// <summary>The number, or null when this is a range.</summary>
    public Index? Index { get; }

    /// <summary>The range.</summary>
    public Range Range { get; }

    /// <summary>A number; negative counts from the end.</summary>
    public static implicit operator TensorIndex(int index) => new(index < 0 ? new Index(-index, fromEnd: true) : index, default);

    /// <summary>A number, possibly from the end.</summary>
    public static implicit operator TensorIndex(Index index) => new(index, default);

    /// <summary>A range; <c>..</c> takes the whole dim.</summary>
    public static implicit operator TensorIndex(Range range) => new(null, range);

    internal delegate Tensor IndexFunction(Tensor tensor, ReadOnlySpan<TensorIndex> indices);

    /// <summary>
    /// C# has no extension indexers, so the one member of Tensor that differentiates is bound late. Autograd sets it when it is
    /// first touched; a program that has only made tensors so far gets there by loading the assembly.
    /// </summary>
    internal static IndexFunction Hook
    {
        get => field ??= LoadAutograd();
        set;
    }

    private static IndexFunction LoadAutograd()
    {
        var assembly = System.Reflection.Assembly.Load("Native.Autograd");
        RuntimeHelpers.RunModuleConstructor(assembly.ManifestModule.ModuleHandle);
        return Hook;
    }
}

namespace Native;

/// <summary>
/// Base of every error that Native raises on purpose. The message is one sentence of the form
/// <c>{op}: {what is wrong}; {operands}; {the numbers that disagree}. {what to do}</c>.
/// </summary>
public abstract class TensorException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Shapes, dims or indices do not fit together.</summary>
public sealed class ShapeException(string message) : TensorException(message);

/// <summary>An element type is not the one the operation takes.</summary>
public sealed class DTypeException(string message) : TensorException(message);

/// <summary>A device is unknown, unavailable, or differs between operands.</summary>
public sealed class DeviceException(string message) : TensorException(message);

/// <summary>A derivative was asked for that does not exist or can no longer be computed.</summary>
public sealed class GradException(string message) : TensorException(message);

/// <summary>A tensor was used after the memory behind it was given back.</summary>
public sealed class LifetimeException(string message) : TensorException(message);

/// <summary>A computation produced a value that the caller asked to be stopped at (<c>--nan-trap</c>).</summary>
public sealed class NumericException(string message) : TensorException(message);

/// <summary>A kernel could not be compiled, found or launched.</summary>
public sealed class KernelException(string message, Exception? inner = null) : TensorException(message, inner);

/// <summary>A file is not what its name, header or checksum claims.</summary>
public sealed class DataFormatException(string message, Exception? inner = null) : TensorException(message, inner);

/// <summary>A command line, option or data folder is wrong; shown to the user without a stack trace.</summary>
public sealed class UsageException(string message) : TensorException(message);

/// <summary>The memory limit was reached after every rung of the ladder; the message carries the allocator's report.</summary>
public sealed class TensorMemoryException(string message) : TensorException(message);

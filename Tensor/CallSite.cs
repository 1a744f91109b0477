using System.Diagnostics;

namespace Native;

/// <summary>Which line of the user's program is running: for messages about work that the engine does on its behalf.</summary>
internal static class CallSite
{
    private static readonly string[] Engine = ["Native.Tensor", "Native.Kernels", "Native.Autograd", "System.", "Microsoft."];

    /// <summary>
    /// The innermost frame outside the engine, as <c>Program.cs:41</c>, or as <c>Program.Main</c> where there is no line information; "" when the engine is all
    /// there is. Costs tens of microseconds.
    /// </summary>
    public static string Find()
    {
        foreach (var frame in new StackTrace(1, fNeedFileInfo: true).GetFrames())
        {
            if (DiagnosticMethodInfo.Create(frame) is not { } method || Engine.Any(e => method.DeclaringAssemblyName.StartsWith(e, StringComparison.Ordinal)))
                continue;
            return frame.GetFileName() is { } file ? $"{Path.GetFileName(file)}:{frame.GetFileLineNumber()}" : $"{method.DeclaringTypeName}.{method.Name}";
        }
        return "";
    }
}

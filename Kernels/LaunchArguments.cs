using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Native;

/// <summary>The arguments of a launch as text, for level 4 of NATIVE_DEBUG: field by field, since a kernel takes one struct.</summary>
internal static class LaunchArguments
{
    /// <summary>For example <c>    88 bytes: Y=0x7f00 A=0x7f80 N=12 LayoutA=[4:1,3:4]</c>; tables of an optimiser are left out.</summary>
    public static unsafe string Text<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] TArgs>(in TArgs arguments) where TArgs : unmanaged
    {
        object boxed = arguments;
        var fields = typeof(TArgs).GetFields(BindingFlags.Instance | BindingFlags.Public).Select(f => $"{f.Name}={Value(f.GetValue(boxed)!)}");
        return $"    {sizeof(TArgs)} bytes: {string.Join(' ', fields)}";
    }

    private static string Value(object value) => value switch
    {
        nint address => $"0x{address:x}",
        // Structs that have no text of their own would print their type's name.
        _ when value.ToString() is { } text && text != value.GetType().ToString() => text,
        _ => "(...)",
    };
}

using System.CommandLine;

namespace Native.Benchmarks;

/// <summary><c>native cache info|clear</c>: the compiled kernels on disk.</summary>
internal static class CacheCommand
{
    public static Command Create(Ui ui)
    {
        var info = new Command("info", "Prints the folder of compiled kernels and what it holds.");
        info.SetAction(_ => Info(ui, KernelCache.Default));
        var clear = new Command("clear", "Deletes the compiled kernels; they are compiled again when they are needed.");
        clear.SetAction(_ => Clear(ui, KernelCache.Default));
        return new Command("cache", "The compiled kernels on disk.") { info, clear };
    }

    /// <summary>Folder and contents in one line, for <c>native doctor</c> too.</summary>
    public static string Describe(KernelCache cache)
    {
        if (cache.Folder is null)
            return $"none: the system names no folder for caches (name one in {Env.Cache.Name})";
        var (kernels, abandoned, bytes) = cache.Count();
        string left = abandoned == 0 ? "" : $", {abandoned} files that a writer left unfinished";
        return $"{cache.Folder}: {kernels} kernels{left}, {bytes / 1024.0:0.0} KiB";
    }

    private static int Info(Ui ui, KernelCache cache)
    {
        ui.Line(Describe(cache));
        return App.Success;
    }

    private static int Clear(Ui ui, KernelCache cache)
    {
        ui.Line($"{cache.Folder ?? "no cache"}: {cache.Clear()} files deleted");
        return App.Success;
    }
}

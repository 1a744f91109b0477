using System.Text.RegularExpressions;

namespace Native.Tests;

/// <summary>What a PAPER.md says about where an equation lives is true.</summary>
public sealed partial class PaperMapTests
{
    [Fact]
    public void Every_place_that_a_paper_map_names_exists()
    {
        string methods = Path.Combine(OpKit.Root, "Methods");
        var files = Directory.EnumerateFiles(methods, "*.cs", SearchOption.AllDirectories).ToLookup(Path.GetFileName, f => f);
        int places = 0;
        foreach (string map in Directory.EnumerateFiles(methods, "PAPER.md", SearchOption.AllDirectories))
            foreach (Match place in Place().Matches(File.ReadAllText(map)))
            {
                string file = place.Groups["file"].Value, member = place.Groups["member"].Value;
                Assert.True(files[file].Any(), $"{map} names {file}, which is not there");
                Assert.True(files[file].Any(f => Regex.IsMatch(File.ReadAllText(f), $@"\b{member}\b")), $"{map} names {member} of {file}, which is not there");
                places++;
            }
        Assert.True(places > 20, $"only {places} places were found");
    }

    [GeneratedRegex(@"`(?<file>\w+\.cs): (?<member>\w+)`")]
    private static partial Regex Place();
}

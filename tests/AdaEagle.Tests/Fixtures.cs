namespace AdaEagle.Tests;

/// <summary>
/// The reference fixtures: <c>ADAEAGLE_FIXTURES</c>, or <c>../shared/fixtures</c> beside the repository.
/// Where they are absent a test skips with a message; where <c>ADAEAGLE_FIXTURES</c> names the place, a missing kind is a failure.
/// </summary>
public static class Fixtures
{
    /// <summary>The repository's root (the folder that holds <c>AdaEagle.slnx</c>).</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The folder of fixtures, or null where there is none.</summary>
    public static string? Root { get; } = FindFixtures();

    /// <summary>True if the environment names the fixtures, so that a kind with no case is a failure.</summary>
    public static bool Required { get; } = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("ADAEAGLE_FIXTURES"));

    /// <summary>The folder of one kind (<c>hf</c>, <c>tokenizers</c>, …); skips the calling test where it is absent.</summary>
    public static string Folder(string kind)
    {
        string? path = Root is null ? null : Path.Combine(Root, kind);
        if (path is null || !Directory.Exists(path))
        {
            Assert.False(Required, $"ADAEAGLE_FIXTURES is set, but there is no folder '{kind}' in it.");
            Assert.Skip($"No fixtures of kind '{kind}': set ADAEAGLE_FIXTURES or put them at ../shared/fixtures.");
        }

        return path;
    }

    /// <summary>To be called with the number of cases that ran: none at all is a failure, since the folder is there.</summary>
    public static void RequireCases(string kind, int count) =>
        Assert.True(count > 0, $"The fixtures of kind '{kind}' hold no case that this test can run.");

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "AdaEagle.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("AdaEagle.slnx was not found above the test's folder.");
    }

    private static string? FindFixtures()
    {
        string? named = Environment.GetEnvironmentVariable("ADAEAGLE_FIXTURES");
        if (!string.IsNullOrEmpty(named))
        {
            return Path.GetFullPath(named);
        }

        string beside = Path.GetFullPath(Path.Combine(RepositoryRoot, "..", "shared", "fixtures"));
        return Directory.Exists(beside) ? beside : null;
    }
}

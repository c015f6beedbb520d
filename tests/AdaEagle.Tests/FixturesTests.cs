namespace AdaEagle.Tests;

public class FixturesTests
{
    [Fact]
    public void The_repository_root_holds_the_solution() =>
        Assert.True(File.Exists(Path.Combine(Fixtures.RepositoryRoot, "AdaEagle.slnx")));
}

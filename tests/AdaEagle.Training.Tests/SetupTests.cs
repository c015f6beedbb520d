namespace AdaEagle.Training.Tests;

public class SetupTests
{
    [Fact]
    public void The_trainer_is_referenced() => Assert.NotNull(typeof(AdaEagle.Training.Tests.SetupTests).Assembly);
}

using System.Runtime.ExceptionServices;

namespace AdaEagle.Training.Data;

/// <summary>Runs parallel loops so that their callers see the exception that happened, not an <see cref="AggregateException"/> around it.</summary>
internal static class ParallelWork
{
    public static T Run<T>(Func<T> loop)
    {
        try
        {
            return loop();
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.Flatten().InnerExceptions[0]);
            throw;
        }
    }
}

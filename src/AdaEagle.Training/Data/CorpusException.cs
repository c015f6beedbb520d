namespace AdaEagle.Training.Data;

/// <summary>A corpus that cannot be read: says in which file and line, what is wrong there and what to do.</summary>
public sealed class CorpusException : Exception
{
    /// <param name="file">The corpus file.</param>
    /// <param name="line">Counted from 1; 0 where the whole file is meant.</param>
    /// <param name="problem">What is wrong.</param>
    /// <param name="remedy">What to do.</param>
    /// <param name="inner">The cause, if any.</param>
    public CorpusException(string file, long line, string problem, string remedy, Exception? inner = null)
        : base($"{file}{(line > 0 ? $", line {line}" : "")}: {problem} {remedy}", inner)
    {
        File = file;
        Line = line;
    }

    /// <summary>The corpus file.</summary>
    public string File { get; }

    /// <summary>The line, counted from 1; 0 where the whole file is meant.</summary>
    public long Line { get; }
}

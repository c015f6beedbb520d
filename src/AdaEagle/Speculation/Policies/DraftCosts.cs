using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdaEagle.Formats;

namespace AdaEagle.Speculation.Policies;

/// <summary>
/// What the parts of a round cost on this machine, in seconds, as running medians of what was measured (law 4), or frozen: a draft step, verifying n rows,
/// the rest. A machine that is shared grows slower and faster, and what matters is what one row more costs: so times are taken relative to how fast the last verifications of
/// known cost were, and 8 rows that were measured in a slow moment are not dear for it. Times of verifications are made to rise with the rows (neighbours that don't are averaged); between those measured three times they lie on a line; beyond
/// the most rows that were measured three times one row more is taken to cost half of what it costs among them, so that what is unknown is tried; what was measured only once or twice is believed in part. Where everything has become much faster, code
/// was still being compiled when it was measured, and all is forgotten. Nothing is allocated by measuring. Not thread-safe.
/// </summary>
public sealed class DraftCosts
{
    private const int MostRows = 4096;

    private const int Window = 15;

    // What decides is what one row more costs, a small difference of large numbers.
    private const int VerifyWindow = 63;

    // Shorter than half of the window: a change of pace is known before it has outvoted what was measured before it.
    private const int PaceWindow = 7;

    // In so small a part of the time that it took before nothing is done but by better code.
    private const double Recompiled = 0.6;

    // Of three one may be wrong.
    private const int Enough = 3;

    private readonly RunningMedian _pace = new(PaceWindow);
    private readonly RunningMedian _step = new(Window);
    private readonly RunningMedian _overhead = new(Window);
    private readonly RunningMedian[] _verify;
    private readonly double[] _seconds;
    private readonly double[] _levels;
    private readonly int[] _weights;
    private readonly int[] _rows;
    private readonly bool[] _met;
    private bool _isEarly;

    /// <summary>Nothing is known yet.</summary>
    /// <param name="maxRows">The most rows of a verification.</param>
    public DraftCosts(int maxRows)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxRows);
        _verify = new RunningMedian[maxRows];
        for (int i = 0; i < maxRows; i++)
        {
            _verify[i] = new RunningMedian(VerifyWindow);
        }

        _seconds = new double[maxRows];
        _levels = new double[maxRows];
        _weights = new int[maxRows];
        _rows = new int[maxRows];
        _met = new bool[maxRows];
    }

    /// <summary>True if they came from a file: measurements don't change them, and decisions that rest on them can be repeated.</summary>
    public bool IsFrozen { get; private init; }

    /// <summary>How often all was forgotten: then the next measurements are in seconds of another pace, and lengths have to be measured anew.</summary>
    public int Beginnings { get; private set; }

    /// <summary>A draft step.</summary>
    public double StepSeconds { get; private set; }

    /// <summary>A round's time outside draft and verification.</summary>
    public double OverheadSeconds { get; private set; }

    /// <summary>A verification, by rows from 1.</summary>
    public ReadOnlySpan<double> VerifySeconds => _seconds;

    /// <summary>A round of so many draft steps and rows.</summary>
    public double Round(int steps, int rows) => (steps * StepSeconds) + _seconds[Math.Min(rows, _seconds.Length) - 1] + OverheadSeconds;

    /// <summary>Takes a round's times in, but for the first of so many rows, in which code is being compiled.</summary>
    /// <param name="steps">Draft passes.</param>
    /// <param name="draftSeconds">All of them.</param>
    /// <param name="rows">Rows of the verification.</param>
    /// <param name="verifySeconds">The verification.</param>
    /// <param name="overheadSeconds">The rest; NaN where it is not known.</param>
    /// <param name="firstSeconds">The first draft pass, which catches up with what was committed and so tells only what a step costs at most; NaN where it is not known, and as long as another.</param>
    public void Observe(int steps, double draftSeconds, int rows, double verifySeconds, double overheadSeconds, double firstSeconds = double.NaN)
    {
        if (IsFrozen)
        {
            return;
        }

        if (rows <= _met.Length && !_met[rows - 1])
        {
            _met[rows - 1] = true;
            return;
        }

        if (rows <= _verify.Length && _verify[rows - 1].Count >= Enough && _verify[rows - 1].Median > 0)
        {
            _pace.Add(verifySeconds / _verify[rows - 1].Median);
        }

        double pace = _pace.Count > 0 ? _pace.Median : 1;
        if (_pace.Count == PaceWindow && pace < Recompiled)
        {
            Forget();
            return;
        }

        bool isFirstKnown = steps > 1 && !double.IsNaN(firstSeconds);
        double step = (isFirstKnown ? (draftSeconds - firstSeconds) / (steps - 1) : draftSeconds / steps) / pace;
        if (isFirstKnown || (steps > 0 && (double.IsNaN(firstSeconds) || StepSeconds == 0 || step < StepSeconds)))
        {
            StepSeconds = _step.Add(step);
        }

        if (!double.IsNaN(overheadSeconds))
        {
            OverheadSeconds = _overhead.Add(Math.Max(overheadSeconds, 0) / pace);
        }

        if (rows <= _verify.Length)
        {
            _verify[rows - 1].Add(verifySeconds / pace);
            Fill();
        }
    }

    /// <summary>Reads frozen costs.</summary>
    /// <exception cref="ModelFormatException">The file holds none.</exception>
    public static DraftCosts Read(string file, int maxRows)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(File.ReadAllBytes(file));
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException(file, null, failure is JsonException ? "is not JSON" : "cannot be read: " + failure.Message, Remedy, failure);
        }

        if (root is not JsonObject costs || costs["verify_seconds"] is not JsonArray { Count: > 0 and <= MostRows } verify)
        {
            throw new ModelFormatException(file, "verify_seconds", "must be a list of seconds, by rows from 1", Remedy);
        }

        var read = new DraftCosts(maxRows)
        {
            IsFrozen = true, StepSeconds = Seconds(file, "draft_step_seconds", costs["draft_step_seconds"]), OverheadSeconds = Seconds(file, "overhead_seconds", costs["overhead_seconds"]),
        };
        double[] known = [.. verify.Select(value => Seconds(file, "verify_seconds", value))];
        if (known[0] <= 0)
        {
            throw new ModelFormatException(file, "verify_seconds", "the first, a plain pass, must take some time", Remedy);
        }

        double slope = known.Length > 1 ? Math.Max(known[^1] - known[^2], 0) : 0;
        for (int i = 0; i < maxRows; i++)
        {
            read._seconds[i] = i < known.Length ? known[i] : known[^1] + (slope * (i - known.Length + 1));
        }

        return read;
    }

    /// <summary>Writes what is known now, for <see cref="Read"/>.</summary>
    public void Write(string file)
    {
        int last = _seconds.Length;
        while (last > 1 && !IsFrozen && _verify[last - 1].Count == 0)
        {
            last--;
        }

        var costs = new JsonObject
        {
            ["draft_step_seconds"] = StepSeconds, ["verify_seconds"] = new JsonArray([.. _seconds[..last].Select(value => (JsonNode)value)]), ["overhead_seconds"] = OverheadSeconds,
        };
        AtomicFile.Write(file, stream => stream.Write(Encoding.UTF8.GetBytes(costs.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n")));
    }

    private const string Remedy = "a file that --costs wrote holds draft_step_seconds, verify_seconds and overhead_seconds";

    private static double Seconds(string file, string name, JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out double seconds) && double.IsFinite(seconds) && seconds is >= 0 and < 1e6
            ? seconds
            : throw new ModelFormatException(file, name, string.Create(CultureInfo.InvariantCulture, $"must be seconds, 0 or more"), Remedy);

    private void Forget()
    {
        _pace.Clear();
        _step.Clear();
        _overhead.Clear();
        foreach (RunningMedian rows in _verify)
        {
            rows.Clear();
        }

        (StepSeconds, OverheadSeconds) = (0, 0);
        _seconds.AsSpan().Clear();
        Beginnings++;
    }

    /// <summary>
    /// Works out the seconds by rows from the medians: what was measured often enough, and the plain pass, pooled with neighbours where it falls with the rows, and lines between; then
    /// what was measured too rarely, believed in part.
    /// </summary>
    private void Fill()
    {
        _isEarly = !Array.Exists(_verify, static rows => rows.Count >= Enough);
        int known = Pool(), level = 0, firstRows = 0, lastRows = 0;
        double lastSeconds = _levels[0];

        // A level holds up to its rows, from the first that were measured after the level before it.
        for (int rows = 1; known > 0 && rows <= _rows[known - 1]; rows++)
        {
            if (!IsKnown(rows))
            {
                continue;
            }

            while (rows > _rows[level])
            {
                level++;
            }

            double seconds = _levels[level];
            Line(lastRows, lastRows == 0 ? seconds : lastSeconds, rows, seconds);
            firstRows = firstRows == 0 ? rows : firstRows;
            (lastRows, lastSeconds) = (rows, seconds);
        }

        // What a row stands out by is noise, or the neighbours' is: measured as often half of it is taken for its own. So a step between two tiles' heights, met a few times, does not make the rows before it dear.
        double left = _seconds[0];
        for (int rows = 2; rows < lastRows; rows++)
        {
            double own = _seconds[rows - 1], beside = Math.Min(_verify[rows - 2].Count, _verify[rows].Count), noise = beside / Math.Max(beside + _verify[rows - 1].Count, 1);
            own = !IsKnown(rows) && _verify[rows - 1].Count > 0 ? Believed(rows, own) : own + (noise * (((left + _seconds[rows]) / 2) - own));
            (_seconds[rows - 1], left) = (Math.Clamp(own, _seconds[rows - 2], Math.Max(_seconds[rows], _seconds[rows - 2])), _seconds[rows - 1]);
        }

        FillBeyond(lastRows, (lastSeconds - _levels[0]) / Math.Max(lastRows - firstRows, 1));
    }

    /// <summary>Makes levels of what is known, each of the mean of the rows that it pools; returns how many.</summary>
    private int Pool()
    {
        int known = 0;
        for (int rows = 1; rows <= _verify.Length; rows++)
        {
            if (!IsKnown(rows))
            {
                continue;
            }

            (_levels[known], _weights[known], _rows[known]) = (_verify[rows - 1].Median, _verify[rows - 1].Count, rows);
            known++;
            while (known > 1 && _levels[known - 2] > _levels[known - 1])
            {
                int weight = _weights[known - 2] + _weights[known - 1];
                _levels[known - 2] = ((_levels[known - 2] * _weights[known - 2]) + (_levels[known - 1] * _weights[known - 1])) / weight;
                (_weights[known - 2], _rows[known - 2]) = (weight, _rows[known - 1]);
                known--;
            }
        }

        return known;
    }

    /// <summary>
    /// Beyond the last rows that are known: one more is hoped to cost half of the mean. What was measured is believed in part, and with it what lies before it, but not that a row costs more
    /// than twice the mean.
    /// </summary>
    private void FillBeyond(int lastRows, double mean)
    {
        for (int rows = lastRows + 1, from = lastRows; rows <= _seconds.Length; rows++)
        {
            _seconds[rows - 1] = _seconds[rows - 2] + (mean / 2);
            if (_verify[rows - 1].Count == 0)
            {
                continue;
            }

            double before = _seconds[from - 1], dearest = mean > 0 ? before + (2 * mean * (rows - from)) : double.PositiveInfinity, believed = Math.Clamp(Believed(rows, _seconds[rows - 1]), before, dearest);
            Line(from, before, rows, believed);
            from = rows;
        }
    }

    // What lies between two numbers of rows, and at the second.
    private void Line(int from, double before, int to, double seconds)
    {
        for (int rows = from + 1; rows <= to; rows++)
        {
            _seconds[rows - 1] = before + ((seconds - before) * (rows - from) / (to - from));
        }
    }

    // At first all is known badly.
    private bool IsKnown(int rows) => _verify[rows - 1].Count >= (_isEarly || rows == 1 ? 1 : Enough);

    // Of one measurement a quarter, of two half.
    private double Believed(int rows, double otherwise) => otherwise + ((_verify[rows - 1].Median - otherwise) * _verify[rows - 1].Count / (Enough + 1));

    /// <summary>The median of the last measurements.</summary>
    private sealed class RunningMedian(int window)
    {
        private readonly double[] _last = new double[window];
        private readonly double[] _sorted = new double[window];
        private int _next;

        public int Count { get; private set; }

        public double Median { get; private set; }

        public void Clear() => (Count, _next, Median) = (0, 0, 0);

        public double Add(double value)
        {
            // The oldest makes room, and the new one is put into its place: sorting anew would take as long as a small model's layer.
            int free = Count < window ? Count++ : _sorted.AsSpan().BinarySearch(_last[_next]);
            (_last[_next], _next) = (value, (_next + 1) % window);
            for (; free > 0 && _sorted[free - 1] > value; free--)
            {
                _sorted[free] = _sorted[free - 1];
            }

            for (; free + 1 < Count && _sorted[free + 1] < value; free++)
            {
                _sorted[free] = _sorted[free + 1];
            }

            _sorted[free] = value;
            return Median = (_sorted[(Count - 1) / 2] + _sorted[Count / 2]) / 2;
        }
    }
}

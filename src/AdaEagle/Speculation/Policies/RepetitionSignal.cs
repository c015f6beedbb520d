namespace AdaEagle.Speculation.Policies;

/// <summary>
/// What the text itself says of a draft: whether it goes on as the text went on where it last said the same. Where a text repeats itself a drafter is right more often than it knows,
/// and where its draft leaves the repetition, less often. How much more is learnt while running: for each length of what repeats, a shift of the predictor's logits, by steps of
/// stochastic gradient descent on cross-entropy. And what the text said is a draft of its own, which costs nothing to make: how often it is right is learnt likewise,
/// after SuffixDecoding (arXiv 2411.04975), which drafts so wherever that promises more tokens than a draft model. Nothing is allocated by a round. Not thread-safe.
/// </summary>
internal sealed class RepetitionSignal
{
    private const int LongestMatch = 32;

    /// <summary>It is looked for in so many of the last tokens.</summary>
    private const int Window = 4096;

    private const double Rate = 0.07;

    private const double MostShift = 4;

    // By how long the match is: none, 1, 2, 3, 4 to 5, 6 to 8, 9 to 12, 13 to 24, more.
    private const int Lengths = 9;

    /// <summary>What the logit that a draft goes on counts towards that the text goes on as it did.</summary>
    private const double PlanWeight = 0.6;

    // Where a draft is as likely to go on as not, the text goes on as it did with 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, before anything was seen of it.
    private static readonly double[] s_prior = [0, -1.4, -0.85, -0.4, 0, 0.4, 0.85, 1.4, 2.2];

    private readonly int[] _continuation;
    private readonly double[] _copies = [.. s_prior];
    private readonly double[] _confirmed = [.. s_prior];
    private readonly double[] _agrees = new double[Lengths];
    private readonly double[] _departs = new double[Lengths];
    private readonly double[] _next = new double[Lengths];
    private readonly int[] _matches;
    private readonly bool[] _isAgreement;
    private int _match;

    /// <summary>For drafts of at most <paramref name="maxDraft"/> tokens.</summary>
    public RepetitionSignal(int maxDraft)
    {
        _continuation = new int[maxDraft];
        _matches = new int[maxDraft + 1];
        _isAgreement = new bool[maxDraft];
    }

    /// <summary>Tokens of what repeats, 32 at most; 0 where nothing does.</summary>
    public int Match => _match;

    /// <summary>How the text would go on; nothing where nothing repeats.</summary>
    public ReadOnlySpan<int> Continuation => _match > 0 ? _continuation : [];

    /// <summary>Before a draft: looks for the longest earlier place that says what <paramref name="committed"/> ends in; of equals the last.</summary>
    public void Find(ReadOnlySpan<int> committed)
    {
        committed = committed[Math.Max(committed.Length - Window, 0)..];
        _match = 0;
        int end = committed.Length - 1, found = 0;
        for (int at = end; at > 0 && _match < LongestMatch;)
        {
            at = committed[..at].LastIndexOf(committed[end]);
            if (at < 0)
            {
                break;
            }

            int length = 1;
            while (length < LongestMatch && length <= at && committed[at - length] == committed[end - length])
            {
                length++;
            }

            if (length > _match)
            {
                (_match, found) = (length, at);
            }
        }

        // What followed there; where that is the end of the text, it begins again.
        int period = end - found;
        for (int i = 0; i < _continuation.Length && _match > 0; i++)
        {
            _continuation[i] = committed[found + 1 + (i % period)];
        }

        _matches[0] = _match;
    }

    /// <summary>Token <paramref name="i"/> of the draft, from 0, was drafted: the shifts of the chance that it is right, and that the next one would be.</summary>
    public (float Right, float Next) Follow(int i, int token)
    {
        int match = _matches[i];
        bool agrees = match > 0 && _continuation[i] == token;
        (_isAgreement[i], _matches[i + 1]) = (agrees, agrees ? match + 1 : 0);
        return ((float)(match == 0 ? 0 : RightShifts(i)[Length(match)]), (float)_next[Length(_matches[i + 1])]);
    }

    /// <summary>Takes in by how much the chance that token <paramref name="i"/> is right was too low.</summary>
    public void LearnRight(int i, double error) => Learn(RightShifts(i), _matches[i], error);

    /// <summary>The same of token <paramref name="i"/>, 1 or more, as the one before it told.</summary>
    public void LearnNext(int i, double error) => Learn(_next, _matches[i], error);

    /// <summary>True if the draft's first <paramref name="drafted"/> tokens are what the text said, or there are none, and so its continuation goes on from them.</summary>
    public bool Continues(int drafted) => _matches[drafted] > 0;

    /// <summary>P(token <paramref name="i"/> of the continuation, from 0, is right | those before it are), before a draft or where the draft's first tokens are the continuation's.</summary>
    /// <param name="i">Its place.</param>
    /// <param name="planned">The logit that a draft's token is right there, as it was planned.</param>
    /// <param name="isConfirmed">True if the drafter proposed the continuation's first token too.</param>
    public double Copy(int i, float planned, bool isConfirmed) => 1 / (1 + Math.Exp(-((PlanWeight * planned) + (isConfirmed ? _confirmed : _copies)[Length(_match + i)])));

    /// <summary>Before the next search: takes in what was said where the continuation was looked for.</summary>
    /// <param name="said">The tokens that were committed since.</param>
    /// <param name="planned">What was planned for their places, as for <see cref="Copy"/>.</param>
    /// <param name="isConfirmed">True if the drafter had proposed the continuation's first token.</param>
    public void Learn(ReadOnlySpan<int> said, ReadOnlySpan<float> planned, bool isConfirmed)
    {
        bool isRight = true;
        for (int i = 0; i < said.Length && isRight && i < Continuation.Length; i++)
        {
            isRight = said[i] == _continuation[i];
            Learn(_copies, _match + i, (isRight ? 1 : 0) - Copy(i, planned[i], false));
            if (isConfirmed && i > 0)
            {
                Learn(_confirmed, _match + i, (isRight ? 1 : 0) - Copy(i, planned[i], true));
            }
        }
    }

    // Without a match there is nothing to learn: the shift stays nought.
    private static void Learn(double[] shifts, int match, double error)
    {
        if (match > 0)
        {
            ref double shift = ref shifts[Length(match)];
            shift = Math.Clamp(shift + (Rate * error), -MostShift, MostShift);
        }
    }

    private static int Length(int match) => match switch { <= 3 => match, <= 5 => 4, <= 8 => 5, <= 12 => 6, <= 24 => 7, _ => 8 };

    private double[] RightShifts(int i) => _isAgreement[i] ? _agrees : _departs;
}

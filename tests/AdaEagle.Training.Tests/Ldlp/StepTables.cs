using AdaEagle.Speculation;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Ldlp;
using AdaEagle.Training.Tests.Answers;
using AdaEagle.Training.Tests.Eagle;

namespace AdaEagle.Training.Tests.Ldlp;

/// <summary>Recorded steps to test with: those of a small head, and synthetic ones.</summary>
internal static class StepTables
{
    public const int MaxDraft = 4;

    /// <summary>Width of synthetic features and output rows.</summary>
    public const int Hidden = 8;

    /// <summary>Roots whose hazard one number of the feature tells, and whose tokens' rightness one number of the output row nearly tells.</summary>
    public static StepTable Synthetic(int answers, int seed)
    {
        var random = new Random(seed);
        return new StepTable(Hidden, MaxDraft, [.. Enumerable.Range(0, answers).Select(job =>
        {
            const int Count = 20;
            var roots = new StepRoot[Count];
            var steps = new List<DraftStep>();
            var hidden = new List<ushort>();
            float[] features = [.. Enumerable.Range(0, Count * Hidden).Select(_ => random.NextSingle())];
            for (int index = 0; index < Count; index++)
            {
                double hazard = 0.1 + (0.85 * features[index * Hidden]);
                int first = steps.Count, run = 0;
                for (int i = 0; i < MaxDraft; i++)
                {
                    bool right = random.NextDouble() < hazard;
                    run += right && run == i ? 1 : 0;
                    float[] output = [(right ? 1 : -1) + (1.5f * (random.NextSingle() - 0.5f)), .. Enumerable.Range(1, Hidden - 1).Select(_ => random.NextSingle())];
                    hidden.AddRange(output.Select(AnswerSteps.ToBf16));
                    steps.Add(new DraftStep(new DraftSignals(0.5f, 0.2f, 1), -0.7f * (i + 1), new Four(-0.7f, -1.6f, -2, -3), new Four(run > i ? 1 : 0, 0, 0, 0)));
                }

                roots[index] = new StepRoot(0, 1, run, new DraftSignals(0.5f, 0.3f, 1), 0, first, MaxDraft);
            }

            return new AnswerSteps(job, "c", false, true, false, roots, [.. steps], features, [.. hidden]);
        })]);
    }

    public static IEnumerable<Answer> Answers(SmallHead head) =>
        head.Small.Answer(head.Small.Settings(16), SmallTarget.Jobs(12), 1, [.. Enumerable.Range(0, 8)]).Select(item => item.Answer).Where(answer => RunLengths.RootCount(answer, MaxDraft) > 0);

    public static StepTable Record(SmallHead head, Answer[] answers, bool whole)
    {
        var recorded = new List<AnswerRuns>();
        new RunLengths(head.Small.Target.Model, head.Engine, MaxDraft, whole, [0.5f, 1.5f]).Record(answers, 1, recorded.Add);
        return new StepTable(head.Small.Target.Model.Config.HiddenSize, MaxDraft, [.. recorded.OrderBy(runs => runs.Answer.Job).Select(runs => runs.Steps!)]);
    }
}

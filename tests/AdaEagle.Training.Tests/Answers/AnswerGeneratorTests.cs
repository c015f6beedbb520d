using AdaEagle.Formats;
using AdaEagle.Models;
using AdaEagle.Training.Answers;

namespace AdaEagle.Training.Tests.Answers;

public class AnswerGeneratorTests
{
    [Fact]
    public void Many_answers_at_once_are_those_that_the_target_gives_alone()
    {
        using var small = new SmallTarget();
        AnswerSettings settings = small.Settings(24);
        AnswerJob[] jobs = SmallTarget.Jobs(3 * AnswerGenerator.Lanes);
        int[] ends = [.. Enumerable.Range(0, 30)]; // many tokens that end an answer, so that lanes are taken over at all lengths

        List<(Answer Answer, ushort[] Features)> answers = small.Answer(settings, jobs, threads: 2, ends);

        Assert.Equal(jobs.Length, answers.Count);
        Assert.All(answers, item =>
        {
            AnswerJob job = jobs[item.Answer.Job];
            Assert.Equal(small.Alone(settings, job, ends), item.Answer.Tokens);
            Assert.Equal((job.Prompt.Tokens.Length, job.Prompt.Category, job.IsSampled), (item.Answer.PromptLength, item.Answer.Category, item.Answer.IsSampled));
            Assert.Equal(item.Answer.IsCut, !ends.Contains(item.Answer.Tokens[^1]));
            Assert.Empty(item.Features);
        });
        Assert.Contains(answers, item => item.Answer.IsCut);
        Assert.Contains(answers, item => !item.Answer.IsCut);
    }

    [Fact]
    public void Kept_features_are_those_of_one_pass_over_the_answer()
    {
        using var small = new SmallTarget();
        int hidden = small.Target.Model.Config.HiddenSize;

        foreach ((Answer answer, ushort[] features) in small.Answer(small.Settings(20, features: true) with { Boundaries = "2,0" }, SmallTarget.Jobs(30), threads: 1, [7]))
        {
            Assert.Equal((answer.Tokens.Length - 1) * 3 * hidden, features.Length);
            using var target = new LlamaTarget(small.Target.Model);
            using KvCache cache = target.CreateCache(answer.Tokens.Length);
            var rows = new PassRows(answer.Tokens.Length);
            for (int i = 0; i + 1 < answer.Tokens.Length; i++)
            {
                rows.Add(cache, answer.Tokens[i], i - 1);
            }

            target.Forward(rows, new PassRequest { Boundaries = [0, 2] });
            for (int i = 0; i + 1 < answer.Tokens.Length; i++)
            {
                float[] expected = [.. target.Feature(i), .. target.Boundary(2, i), .. target.Boundary(0, i)];
                Assert.Equal(expected.Select(FloatConversion.ToBF16), features[(i * 3 * hidden)..((i + 1) * 3 * hidden)]);
            }
        }
    }

    [Fact]
    public void A_run_ends_when_it_is_told_to()
    {
        using var small = new SmallTarget();
        int count = 0;
        new AnswerGenerator(small.Target.Model, small.Settings(16), []).Run(SmallTarget.Jobs(200), 1, (_, _) => ++count < 5);
        Assert.Equal(5, count);
    }
}

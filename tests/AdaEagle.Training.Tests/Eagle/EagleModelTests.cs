using AdaEagle.Kernels;
using AdaEagle.Models;
using AdaEagle.Training.Answers;
using AdaEagle.Training.Eagle;
using AdaEagle.Training.Tests.Answers;
using TorchSharp;
using static TorchSharp.torch;

namespace AdaEagle.Training.Tests.Eagle;

public class EagleModelTests
{
    /// <summary>The drafts of three steps that are trained are the ones that the engine makes: same features in, same out, at every root.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Trainer_and_engine_draft_the_same_in_every_step(bool eagle3)
    {
        using var head = new SmallHead(eagle3);
        AnswerSettings settings = head.Small.Settings(18, features: true) with { Boundaries = eagle3 ? SmallHead.Boundaries : "" };
        using AnswerStore store = AnswerStore.Open(Path.Combine(head.Small.Folder, "answers"), settings);
        foreach ((Answer answer, ushort[] kept) in head.Small.Answer(settings, SmallTarget.Jobs(6), 1))
        {
            store.Add(answer, kept);
        }

        using var scope = NewDisposeScope();
        using var none = no_grad();
        (PackedBatch batch, long next) = new PackedAnswers(store, 150, seed: 1, eagle3).Read(0);
        Assert.InRange(next, 2, 6);
        (Tensor first, (Tensor Keys, Tensor Values) own) = head.Model.Forward(batch.States, tensor(batch.Tokens), [.. Enumerable.Range(0, batch.Tokens.Length)], batch.Spans, []);
        Tensor tokens = tensor(batch.ChainRows.Select(row => batch.Tokens[row]).ToArray());
        (Tensor second, (Tensor Keys, Tensor Values) then) = head.Model.Forward(
            first.index_select(0, tensor(batch.Before(inChain: false))), tokens, batch.ChainRows, batch.ChainSpans, [own]);
        (Tensor third, _) = head.Model.Forward(second.index_select(0, tensor(batch.Before(inChain: true))), tokens, batch.ChainRows, batch.ChainSpans, [own, then]);
        float[][] outputs = [.. ((Tensor[])[first, second, third]).Select(output => output.data<float>().ToArray())];
        float[] states = batch.States.data<float>().ToArray();
        (Tensor scored, Tensor lmHead) = head.Model.Scoring(first);
        float[] logits = scored.mm(lmHead.t()).data<float>().ToArray();

        using var runner = new EagleHeadRunner(head.Engine, WorkerPool.Shared, 4);
        int hidden = runner.HiddenSize, width = head.Engine.InputWidth, vocabulary = head.Engine.VocabularySize, compared = 0;
        Assert.Equal(eagle3 ? (3 * hidden, 96) : (hidden, 352), (width, vocabulary));
        for (int answer = 0; answer < batch.Spans.Length; answer++)
        {
            (PackedSpan span, PackedSpan chain) = (batch.Spans[answer], batch.ChainSpans[answer]);
            using KvCache cache = runner.CreateCache(span.Rows + 4);
            var rows = new PassRows(4);
            for (int pair = 0; pair + 2 < span.Rows; pair++)
            {
                rows.Clear();
                rows.Add(cache, (int)batch.Tokens[span.FirstRow + pair]);
                states.AsSpan((span.FirstRow + pair) * width, width).CopyTo(runner.TargetInput(0));
                runner.ForwardCommitted(rows, 1);
                cache.CommitFirst(1);
                Compare(outputs[0], span.FirstRow + pair, runner.Output(0));
                Compare(logits, span.FirstRow + pair, runner.Logits(0));
                rows.Clear();
                for (int step = 1, last = -1; step <= 2 && pair + 1 >= chain.FirstPosition; step++)
                {
                    rows.Continue();
                    float[] fed = runner.Output(0).ToArray();
                    last = rows.Add(cache, (int)batch.Tokens[span.FirstRow + pair + step], last);
                    fed.CopyTo(runner.FeatureInput(0));
                    runner.Forward(rows, 0);
                    Compare(outputs[step], chain.FirstRow + pair + step - chain.FirstPosition, runner.Output(0));
                }

                cache.Discard();
            }
        }

        Assert.True(compared > 100, $"{compared} rows were compared.");

        void Compare(float[] trained, int row, ReadOnlySpan<float> engine)
        {
            compared++;
            for (int i = 0; i < engine.Length; i++)
            {
                Assert.Equal(engine[i], trained[row * engine.Length + i], 1e-4 * (1 + Math.Abs(engine[i])));
            }
        }
    }

    [Fact]
    public void What_counts_in_a_step_begins_one_row_later_than_in_the_step_before()
    {
        using var scope = NewDisposeScope();
        var batch = new PackedBatch
        {
            AnswerTokens = 0, States = zeros(1), Teachers = zeros(1), Tokens = new long[12], ChainRows = [3, 4, 9, 10, 11],
            Spans = [new PackedSpan(0, 5, 0, 0), new PackedSpan(5, 7, 0, 5)], ChainSpans = [new PackedSpan(0, 2, 3, 0), new PackedSpan(2, 3, 4, 5)],
        };

        (int[] rows, int[] teachers) = batch.Counting(0); // pairs from P - 1 on: 2, 3, 4 and 3, 4, 5, 6
        Assert.Equal([2, 3, 4, 8, 9, 10, 11], rows);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6], teachers);
        (rows, teachers) = batch.Counting(1);
        Assert.Equal([0, 1, 2, 3, 4], rows);
        Assert.Equal([1, 2, 4, 5, 6], teachers);
        (rows, teachers) = batch.Counting(2);
        Assert.Equal([1, 3, 4], rows);
        Assert.Equal([2, 5, 6], teachers);
        Assert.Equal([2, 3, 8, 9, 10], batch.Before(inChain: false));
        Assert.Equal([0, 0, 2, 2, 3], batch.Before(inChain: true));
    }

    [Fact]
    public void Rows_whose_best_token_cannot_be_proposed_do_not_count()
    {
        using var head = new SmallHead(eagle3: true);
        using var scope = NewDisposeScope();
        Tensor features = randn(1100, head.Model.Config.HiddenSize);
        long[] best = features.mm(head.Model.TargetLmHead.t()).argmax(1).data<long>().ToArray();
        int[] tokens = [.. Enumerable.Range(0, 96).Select(head.Engine.TargetToken)];
        bool[] counts = head.Model.CanPropose(features)!;
        Assert.Equal(best.Select(token => tokens.Contains((int)token)), counts);
        Assert.Contains(true, counts);
        Assert.Contains(false, counts);
    }

    [Fact]
    public void The_draft_vocabulary_is_the_answers_most_frequent_tokens()
    {
        // The prompt's tokens (before the bar) don't count: 5 | 9 9 4 4 7, 7 7 | 9 2.
        Answer[] answers = [new(0, "", [5, 9, 9, 4, 4, 7], 1, true, false), new(1, "", [7, 7, 9, 2], 2, true, false)];
        Assert.Equal([2, 4, 9], DraftVocabulary.Choose(answers, 12, 3));
        Assert.Equal([0, 2, 4, 7, 9], DraftVocabulary.Choose(answers, 12, 5));
        Assert.Equal(6 / 7.0, DraftVocabulary.Coverage(answers, [2, 4, 9]));
    }

    [Fact]
    public void A_head_that_the_trainer_cannot_make_is_refused()
    {
        using var small = new SmallTarget();
        Assert.Throws<InvalidDataException>(() => new EagleModel(
            small.Target.Model.Config with { HeadDimension = 48 }, small.Target.Embedding(), small.Target.LmHead(), "none", [], 1, ScalarType.Float32, 64, 1));
    }
}

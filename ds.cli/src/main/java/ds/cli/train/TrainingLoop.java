package ds.cli.train;

import ds.cli.job.StopRequest;
import ds.data.BatchPlan;
import ds.data.TokenFile;
import ds.data.TrainingBatches;
import ds.models.gpt.GptConfig;
import ds.zero.ZeroEngine;
import ds.zero.config.BatchConfig;
import ds.zero.run.StepResult;
import java.util.Optional;

/** The steps of a run, and the evaluations between them. */
final class TrainingLoop implements AutoCloseable {
    /** More than there are ranks: two counts in one number. */
    private static final double FAILED_SAVE = 0x1p20;

    private final RunConfig config;
    private final GptConfig shape;
    private final ZeroEngine engine;
    private final RunCheckpoints checkpoints;
    private final RunReport report;
    private final TokenBatches memory;
    private final TrainingBatches batches;
    private final Evaluation evaluation;
    private final TokenFile train;
    private final TokenFile validation;

    /** The two token files of a run. */
    record TokenFiles(TokenFile train, TokenFile validation) {}

    /** What is trained, how, and on what. */
    record Task(RunConfig config, GptConfig shape, TokenFiles files) {}

    TrainingLoop(Task task, ZeroEngine engine, RunCheckpoints checkpoints, RunReport report) {
        this.config = task.config();
        this.shape = task.shape();
        this.engine = engine;
        this.checkpoints = checkpoints;
        this.report = report;
        this.train = task.files().train();
        this.validation = task.files().validation();
        BatchConfig batch = config.zero().batch();
        int time = config.loop().sequenceLength(shape);
        int rank = engine.dataParallelRank();
        int ranks = engine.dataParallelSize();
        BatchPlan plan = new BatchPlan(Math.toIntExact(batch.trainBatchSize()), time, rank, ranks);
        BatchPlan evaluationPlan = new BatchPlan(batch.microBatchSize() * ranks, time, rank, ranks);
        this.memory = new TokenBatches(engine.backend(), batch.microBatchSize(), time);
        this.batches = new TrainingBatches(train, plan, config.zero().runtime().seed());
        this.evaluation = new Evaluation(engine, validation, evaluationPlan, memory);
    }

    /**
     * Trains the steps that are left.
     *
     * @param stop asks for an end after the step under way
     * @return the last evaluation; empty if the run was stopped before its last step
     */
    Optional<Evaluation.Result> run(StopRequest stop) {
        BatchConfig batch = config.zero().batch();
        long tokensPerStep = batch.trainBatchSize() * batches.plan().sequenceLength();
        report.starting(new RunSummary(
                shape,
                engine.worldSize(),
                config.zero().zero().stage().number(),
                config.zero().precision().weights().name(),
                config.loop().steps(),
                tokensPerStep,
                train.tokens(),
                validation.tokens(),
                engine.backend().memory().liveBytes()));
        long steps = config.loop().steps();
        long next = checkpoints.nextBatch(batch.trainBatchSize());
        for (long step = checkpoints.step() + 1; step <= steps; step++) {
            long index = next++;
            long start = System.nanoTime();
            StepResult result = engine.trainBatch(micro -> memory.training(batches, index, micro));
            report.step(result, tokensPerStep * 1e9 / (System.nanoTime() - start));
            Optional<Evaluation.Result> evaluated = evaluate(step);
            boolean stopped = step < steps && agree(stop);
            checkpoints.stepDone(stopped || step == steps);
            if (stopped || step == steps) {
                return stopped ? Optional.empty() : evaluated;
            }
        }
        return Optional.of(evaluation.run()); // an earlier run has done all steps
    }

    private Optional<Evaluation.Result> evaluate(long step) {
        if (step != config.loop().steps() && step % config.loop().evaluateEvery() != 0) {
            return Optional.empty();
        }
        Evaluation.Result evaluated = evaluation.run();
        report.evaluated(step, evaluated);
        return Optional.of(evaluated);
    }

    /**
     * {@return whether a rank was asked to stop} A signal reaches the ranks at different steps, or one of them only: they agree on
     * the step. With it they tell each other that a save has failed.
     */
    private boolean agree(StopRequest stop) {
        double flags = engine.sumOverRanks((stop.isRequested() ? 1 : 0) + (checkpoints.hasFailed() ? FAILED_SAVE : 0));
        if (flags >= FAILED_SAVE) {
            checkpoints.await();
        }
        return flags % FAILED_SAVE > 0;
    }

    @Override
    public void close() {
        memory.close();
    }
}

package ds.cli.train;

import ds.api.TensorBackend;
import ds.api.comm.Rendezvous;
import ds.data.BatchPlan;
import ds.data.TokenFile;
import ds.data.TrainingBatches;
import ds.models.gpt.GptConfig;
import ds.zero.StepResult;
import ds.zero.ZeroEngine;
import ds.zero.config.BatchConfig;

/** The steps of a run, and the evaluations between them. */
final class TrainingLoop implements AutoCloseable {
    private final RunConfig config;
    private final GptConfig shape;
    private final ZeroEngine engine;
    private final TensorBackend backend;
    private final RunReport report;
    private final TokenBatches memory;
    private final TrainingBatches batches;
    private final Evaluation evaluation;
    private final TokenFile train;
    private final TokenFile validation;

    /** The two token files of a run. */
    record TokenFiles(TokenFile train, TokenFile validation) {}

    TrainingLoop(
            RunConfig config,
            GptConfig shape,
            ZeroEngine engine,
            TensorBackend backend,
            Rendezvous rendezvous,
            TokenFiles files,
            RunReport report) {
        this.config = config;
        this.shape = shape;
        this.engine = engine;
        this.backend = backend;
        this.report = report;
        this.train = files.train();
        this.validation = files.validation();
        BatchConfig batch = config.zero().batch();
        int time = config.loop().sequenceLength(shape);
        int rank = rendezvous.rank();
        int ranks = rendezvous.worldSize();
        BatchPlan plan = new BatchPlan(Math.toIntExact(batch.trainBatchSize()), time, rank, ranks);
        BatchPlan evaluationPlan = new BatchPlan(batch.microBatchSize() * ranks, time, rank, ranks);
        this.memory = new TokenBatches(backend, batch.microBatchSize(), time);
        this.batches = new TrainingBatches(train, plan, config.zero().runtime().seed());
        this.evaluation = new Evaluation(engine, validation, evaluationPlan, memory);
    }

    /** {@return the last evaluation} */
    Evaluation.Result run() {
        BatchConfig batch = config.zero().batch();
        long tokensPerStep = batch.trainBatchSize() * batches.plan().sequenceLength();
        report.starting(new RunSummary(
                shape,
                batch.worldSize(),
                config.zero().zero().stage().number(),
                config.zero().precision().weights().name(),
                config.loop().steps(),
                tokensPerStep,
                train.tokens(),
                validation.tokens(),
                backend.memory().liveBytes()));
        long steps = config.loop().steps();
        for (long step = 1; ; step++) {
            long index = step - 1;
            long start = System.nanoTime();
            StepResult result = engine.trainBatch(micro -> memory.training(batches, index, micro));
            report.step(result, tokensPerStep * 1e9 / (System.nanoTime() - start));
            if (step == steps || step % config.loop().evaluateEvery() == 0) {
                Evaluation.Result evaluated = evaluation.run();
                report.evaluated(step, evaluated);
                if (step == steps) {
                    return evaluated;
                }
            }
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}

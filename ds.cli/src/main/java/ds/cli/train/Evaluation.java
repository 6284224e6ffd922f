package ds.cli.train;

import ds.data.BatchPlan;
import ds.data.EvaluationBatches;
import ds.data.TokenFile;
import ds.zero.ZeroEngine;

/** The loss on all of the held-out text, every token once, shared by the ranks. */
final class Evaluation {
    private final ZeroEngine engine;
    private final EvaluationBatches batches;
    private final TokenBatches memory;
    private final TokenFile file;
    private final int time;

    /**
     * Prepares evaluations.
     *
     * @param file of the held-out text
     * @param plan of its batches: as many sequences a rank as {@code memory} holds
     */
    Evaluation(ZeroEngine engine, TokenFile file, BatchPlan plan, TokenBatches memory) {
        this.engine = engine;
        this.batches = new EvaluationBatches(file, plan);
        this.memory = memory;
        this.file = file;
        this.time = plan.sequenceLength();
    }

    /**
     * What an evaluation found.
     *
     * @param loss in nats per token
     * @param bitsPerByte of the text: all nats over all its bytes, in bits
     */
    record Result(double loss, double bitsPerByte) {}

    /** {@return the mean over all ranks; all ranks call it} */
    Result run() {
        double nats = 0;
        for (long batch = 0; batch < batches.batches(); batch++) {
            long valid = batches.fill(batch, 0, memory.hostInputs(), memory.hostTargets());
            memory.upload();
            long whole = valid / time;
            long rest = valid % time;
            if (whole > 0) {
                nats += whole * time * engine.evaluate(memory.part(0, whole, time));
            }
            if (rest > 0) {
                nats += rest * engine.evaluate(memory.part(whole * time, 1, rest));
            }
        }
        double total = engine.sumOverRanks(nats);
        return new Result(total / batches.targets(), total / (file.textBytes() * Math.log(2)));
    }
}

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
            boolean last = batch == batches.batches() - 1;
            nats += nats(0, whole, time, last);
            nats += nats(whole * time, 1, valid % time, last);
        }
        double total = engine.sumOverRanks(engine.isFirstOfTensorAxis() ? nats : 0);
        return new Result(total / batches.targets(), total / (file.textBytes() * Math.log(2)));
    }

    /**
     * The loss of some sequences, in nats.
     *
     * @param together whether other ranks may have sequences here where this one has none: at stage 3 an evaluation gathers
     *     weights, so all ranks take part in it
     */
    private double nats(long firstToken, long sequences, long length, boolean together) {
        if (sequences > 0 && length > 0) {
            return sequences * length * engine.evaluate(memory.part(firstToken, sequences, length));
        }
        if (together) {
            engine.evaluate(memory.part(0, 1, time));
        }
        return 0;
    }
}

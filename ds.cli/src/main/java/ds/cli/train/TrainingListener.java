package ds.cli.train;

import ds.data.Preparation;
import ds.zero.run.StepResult;
import java.nio.file.Path;

/** Is told how a run goes on; only rank 0's is called. */
public interface TrainingListener {
    /** Text is being tokenised. */
    void preparing(Preparation.Progress progress);

    /** Everything is allocated, and the first step begins. */
    void starting(RunSummary summary);

    /** The run goes on where an earlier one has ended. */
    void resuming(Path checkpoint, long step);

    /** A step is done. */
    void step(StepResult result, double tokensPerSecond);

    /**
     * The held-out text was evaluated.
     *
     * @param loss in nats per token
     * @param bitsPerByte of the text
     */
    void evaluated(long step, double loss, double bitsPerByte);
}

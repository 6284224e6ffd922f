package ds.cli.train;

import ds.zero.run.StepResult;
import java.nio.file.Path;

/** What is written down and told while a run goes on: by rank 0, and by nobody else. */
sealed interface RunReport extends AutoCloseable {
    void starting(RunSummary summary);

    void resuming(Path checkpoint, long step);

    void step(StepResult result, double tokensPerSecond);

    void evaluated(long step, Evaluation.Result result);

    @Override
    void close();

    /** Rank 0's: metrics into files, progress to the listener. */
    record Written(Metrics metrics, TrainingListener listener) implements RunReport {
        @Override
        public void starting(RunSummary summary) {
            listener.starting(summary);
        }

        @Override
        public void resuming(Path checkpoint, long step) {
            listener.resuming(checkpoint, step);
        }

        @Override
        public void step(StepResult result, double tokensPerSecond) {
            metrics.step(result, tokensPerSecond);
            listener.step(result, tokensPerSecond);
        }

        @Override
        public void evaluated(long step, Evaluation.Result result) {
            metrics.evaluation(step, result);
            listener.evaluated(step, result.loss(), result.bitsPerByte());
        }

        @Override
        public void close() {
            metrics.close();
        }
    }

    /** The other ranks'. */
    record Silent() implements RunReport {
        @Override
        public void starting(RunSummary summary) {}

        @Override
        public void resuming(Path checkpoint, long step) {}

        @Override
        public void step(StepResult result, double tokensPerSecond) {}

        @Override
        public void evaluated(long step, Evaluation.Result result) {}

        @Override
        public void close() {}
    }
}

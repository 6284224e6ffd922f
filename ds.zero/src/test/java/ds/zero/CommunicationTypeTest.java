package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import ds.api.Kernels;
import ds.api.comm.Communicator;
import ds.api.comm.Traffic;
import ds.api.layer.Batch;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code communication_data_type} of an F32 model: its gradients, and they alone, travel in 2 bytes, at every stage. */
class CommunicationTypeTest {
    private static final int RANKS = 2;
    private static final int ROWS = 6;

    /** The first step, and what this rank has sent in it. */
    private record Step(StepResult result, Traffic sent) {}

    private static Step step(int stage, String type, double size, Communicator communicator) {
        ZeroConfig config = ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": 2,
                         "zero_optimization": {"stage": %d}, "communication_data_type": "%s", "ds": {"seed": 42}}
                        """.formatted(ROWS, stage, type), Known.ofWorld(RANKS))
                .value();
        try (ReferenceBackend backend = new ReferenceBackend();
                ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
            Batch batch = TinyModel.batch(backend, 0, 0, ROWS); // the same everywhere: in sums nothing cancels
            Kernels kernels = backend.kernels(backend.computeStream());
            kernels.axpby(
                    size, batch.targets().orElseThrow(), 0, batch.targets().orElseThrow());
            Traffic before = communicator.traffic();
            StepResult result = engine.trainBatch(micro -> batch);
            engine.awaitWeights();
            return new Step(result, communicator.traffic().since(before));
        }
    }

    /** Gradients are rounded once before and once behind the sum: by 2^-9 of each with BF16, by 2^-12 with FP16. */
    @ParameterizedTest
    @CsvSource({"0,bf16,9", "1,bf16,9", "2,bf16,9", "3,bf16,9", "0,fp16,12", "1,fp16,12", "2,fp16,12", "3,fp16,12"})
    void gradientsTravelInTwoBytes(int stage, String type, int bits) throws Exception {
        InProcessCommunicators.run(RANKS, communicator -> {
            Map<String, Step> steps = new HashMap<>();
            for (String sent : new String[] {"fp32", type}) {
                steps.put(sent, step(stage, sent, 1, communicator));
            }
            Step whole = steps.get("fp32");
            Step less = steps.get(type);
            assertEquals(whole.sent().elements(), less.sent().elements());
            // Half of three units of 64: once to the owner and back, once to the owner, or that after each micro-batch.
            long travelling = stage == 1 ? 96 : 2 * 96;
            assertEquals(travelling * 2, whole.sent().bytes() - less.sent().bytes());
            double norm = whole.result().gradientNorm();
            assertEquals(norm, less.result().gradientNorm(), norm * 2.01 * Math.scalb(1.0, -bits));
            assertNotEquals(norm, less.result().gradientNorm(), "rounded");
            assertEquals(whole.result().loss(), less.result().loss());
        });
    }

    /** What is too large for the type that travels is an overflow, whatever the model's type. */
    @ParameterizedTest
    @CsvSource({"0,fp16,true", "1,fp16,true", "2,fp16,true", "3,fp16,true", "3,bf16,false", "0,fp32,false"})
    void anOverflowOnTheWayIsSeen(int stage, String type, boolean skipped) throws Exception {
        InProcessCommunicators.run(
                RANKS,
                communicator -> assertEquals(
                        skipped,
                        step(stage, type, 1e8, communicator).result().skipped(),
                        "gradients of 1e8 are more than 65504"));
    }
}

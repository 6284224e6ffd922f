package ds.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.MemoryUse;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Activation checkpointing of a GPT with dropout on the CPU backend: the same bits, less memory. */
class RecomputationTest {
    private static final Map<String, String> PRECISIONS =
            Map.of("fp32", "\"bf16\": {\"enabled\": false}", "bf16", "\"bf16\": {\"enabled\": true}");

    @ParameterizedTest
    @CsvSource({"fp32,1,false", "fp32,2,false", "fp32,6,true", "bf16,1,false", "bf16,3,true", "bf16,6,false"})
    void lossesAndWeightsAreTheSameBits(String precision, int checkpoints, boolean onHost) throws Exception {
        String plain = PRECISIONS.get(precision);
        String block = ", \"activation_checkpointing\": {\"number_checkpoints\": %d, \"cpu_checkpointing\": %s}"
                .formatted(checkpoints, onHost);
        GptRun expected = GptRun.of(GptRun.config(1, 0, plain));
        GptRun actual = GptRun.of(GptRun.config(1, 0, plain + block));
        assertEquals(expected.losses(), actual.losses());
        assertEquals(expected.weights(), actual.weights());
    }

    /**
     * With a segment for each block, of a tensor {@code [B, T, C]} are kept: the embedding's output, each block's, and of the
     * head the normalised rows and the gradient of its input. Statistics and losses are some hundredths of one.
     */
    @Test
    void oneTensorForEachBlockIsKept() throws Exception {
        long tensor = (long) GptRun.B * GptRun.T * GptRun.SHAPE.channels() * Float.BYTES;
        MemoryUse all = GptRun.of(GptRun.config(1, 0, "")).training();
        MemoryUse kept = GptRun.of(GptRun.config(1, 0, "\"ds\": {\"checkpoint_every\": 1}"))
                .training();
        double tensors = (double) kept.labels().get("activations").liveBytes() / tensor;
        int layers = GptRun.SHAPE.layers();
        assertEquals(layers + 3, tensors, 0.1, "tensors kept with recomputation");
        double before = (double) all.labels().get("activations").liveBytes() / tensor;
        assertTrue(before > 16 * layers, "tensors kept without it: " + before);
        double inside = (double) kept.labels().get("recomputed").liveBytes() / tensor;
        assertTrue(inside < before / layers + 1, "tensors of the one block that is recomputed: " + inside);
    }

    @Test
    void offloadedInputsLeaveTheDevice() throws Exception {
        String block = "\"activation_checkpointing\": {\"number_checkpoints\": 6, \"cpu_checkpointing\": true}";
        MemoryUse memory = GptRun.of(GptRun.config(1, 0, block)).training();
        long tensor = (long) GptRun.B * GptRun.T * GptRun.SHAPE.channels() * Float.BYTES;
        assertEquals(
                GptRun.SHAPE.layers() * tensor,
                memory.labels().get("offloadedActivations").liveBytes());
        double tensors = (double) memory.labels().get("activations").liveBytes() / tensor;
        assertEquals(4, tensors, 0.1, "the embedding's output, one for all blocks, and two of the head");
    }
}

package ds.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.MemoryUse;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroEngine;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How memory grows with sequences, vocabulary and tokens: measured by the CPU backend's accounts in two steps of training. */
class MemoryScalingTest {
    /** What the head may have of logits at a time. */
    private static final long LOGITS_BYTES = 256L << 20;

    /** What the scores of two heads would take at T = 8192, in F32. */
    private static final long SCORES_BYTES = 2L * 8192 * 8192 * Float.BYTES;

    private static MemoryUse train(GptConfig shape, int sequences, int time, boolean bf16) throws Exception {
        AtomicReference<MemoryUse> memory = new AtomicReference<>();
        ZeroConfig config = ZeroConfig.parse(
                        "{\"train_micro_batch_size_per_gpu\": %d, \"bf16\": {\"enabled\": %s}}"
                                .formatted(sequences, bf16),
                        Known.ofWorld(1))
                .value();
        Map<String, Long> oneThread = Map.of("threads", 1L);
        InProcessCommunicators.run(1, communicator -> {
            try (TensorBackend backend =
                            Providers.backends().get("cpu").open(0, new ProviderOptions("ds.backend", oneThread));
                    ZeroEngine engine = ZeroEngine.initialize(new Gpt(shape).layers(), config, backend, communicator)) {
                Batch batch = RandomTokens.batch(backend, 0, sequences, time, shape.vocabulary());
                for (int step = 0; step < 2; step++) {
                    engine.trainBatch(micro -> batch);
                }
                memory.set(backend.memory());
            }
        });
        return memory.get();
    }

    /** What a steady step has: after the first one, arenas are one block each, as large as what is in them. */
    private static long bytes(MemoryUse memory, String label) {
        MemoryUse.Label use = memory.labels().get(label);
        return use == null ? 0 : use.liveBytes();
    }

    /** The tensors of a step beside those of the model: they grow with T, or else with T² if scores are kept. */
    private static long tensors(MemoryUse memory) {
        return bytes(memory, "activations") + bytes(memory, "scratch");
    }

    /**
     * In all lengths it is the same tensors, so that what they take is a line; and together with what products need besides, which depends
     * on the processor and leaps where oneDNN takes another algorithm, far less than scores would.
     */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void attentionIsLinearInTheLengthOfSequences(boolean bf16) throws Exception {
        GptConfig shape = GptConfig.of(64, 8192, 1, 64, 2);
        long at2048 = tensors(train(shape, 1, 2048, bf16));
        long at4096 = tensors(train(shape, 1, 4096, bf16));
        MemoryUse longest = train(shape, 1, 8192, bf16);
        long at8192 = tensors(longest);
        assertEquals(2.0 * (at4096 - at2048), at8192 - at4096, 0.02 * at4096, "bytes that 4096 more tokens take");
        long all = at8192 + bytes(longest, "matmul");
        assertTrue(all < SCORES_BYTES / 4, all + " bytes at T = 8192");
    }

    /** All logits together would take 328 MB to 1.3 GB here. */
    @Test
    void theHeadNeverHoldsMoreThanAChunkOfLogits() throws Exception {
        for (int vocabulary : new int[] {40_000, 80_000}) {
            GptConfig shape = GptConfig.of(vocabulary, 512, 1, 8, 1);
            long few = bytes(train(shape, 4, 512, false), "scratch");
            long many = bytes(train(shape, 8, 512, false), "scratch");
            for (long bytes : new long[] {few, many}) {
                assertTrue(bytes <= LOGITS_BYTES + (1 << 20), bytes + " bytes for a vocabulary of " + vocabulary);
                assertTrue(bytes > LOGITS_BYTES / 2, bytes + " bytes: the chunk is what is measured");
            }
        }
    }

    @Test
    void activationsAreLinearInLayersAndBatch() throws Exception {
        long one = bytes(train(GptConfig.of(64, 256, 1, 64, 2), 8, 256, false), "activations");
        long two = bytes(train(GptConfig.of(64, 256, 2, 64, 2), 8, 256, false), "activations");
        long four = bytes(train(GptConfig.of(64, 256, 4, 64, 2), 8, 256, false), "activations");
        assertEquals(2.0 * (two - one), four - two, 0.01 * one, "bytes of two blocks");
        long twice = bytes(train(GptConfig.of(64, 256, 4, 64, 2), 16, 256, false), "activations");
        assertEquals(2.0 * four, twice, 0.01 * twice, "bytes of twice the sequences");
    }
}

package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.LocalWeights;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.tck.ReferenceBackend;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GeneratorTest {
    private final ReferenceBackend backend = new ReferenceBackend();
    private final Gpt gpt = new Gpt(GptConfig.of(23, 10, 2, 12, 2));
    private final Sequential model = gpt.layers();
    private final LocalWeights weights = new LocalWeights(backend, DType.F32, model.parameters(), 11);

    @AfterEach
    void close() {
        weights.close();
        backend.close();
    }

    @Test
    void cachedTextIsTheOneOfFullForwardPasses() {
        int[] prompt = {3, 1, 4};
        int[] expected = Arrays.copyOf(prompt, 10);
        for (int length = prompt.length; length < expected.length; length++) {
            expected[length] = mostLikelyAfter(Arrays.copyOf(expected, length));
        }
        try (Generator generator = new Generator(gpt, backend, weights, DType.F32)) {
            int[] drawn = generator.generate(prompt, 7, Sampling.GREEDY, token -> true);
            assertArrayEquals(Arrays.copyOfRange(expected, 3, 10), drawn);
        }
    }

    private int mostLikelyAfter(int[] text) {
        try (Pass pass = new Pass(backend, DType.F32, weights)) {
            Tensor tokens = backend.allocate(DType.I32, Shape.of(1, text.length), "tokens");
            for (int i = 0; i < text.length; i++) {
                tokens.host().setAtIndex(ValueLayout.JAVA_INT, i, text[i]);
            }
            pass.beginEvaluation(Batch.of(tokens));
            Tensor logits = model.forward(pass, tokens, new Saved()).rows(text.length - 1L, 1);
            return Sampling.GREEDY.draw(logits.host().toArray(ValueLayout.JAVA_FLOAT), 0);
        }
    }

    @Test
    void textGoesOnWhenThePositionsAreUsedUp() {
        try (Generator generator = new Generator(gpt, backend, weights, DType.F32)) {
            Sampling sampling = new Sampling(1, 0, 1, 5);
            int[] text = generator.generate(new int[] {1}, 25, sampling, token -> true);
            assertEquals(25, text.length);
            assertArrayEquals(
                    text, generator.generate(new int[] {1}, 25, sampling, token -> true), "same seed, same text");
        }
    }

    @Test
    void textEndsWhereItIsToldTo() {
        try (Generator generator = new Generator(gpt, backend, weights, DType.F32)) {
            int[] count = {0};
            int[] text = generator.generate(new int[] {1}, 9, Sampling.GREEDY, token -> ++count[0] < 4);
            assertEquals(4, text.length);
        }
    }

    @Test
    void emptyPromptIsRejected() {
        try (Generator generator = new Generator(gpt, backend, weights, DType.F32)) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> generator.generate(new int[0], 1, Sampling.GREEDY, token -> true));
        }
    }
}

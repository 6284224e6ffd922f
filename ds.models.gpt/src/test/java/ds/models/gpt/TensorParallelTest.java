package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.RecomputedLayer;
import ds.api.layer.RecomputedLayer.Inputs;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.api.layer.Slice;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A model split over ranks is the model: losses, logits, dropout and the gradient of every element, on every rank. */
class TensorParallelTest {
    /** 17 tokens divide over no number of ranks: the last has fewer. */
    private static final GptConfig CONFIG =
            GptConfig.of(17, 8, 3, 24, 4).withDropout(new GptConfig.Rates(0.1, 0.2, 0.3));

    private static final int B = 2;

    /**
     * Sums in other orders: of at most 96 products (the MLP's channels) in each of 14 products one after the other, forward and
     * back; relative to the largest element, whose terms are of its magnitude.
     */
    private static final double BOUND = 14 * 96 * Math.scalb(1.0, -24);

    @ParameterizedTest
    @CsvSource({
        "2, 4, 6, false",
        "4, 4, 6, false",
        "2, 4, 8, true",
        "4, 4, 8, true",
        "4, 4, 7, false",
        "4, 4, 7, true",
        "2, 3, 6, false",
        "3, 3, 6, true",
        "2, 3, 7, false"
    })
    void gradientsAreThoseOfOneRank(int ranks, int heads, int time, boolean recomputed) throws Exception {
        GptConfig shape = GptConfig.of(17, 8, 3, 24, heads).withDropout(CONFIG.dropout());
        Trained whole = Trained.on(new Gpt(shape), time, recomputed);
        Map<Integer, Trained> parts = new ConcurrentHashMap<>();
        InProcessCommunicators.run(
                ranks,
                group -> parts.put(group.rank(), Trained.on(new Gpt(shape, Optional.of(group)), time, recomputed)));
        for (Trained part : parts.values()) {
            assertEquals(whole.loss, part.loss, BOUND * whole.loss);
            assertEquals(whole.evaluation, part.evaluation, BOUND * whole.evaluation);
            assertClose("logits", whole.logits, part.logits);
            assertEquals(parts.get(0).loss, part.loss, 0.0, "the same bits on every rank");
        }
        whole.gradients.forEach((parameter, gradient) -> {
            float[] joined = new float[gradient.length];
            int covered = 0;
            for (Trained part : parts.values()) {
                Map.Entry<Parameter, float[]> entry = part.of(parameter.name());
                Slice slice = entry.getKey().slice();
                if (slice.isAll()) {
                    assertArrayEquals(
                            parts.get(0).of(parameter.name()).getValue(),
                            entry.getValue(),
                            parameter + " on each rank");
                }
                covered += slice.isAll() ? 0 : entry.getValue().length;
                for (int i = 0; i < entry.getValue().length; i++) {
                    joined[Math.toIntExact(slice.element(i))] = entry.getValue()[i];
                }
            }
            assertTrue(covered == 0 || covered == gradient.length, parameter + ": " + covered + " elements are held");
            assertClose(parameter.toString(), gradient, joined);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void sameBitsEveryTime(int ranks) throws Exception {
        Map<Integer, Trained> first = new ConcurrentHashMap<>();
        InProcessCommunicators.run(
                ranks, group -> first.put(group.rank(), Trained.on(new Gpt(CONFIG, Optional.of(group)), 8, false)));
        InProcessCommunicators.run(ranks, group -> {
            Trained again = Trained.on(new Gpt(CONFIG, Optional.of(group)), 8, false);
            assertEquals(first.get(group.rank()).loss, again.loss);
            again.gradients.forEach((parameter, gradient) -> assertArrayEquals(
                    first.get(group.rank()).of(parameter.name()).getValue(), gradient, parameter.toString()));
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void generatesTheSameText(int ranks) throws Exception {
        int[] whole = generate(new Gpt(CONFIG));
        InProcessCommunicators.run(
                ranks, group -> assertArrayEquals(whole, generate(new Gpt(CONFIG, Optional.of(group)))));
    }

    private static int[] generate(Gpt gpt) {
        try (ReferenceBackend backend = new ReferenceBackend();
                LocalWeights weights =
                        new LocalWeights(backend, DType.F32, gpt.layers().parameters(), 7);
                Generator generator = new Generator(gpt, backend, weights, DType.F32)) {
            return generator.generate(new int[] {3, 16, 0}, 12, new Sampling(1, 0, 1, 5), token -> true);
        }
    }

    @Test
    void eachRankNeedsAHeadAndAToken() throws Exception {
        InProcessCommunicators.run(3, group -> {
            GptConfig four = GptConfig.of(17, 8, 1, 24, 4); // 2, 2 and 0
            var heads = assertThrows(IllegalArgumentException.class, () -> new Gpt(four, Optional.of(group)));
            assertEquals(
                    "tensor_parallel.autotp_size = 3: the 4 heads of the model, 2 for each rank, leave none for the last;"
                            + " choose at most 2",
                    heads.getMessage());
            GptConfig few = GptConfig.of(4, 8, 1, 24, 3);
            var tokens = assertThrows(IllegalArgumentException.class, () -> new Gpt(few, Optional.of(group)));
            assertTrue(tokens.getMessage().contains("the 4 tokens of the model"), tokens.getMessage());
        });
    }

    private static void assertClose(String what, float[] expected, float[] actual) {
        double largest = 0;
        double error = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(expected[i]));
            error = Math.max(error, Math.abs(expected[i] - actual[i]));
        }
        assertTrue(error <= BOUND * largest, what + ": error " + error + ", largest value " + largest);
    }

    /** What one rank knows after a micro-batch. */
    private static final class Trained {
        private double loss;
        private double evaluation;
        private float[] logits;
        private final Map<Parameter, float[]> gradients = new LinkedHashMap<>();

        static Trained on(Gpt gpt, int time, boolean recomputed) {
            Trained trained = new Trained();
            Sequential model = recomputed ? RecomputedLayer.wrap(gpt.layers(), 2, Inputs.ON_DEVICE) : gpt.layers();
            try (ReferenceBackend backend = new ReferenceBackend();
                    LocalWeights weights = new LocalWeights(backend, DType.F32, model.parameters(), 7);
                    Pass pass = new Pass(backend, DType.F32, weights)) {
                Batch batch = Batch.of(tokens(backend, time, 0), tokens(backend, time, 1), 4);
                Saved saved = new Saved();
                pass.beginTraining(batch, 3, 1, 1);
                trained.loss = value(model.forward(pass, batch.inputs(), saved))[0];
                model.backward(pass, pass.lossGradient(), saved);
                for (Parameter parameter : model.parameters()) {
                    trained.gradients.put(parameter, value(weights.gradient(parameter)));
                }
                pass.beginEvaluation(batch);
                trained.evaluation = value(model.forward(pass, batch.inputs(), new Saved()))[0];
                pass.beginEvaluation(Batch.of(batch.inputs()));
                trained.logits = value(model.forward(pass, batch.inputs(), new Saved()));
            }
            return trained;
        }

        private static float[] value(Tensor tensor) {
            return tensor.host().toArray(ValueLayout.JAVA_FLOAT);
        }

        private static Tensor tokens(ReferenceBackend backend, int time, int shift) {
            Tensor tensor = backend.allocate(DType.I32, Shape.of(B, time), "tokens");
            for (int i = 0; i < B * time; i++) {
                tensor.host().setAtIndex(ValueLayout.JAVA_INT, i, (5 + 3 * (i + shift)) % 17);
            }
            return tensor;
        }

        Map.Entry<Parameter, float[]> of(String name) {
            return gradients.entrySet().stream()
                    .filter(entry -> entry.getKey().name().equals(name))
                    .findFirst()
                    .orElseThrow();
        }
    }
}

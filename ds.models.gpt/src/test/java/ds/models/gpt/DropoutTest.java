package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

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
import org.junit.jupiter.api.Test;

/** Dropout is a function of seed, step, place and the sequence's index in the global batch, however the batch is dealt. */
class DropoutTest {
    private static final GptConfig CONFIG =
            GptConfig.of(17, 8, 2, 12, 3).withDropout(new GptConfig.Rates(0.1, 0.2, 0.3));
    private static final int T = 6;

    @Test
    void twoHalvesAreTheWhole() {
        double whole = loss(0, 4, 1);
        double halves = (loss(0, 2, 1) + loss(2, 2, 1)) / 2;
        assertEquals(whole, halves, 1e-6 * whole);
        assertNotEquals(loss(0, 4, 2), whole, "another step drops other elements");
        assertNotEquals(loss(4, 4, 1), whole, "other sequences of the global batch too");
    }

    @Test
    void sameSequencesGiveTheSameGradientBits() {
        assertArrayEquals(gradient(), gradient());
    }

    private static double loss(int firstSequence, int count, long step) {
        return new Run(firstSequence, count, step).loss;
    }

    private static float[] gradient() {
        return new Run(0, 4, 1).gradient;
    }

    /** One forward and backward pass on sequences whose tokens depend on their index modulo 4. */
    private static final class Run {
        private final double loss;
        private final float[] gradient;

        Run(int firstSequence, int count, long step) {
            try (ReferenceBackend backend = new ReferenceBackend()) {
                Sequential model = new Gpt(CONFIG).layers();
                try (LocalWeights weights = new LocalWeights(backend, DType.F32, model.parameters(), 7);
                        Pass pass = new Pass(backend, DType.F32, weights)) {
                    Tensor inputs = tokens(backend, firstSequence, count, 0);
                    Tensor targets = tokens(backend, firstSequence, count, 1);
                    pass.beginTraining(Batch.of(inputs, targets, firstSequence), 3, step, 1);
                    Saved saved = new Saved();
                    Tensor result = model.forward(pass, inputs, saved);
                    loss = result.host().get(ValueLayout.JAVA_FLOAT, 0);
                    model.backward(pass, pass.lossGradient(), saved);
                    gradient =
                            weights.gradient(model.parameters().get(1)).host().toArray(ValueLayout.JAVA_FLOAT);
                }
            }
        }

        private static Tensor tokens(ReferenceBackend backend, int first, int count, int shift) {
            Tensor tensor = backend.allocate(DType.I32, Shape.of(count, T), "tokens");
            for (int b = 0; b < count; b++) {
                for (int t = 0; t < T; t++) {
                    int token = (5 * ((first + b) % 4) + 3 * (t + shift)) % 17;
                    tensor.host().setAtIndex(ValueLayout.JAVA_INT, (long) b * T + t, token);
                }
            }
            return tensor;
        }
    }
}

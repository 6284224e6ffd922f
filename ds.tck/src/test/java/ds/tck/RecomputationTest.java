package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Unary;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.RecomputedLayer;
import ds.api.layer.RecomputedLayer.Inputs;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Segments that are recomputed: the same gradients, bit for bit, whatever their layers do with what they are given. */
class RecomputationTest {
    private static final int ROWS = 3;

    private final ReferenceBackend backend = new ReferenceBackend();

    @AfterEach
    void nothingIsLeft() {
        assertEquals(0, backend.memory().labels().get("activations").liveBytes());
        assertEquals(0, backend.memory().labels().get("recomputed").liveBytes());
        backend.close();
    }

    private Map<String, double[]> gradients(Layer layer) {
        Tensor x = backend.allocate(DType.F32, Shape.of(ROWS, 5), "x");
        backend.kernels(backend.computeStream()).fill(x, 0.3);
        try (LayerRun run = new LayerRun(layer, backend, Batch.of(x), x, 3)) {
            return run.gradients(1);
        } finally {
            x.buffer().close();
        }
    }

    private static void assertSameBits(Map<String, double[]> expected, Map<String, double[]> actual) {
        assertEquals(expected.keySet(), actual.keySet());
        expected.forEach((name, values) -> assertArrayEquals(values, actual.get(name), name));
    }

    @ParameterizedTest
    @EnumSource
    void layersMayOverwriteTheirInputAndChangeTheWidth(Inputs inputs) {
        List<Layer> layers =
                List.of(new Product("a", 5, 4), new InPlace(), new Product("b", 4, 6), new Product("c", 6, 2));
        Map<String, double[]> expected = gradients(new Sequential("plain", layers));
        assertSameBits(expected, gradients(new RecomputedLayer(new Sequential("whole", layers), inputs)));
        Sequential two = new Sequential(
                "two",
                List.of(
                        new RecomputedLayer(new Sequential("first", layers.subList(0, 2)), inputs),
                        new RecomputedLayer(new Sequential("second", layers.subList(2, 4)), inputs)));
        assertSameBits(expected, gradients(two));
    }

    @ParameterizedTest
    @EnumSource
    void segmentsOfOneWidthHandTheirOutputOn(Inputs inputs) {
        List<Layer> layers = List.of(
                new Product("a", 5, 5), new InPlace(), new Product("b", 5, 5), new InPlace(), new Product("c", 5, 5));
        List<Layer> segments = layers.stream()
                .<Layer>map(layer -> new RecomputedLayer(new Sequential("segment", List.of(layer)), inputs))
                .toList();
        Map<String, double[]> expected = gradients(new Sequential("plain", layers));
        assertSameBits(expected, gradients(new Sequential("segments", segments)));
    }

    @Test
    void offloadedInputsAreInHostMemory() {
        List<Layer> layers = List.of(new Product("a", 5, 5), new Product("b", 5, 5));
        gradients(new RecomputedLayer(new Sequential("whole", layers), Inputs.ON_HOST));
        assertTrue(backend.memory().labels().get("offloadedActivations").peakBytes() >= ROWS * 5 * Float.BYTES);
    }

    @Test
    void segmentInsideOfASegmentIsRejected() {
        Layer product = new Product("a", 5, 5);
        Layer inner = new RecomputedLayer(new Sequential("inner", List.of(product)), Inputs.ON_DEVICE);
        Layer outer = new RecomputedLayer(new Sequential("outer", List.of(inner)), Inputs.ON_DEVICE);
        Exception e = assertThrows(IllegalStateException.class, () -> gradients(outer));
        assertTrue(e.getMessage().contains("inside of another one"), e.getMessage());
    }

    /** {@code y = x · weight}, which keeps x and returns a gradient in memory of its own. */
    private static final class Product implements Layer {
        private final String name;
        private final Parameter weight;

        Product(String name, long in, long out) {
            this.name = name;
            this.weight = new Parameter(name, Shape.of(in, out), new Initializer.Normal(0, 1));
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(weight);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            Tensor y = pass.keep(ROWS, weight.shape().columns());
            pass.kernels().matmul(Operand.of(x), Operand.of(pass.weight(weight)), y, 0);
            Tensor kept = pass.keep(ROWS, weight.shape().rows()); // x itself may be overwritten by the next layer
            pass.kernels().copy(x, kept);
            saved.push(kept);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor x = saved.pop();
            pass.kernels().matmul(Operand.transposed(x), Operand.of(dy), pass.gradient(weight), 1);
            Tensor dx = pass.keep(ROWS, weight.shape().rows());
            pass.kernels().matmul(Operand.of(dy), Operand.transposed(pass.weight(weight)), dx, 0);
            return dx;
        }
    }

    /** {@code y = dropout(tanh(x))} in the place of x, and back in the place of dy. */
    private static final class InPlace implements Layer {
        @Override
        public String name() {
            return "in place";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of();
        }

        private static Dropout dropout(Pass pass, Tensor x) {
            return pass.dropout(0.4, 17, x.shape().columns());
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            pass.kernels().unary(Unary.TANH, x, x);
            Tensor y = pass.keep(x.shape().rows(), x.shape().columns());
            pass.kernels().copy(x, y);
            saved.push(y);
            pass.kernels().dropout(x, dropout(pass, x), x);
            return x;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor y = saved.pop();
            pass.kernels().dropout(dy, dropout(pass, dy), dy);
            Tensor slope = pass.keep(y.shape().rows(), y.shape().columns());
            pass.kernels().fill(slope, 1);
            pass.kernels().unary(Unary.SQUARE, y, y);
            pass.kernels().axpby(-1, y, 1, slope);
            pass.kernels().binary(Binary.MULTIPLY, dy, slope, Broadcast.NONE, dy);
            return dy;
        }
    }
}

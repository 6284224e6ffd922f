package ds.zero.gradient;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.GradientSum;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.tck.ReferenceBackend;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Buffers begin as NaN: whatever is read, or left, without having been written shows. Numbers are exact in BF16. */
class UnitSumsTest {
    private static final Parameter MATRIX = parameter("matrix", 2, 3);
    private static final Parameter IDLE = parameter("idle", 2, 2);
    private static final Parameter BIAS = parameter("bias", 5);
    private static final UnitLayout LAYOUT = new UnitLayout("unit", List.of(MATRIX, IDLE, BIAS), 2);

    private static Parameter parameter(String name, long... dims) {
        return new Parameter(name, Shape.of(dims), new Initializer.Constant(0));
    }

    /** One micro-batch or more; sums in F32, and what is kept in BF16 or in the sums themselves. */
    private static final class Run implements AutoCloseable {
        private final ReferenceBackend backend = new ReferenceBackend();
        private final Kernels kernels = backend.kernels(backend.computeStream());
        private final UnitSums unit = new UnitSums(kernels, LAYOUT);
        private final Tensor sums = nan(DType.F32);
        private final Tensor kept = nan(DType.BF16);
        private final Map<Parameter, Tensor> views = Units.views(LAYOUT, sums);
        private final Map<Parameter, Tensor> keptViews = Units.views(LAYOUT, kept);

        private Tensor nan(DType dtype) {
            Tensor tensor = backend.allocate(dtype, Shape.of(LAYOUT.paddedElements()), "test");
            kernels.fill(tensor, Double.NaN);
            return tensor;
        }

        void put(GradientSum gradient, double value) {
            Tensor contribution = backend.allocate(DType.F32, gradient.sum().shape(), "test");
            kernels.fill(contribution, value);
            kernels.axpby(1, contribution, gradient.beta(), gradient.sum());
            contribution.buffer().close();
        }

        float[] values(Tensor tensor) {
            Tensor values = backend.allocate(DType.F32, tensor.shape(), "test");
            kernels.copy(tensor, values);
            float[] read = values.host().toArray(ValueLayout.JAVA_FLOAT);
            values.buffer().close();
            return read;
        }

        @Override
        public void close() {
            sums.buffer().close();
            kept.buffer().close();
            backend.close();
        }
    }

    private static float[] expected(float matrix, float bias) {
        float[] all = new float[(int) LAYOUT.paddedElements()];
        Arrays.fill(all, (int) LAYOUT.offset(MATRIX), (int) (LAYOUT.offset(MATRIX) + MATRIX.elements()), matrix);
        Arrays.fill(all, (int) LAYOUT.offset(BIAS), (int) (LAYOUT.offset(BIAS) + BIAS.elements()), bias);
        return all;
    }

    @Test
    void firstContributionIsWrittenOthersAreAddedTheRestIsZero() {
        try (Run run = new Run()) {
            run.put(run.unit.add(MATRIX, run.views.get(MATRIX)), 3);
            run.put(run.unit.add(MATRIX, run.views.get(MATRIX)), 4);
            run.put(new GradientSum(run.unit.addToAll(BIAS, run.views.get(BIAS)), 1), 5);
            run.put(new GradientSum(run.unit.addToAll(BIAS, run.views.get(BIAS)), 1), 6);
            run.unit.complete(run.sums);
            assertArrayEquals(expected(7, 11), run.values(run.sums));
        }
    }

    @Test
    void wholeIsWrittenWhereItIsKeptAndAllElseCopiedThere() {
        try (Run run = new Run()) {
            run.put(run.unit.whole(MATRIX, run.keptViews.get(MATRIX)), 3);
            run.put(run.unit.add(BIAS, run.views.get(BIAS)), 5);
            run.unit.complete(run.sums, run.kept, 0);
            assertArrayEquals(expected(3, 5), run.values(run.kept));
        }
    }

    @Test
    void laterMicroBatchesAreAdded() {
        try (Run run = new Run()) {
            run.put(run.unit.whole(MATRIX, run.keptViews.get(MATRIX)), 3);
            run.unit.complete(run.sums, run.kept, 0);
            run.unit.clear();
            run.put(run.unit.add(MATRIX, run.views.get(MATRIX)), 4);
            run.put(run.unit.add(BIAS, run.views.get(BIAS)), 5);
            run.unit.complete(run.sums, run.kept, 1);
            assertArrayEquals(expected(7, 5), run.values(run.kept));
        }
    }

    /** A layer that several share inside another one, which the model does not see. */
    @Test
    void moreThanTheWholeIsAddedInF32() {
        try (Run run = new Run()) {
            run.put(run.unit.whole(MATRIX, run.keptViews.get(MATRIX)), 256);
            GradientSum more = run.unit.add(MATRIX, run.views.get(MATRIX));
            assertEquals(DType.F32, more.sum().dtype());
            run.put(more, 1); // 257 takes nine bits
            assertEquals(257, run.values(run.views.get(MATRIX))[0]);
            run.unit.complete(run.sums, run.kept, 0);
            assertArrayEquals(expected(256, 0), run.values(run.kept));
        }
    }
}

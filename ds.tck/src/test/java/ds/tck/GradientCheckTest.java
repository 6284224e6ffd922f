package ds.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Sequential;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GradientCheckTest {
    private final ReferenceBackend backend = new ReferenceBackend();

    @AfterEach
    void nothingIsLeftAllocated() {
        backend.memory().labels().forEach((label, use) -> {
            if (!label.equals("test")) {
                assertEquals(0, use.liveBytes(), label);
            }
        });
        backend.close();
    }

    private Tensor normal(long... dims) {
        Tensor x = backend.allocate(DType.F32, Shape.of(dims), "test");
        Elements elements = Elements.of(x);
        for (long i = 0; i < x.elements(); i++) {
            elements.set(i, new Initializer.Normal(0, 1).value(5, i));
        }
        return x;
    }

    private Tensor tokens(int... values) {
        Tensor tokens = backend.allocate(DType.I32, Shape.of(2, values.length / 2), "test");
        for (int i = 0; i < values.length; i++) {
            Elements.of(tokens).set(i, values[i]);
        }
        return tokens;
    }

    private void verify(Layer layer, Tensor x) {
        GradientCheck.of(layer, backend).verify(Batch.of(x), x);
        RecomputeCheck.of(layer, backend).verify(Batch.of(x), x);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.3})
    void rightLayerPasses(double rate) {
        verify(TinyLayers.Gelu.of(5, 1, rate), normal(3, 5));
    }

    @Test
    void layersInARowPass() {
        verify(new Sequential("two", List.of(new TinyLayers.Square(false), TinyLayers.Gelu.of(7, 1, 0))), normal(4, 7));
    }

    @ParameterizedTest
    @ValueSource(doubles = {-1, 0, 0.5, 2, 1.01, 0.99})
    void wrongFactorFailsAndNamesTheParameter(double factor) {
        Tensor x = normal(3, 5);
        GradientCheck check = GradientCheck.of(TinyLayers.Gelu.of(5, factor, 0), backend);
        AssertionError failure = assertThrows(AssertionError.class, () -> check.verify(Batch.of(x), x));
        assertTrue(failure.getMessage().contains("bias, direction"), failure.getMessage());
        assertTrue(failure.getMessage().contains("layer gelu"), failure.getMessage());
        assertEquals(
                List.of(true, true, true),
                check.run(Batch.of(x), x).stream()
                        .filter(found -> found.variable().equals(LayerRun.INPUT))
                        .map(GradientCheck.Derivative::agrees)
                        .toList());
    }

    @Test
    void overwritingWhatWasSavedFails() {
        Tensor x = normal(3, 5);
        GradientCheck check = GradientCheck.of(new TinyLayers.Square(true), backend);
        assertThrows(AssertionError.class, () -> check.verify(Batch.of(x), x));
    }

    @Test
    void stateOutsideOfSavedFails() {
        Tensor x = normal(2, 3);
        RecomputeCheck check = RecomputeCheck.of(new TinyLayers.Counting(new AtomicInteger()), backend);
        AssertionError failure = assertThrows(AssertionError.class, () -> check.verify(Batch.of(x), x));
        assertTrue(failure.getMessage().contains("layer counting: the gradient of input"), failure.getMessage());
    }

    @Test
    void wholeModelWithTiedWeightsPasses() {
        TinyLayers.Bigram model = TinyLayers.Bigram.of(7, 3, 4);
        Batch batch = Batch.of(tokens(0, 6, 3, 3, 1, 6), tokens(6, 3, 2, 1, 6, 0), 0);
        GradientCheck.of(model, backend).verify(batch);
        GradientCheck.of(model, backend).seed(9).verify(batch);
        RecomputeCheck.of(model, backend).verify(batch);
    }

    @Test
    void tolerancesAreSmallBesideTheDerivatives() {
        TinyLayers.Bigram model = TinyLayers.Bigram.of(7, 3, 4);
        Batch batch = Batch.of(tokens(0, 6, 3, 3, 1, 6), tokens(6, 3, 2, 1, 6, 0), 0);
        GradientCheck.of(model, backend).run(batch, batch.inputs()).stream()
                .filter(found -> found.direction() == 0)
                .forEach(found -> assertTrue(found.tolerance() < 1e-2 * Math.abs(found.numeric()), found.toString()));
    }
}

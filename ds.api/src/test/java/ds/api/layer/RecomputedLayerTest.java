package ds.api.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.RecomputedLayer.Inputs;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecomputedLayerTest {
    /** A layer of which only name and parameter matter. */
    private record Named(String name, Parameter parameter) implements Layer {
        @Override
        public List<Parameter> parameters() {
            return List.of(parameter);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            throw new UnsupportedOperationException();
        }
    }

    private static Sequential model(int layers) {
        List<Layer> all = IntStream.range(0, layers)
                .<Layer>mapToObj(
                        i -> new Named("l" + i, new Parameter("p" + i, Shape.of(1), new Initializer.Constant(0))))
                .toList();
        return new Sequential("model", all);
    }

    /** {@return the layers of each part of a model: {@code "0 [1 2] [3] 4"}} */
    private static String structure(Sequential model) {
        List<String> parts = model.layers().stream()
                .map(layer -> layer instanceof RecomputedLayer recomputed
                        ? "[" + names(recomputed.segment().layers()) + "]"
                        : layer.name())
                .toList();
        return String.join(" ", parts).replace("l", "");
    }

    private static String names(List<Layer> layers) {
        return String.join(" ", layers.stream().map(Layer::name).toList());
    }

    @ParameterizedTest
    @CsvSource({
        "7,1,0 [1] [2] [3] [4] [5] 6",
        "7,2,0 [1 2] [3 4] [5] 6",
        "7,5,0 [1 2 3 4 5] 6",
        "7,9,0 [1 2 3 4 5] 6",
        "3,1,0 [1] 2",
        "2,1,0 1",
        "1,1,0"
    })
    void allLayersButTheFirstAndTheLastAreInSegments(int layers, int perSegment, String expected) {
        Sequential model = model(layers);
        Sequential wrapped = RecomputedLayer.wrap(model, perSegment, Inputs.ON_DEVICE);
        assertEquals(expected, structure(wrapped));
        assertEquals(model.parameters(), wrapped.parameters());
    }

    @Test
    void segmentsWithoutLayersAreRejected() {
        Exception e =
                assertThrows(IllegalArgumentException.class, () -> RecomputedLayer.wrap(model(3), 0, Inputs.ON_HOST));
        assertTrue(e.getMessage().contains("segments of 0 layers"), e.getMessage());
    }
}

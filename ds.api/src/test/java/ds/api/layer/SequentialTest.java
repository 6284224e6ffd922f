package ds.api.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Shape;
import ds.api.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SequentialTest {
    private static Parameter parameter(String name) {
        return new Parameter(name, Shape.of(2), new Initializer.Constant(0));
    }

    private record Tracing(String name, List<Parameter> parameters, List<String> calls) implements Layer {
        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            calls.add("forward " + name);
            return x;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            calls.add("backward " + name);
            return dy;
        }
    }

    @Test
    void runsForwardAndBackInReverse() {
        List<String> calls = new ArrayList<>();
        Layer model = new Sequential(
                "model", List.of(new Tracing("a", List.of(), calls), new Tracing("b", List.of(), calls)));
        model.forward(null, null, new Saved());
        model.backward(null, null, new Saved());
        assertEquals(List.of("forward a", "forward b", "backward b", "backward a"), calls);
    }

    @Test
    void tiedParametersCountOnce() {
        Parameter tied = parameter("wte");
        Parameter other = parameter("w");
        Sequential model = new Sequential(
                "model",
                List.of(
                        new Tracing("embedding", List.of(tied), List.of()),
                        new Tracing("head", List.of(other, tied), List.of())));
        assertEquals(List.of(tied, other), model.parameters());
        assertSame(tied, model.parameters().getFirst());
    }

    @Test
    void twoParametersOfOneNameAreRejected() {
        Layer one = new Tracing("one", List.of(parameter("w")), List.of());
        Layer two = new Tracing("two", List.of(parameter("w")), List.of());
        IllegalArgumentException thrown =
                assertThrows(IllegalArgumentException.class, () -> new Sequential("model", List.of(one, two)));
        assertTrue(thrown.getMessage().contains("two parameters named w"), thrown.getMessage());
        assertTrue(thrown.getMessage().contains("layer two"), thrown.getMessage());
    }

    @Test
    void emptyModelIsRejected() {
        assertThrows(IllegalArgumentException.class, () -> new Sequential("model", List.of()));
    }

    @Test
    void mapReplacesEveryLayer() {
        Sequential model = new Sequential("model", List.of(new Tracing("a", List.of(), List.of())));
        Sequential wrapped = model.map(layer -> new Tracing("around " + layer.name(), List.of(), List.of()));
        assertEquals("around a", wrapped.layers().getFirst().name());
        assertEquals("model", wrapped.name());
    }

    @Test
    void savedIsAStack() {
        Saved saved = new Saved();
        for (int i = 0; i < 200; i++) {
            saved.push(null);
        }
        assertEquals(200, saved.size());
        saved.clear();
        assertThrows(IllegalStateException.class, saved::pop);
    }
}

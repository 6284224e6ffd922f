package ds.api.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.HostBackend;
import ds.api.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class LocalWeightsTest {
    private static final Parameter WEIGHT = new Parameter("w", Shape.of(3, 5), new Initializer.Normal(0, 1));
    private static final Parameter UNKNOWN = new Parameter("u", Shape.of(1), new Initializer.Constant(0));

    @Test
    void valuesAreTheInitializersAndGradientsZero() {
        HostBackend backend = new HostBackend();
        try (LocalWeights weights = new LocalWeights(backend, DType.F32, List.of(WEIGHT), 11)) {
            assertEquals(Shape.of(3, 5), weights.gradient(WEIGHT).shape());
            for (int i = 0; i < 15; i++) {
                float expected = WEIGHT.initializer().value(WEIGHT.key(11), i);
                assertEquals(expected, weights.value(WEIGHT).host().getAtIndex(ValueLayout.JAVA_FLOAT, i));
                assertEquals(0, weights.gradient(WEIGHT).host().getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
            IllegalArgumentException thrown =
                    assertThrows(IllegalArgumentException.class, () -> weights.value(UNKNOWN));
            assertTrue(thrown.getMessage().contains("u[1]"), thrown.getMessage());
        }
        assertEquals(0, backend.memory().liveBytes());
    }

    @Test
    void whatIsWrittenIsRead() {
        try (LocalWeights weights = new LocalWeights(new HostBackend(), DType.F32, List.of(WEIGHT), 11);
                Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(60);
            source.setAtIndex(ValueLayout.JAVA_FLOAT, 14, 2.5f);
            weights.write(WEIGHT, source);
            MemorySegment target = arena.allocate(60);
            weights.read(WEIGHT, target);
            assertEquals(-1, target.mismatch(source));
        }
    }

    @Test
    void gradientsAreCleared() {
        try (LocalWeights weights = new LocalWeights(new HostBackend(), DType.F32, List.of(WEIGHT), 11)) {
            weights.gradient(WEIGHT).host().fill((byte) 7);
            weights.clearGradients();
            assertEquals(0, weights.gradient(WEIGHT).host().getAtIndex(ValueLayout.JAVA_FLOAT, 14));
        }
    }
}

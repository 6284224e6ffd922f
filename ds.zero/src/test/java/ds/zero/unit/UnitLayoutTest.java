package ds.zero.unit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Shape;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnitLayoutTest {
    private static final Parameter BIAS = parameter("bias", 7);
    private static final Parameter WEIGHT = parameter("weight", 7, 9);
    private static final Parameter GAIN = parameter("gain", 3);
    private static final Parameter TABLE = parameter("table", 2, 5);

    private static Parameter parameter(String name, long... dims) {
        return new Parameter(name, Shape.of(dims), new Initializer.Constant(0));
    }

    private static UnitLayout layout(int worldSize) {
        return new UnitLayout("unit", List.of(BIAS, WEIGHT, GAIN, TABLE), worldSize);
    }

    @Test
    void decayingParametersLieFirst() {
        UnitLayout layout = layout(1);
        assertEquals(List.of(WEIGHT, TABLE, BIAS, GAIN), layout.parameters());
        assertEquals(0, layout.offset(WEIGHT));
        assertEquals(63, layout.offset(TABLE));
        assertEquals(73, layout.offset(BIAS));
        assertEquals(80, layout.offset(GAIN));
        assertEquals(83, layout.elements());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 8, 64})
    void everyElementHasExactlyOneOwnerAndPlace(int worldSize) {
        UnitLayout layout = layout(worldSize);
        assertTrue(layout.paddedElements() >= layout.elements());
        assertEquals(worldSize * layout.shardElements(), layout.paddedElements());
        for (long element = 0; element < layout.paddedElements(); element++) {
            int owner = layout.owner(element);
            assertEquals(element, layout.element(owner, layout.offsetInShard(element)));
            UnitLayout.Range shard = layout.shard(owner);
            assertTrue(shard.first() <= element && element < shard.end());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void groupsOfAllShardsCoverTheUnitOnce(int worldSize) {
        UnitLayout layout = layout(worldSize);
        long next = 0;
        for (int rank = 0; rank < worldSize; rank++) {
            for (UnitLayout.Group group : layout.groups(layout.shard(rank))) {
                assertEquals(next, group.range().first());
                assertEquals(next < 73, group.decays(), "weight and table decay: the first 73 elements");
                next = group.range().end();
            }
        }
        assertEquals(layout.paddedElements(), next);
    }

    @Test
    void paddingOfALargeUnitIsSmall() {
        UnitLayout block = new UnitLayout("block", List.of(parameter("w", 768, 3072)), 64);
        assertTrue(block.paddedElements() - block.elements() < 64 * UnitLayout.SHARD_MULTIPLE);
    }

    @Test
    void wrongArgumentsAreNamed() {
        UnitLayout layout = layout(2);
        assertThrows(IllegalArgumentException.class, () -> layout.owner(layout.paddedElements()));
        assertThrows(IllegalArgumentException.class, () -> layout.element(2, 0));
        assertThrows(IllegalArgumentException.class, () -> layout.offset(parameter("other", 1)));
        assertThrows(IllegalArgumentException.class, () -> new UnitLayout("none", List.of(), 1));
        assertThrows(IllegalArgumentException.class, () -> new UnitLayout("twice", List.of(BIAS, BIAS), 1));
    }
}

package ds.zero.weight;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.layer.Layer;
import ds.api.layer.Sequential;
import ds.zero.TinyModel;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Over two ranks each unit of the tiny model has 64 elements: encode and its tied decode, hidden 0, hidden 1. */
class GatherPlanTest {
    private static final long UNIT = 64;

    private final Sequential model = TinyModel.build();
    private final List<Layer> layers = model.layers();
    private final GatherPlan plan = new GatherPlan(new Units(model, 0, 2, true), Visit.ofTraining(layers));

    @Test
    void visitsGoForwardAndComeBack() {
        assertEquals(8, plan.count());
        assertEquals(Visit.forward(layers.get(3)), plan.visit(3));
        assertEquals(Visit.backward(layers.get(3)), plan.visit(4));
        assertEquals(Visit.backward(layers.get(0)), plan.visit(7));
    }

    @Test
    void tiedLayerNeedsTheUnitOfTheFirst() {
        assertEquals(Set.of(0), Set.copyOf(plan.needed(0)));
        assertEquals(Set.of(0), Set.copyOf(plan.needed(3)));
    }

    @Test
    void layerThatReadsNoWeightsInBackwardNeedsNone() {
        assertTrue(plan.needed(7).isEmpty());
        assertTrue(plan.needed(8).isEmpty(), "behind the last visit");
    }

    @Test
    void nextUseIsFoundOrThereIsNone() {
        assertEquals(3, plan.nextUse(0, 0));
        assertEquals(4, plan.nextUse(0, 3));
        assertEquals(6, plan.nextUse(1, 1));
        assertEquals(plan.count(), plan.nextUse(0, 4));
    }

    @Test
    void unitStaysForTheNextVisitWhateverTheDistance() {
        assertTrue(plan.staysAfter(3, 0, 0));
    }

    @Test
    void unitStaysIfFewerElementsThanTheDistanceLieBetween() {
        // Hidden 1 is needed at visits 2 and 5; between them decode is visited twice.
        assertFalse(plan.staysAfter(2, 2, 0));
        assertFalse(plan.staysAfter(2, 2, 2 * UNIT));
        assertTrue(plan.staysAfter(2, 2, 2 * UNIT + 1));
    }

    @Test
    void unitThatIsNotNeededAgainNeverStays() {
        assertFalse(plan.staysAfter(4, 0, Long.MAX_VALUE));
        assertFalse(plan.staysAfter(6, 1, Long.MAX_VALUE));
    }
}

package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.LossScaling;
import org.junit.jupiter.api.Test;

/** The sequences of scales that DeepSpeed's users know. */
class LossScaleTest {
    private static LossScale dynamic(int power, long window, long hysteresis, boolean consecutive) {
        return new LossScale(new LossScaling.Dynamic(power, window, hysteresis, consecutive, 1));
    }

    @Test
    void doublesAfterEveryWindowWithoutOverflow() {
        LossScale scale = dynamic(8, 2, 1, false);
        double expected = 256;
        for (int step = 1; step <= 10; step++) {
            scale.stepDone(false);
            assertEquals(expected, scale.value(), "after step " + step);
            if (step % 2 == 0) { // seen one step later, since the window counts the steps between
                expected *= 2;
            }
        }
    }

    @Test
    void halvesWithEveryOverflowDownToTheLeast() {
        LossScale scale = dynamic(4, 2, 1, false);
        for (double expected : new double[] {8, 4, 2, 1}) {
            scale.stepDone(true);
            assertEquals(expected, scale.value());
        }
        var e = assertThrows(IllegalStateException.class, () -> scale.stepDone(true));
        assertTrue(e.getMessage().contains("min_loss_scale = 1"), e.getMessage());
    }

    @Test
    void mixtureOfOverflowsAndGoodSteps() {
        LossScale scale = dynamic(8, 2, 1, false);
        scale.stepDone(true);
        scale.stepDone(true);
        assertEquals(64, scale.value());
        for (int i = 0; i < 3; i++) { // the window and one more
            scale.stepDone(false);
        }
        assertEquals(128, scale.value());
        scale.stepDone(true);
        assertEquals(64, scale.value());
    }

    @Test
    void hysteresisForgivesTheFirstOverflows() {
        LossScale scale = dynamic(8, 1000, 3, false);
        scale.stepDone(true);
        scale.stepDone(false);
        scale.stepDone(true);
        assertEquals(256, scale.value());
        scale.stepDone(true);
        assertEquals(128, scale.value());
        scale.stepDone(true);
        assertEquals(64, scale.value(), "used up until the scale grows again");
    }

    @Test
    void onlyOverflowsInARowCountIfHysteresisIsConsecutive() {
        LossScale scale = dynamic(8, 1000, 2, true);
        for (int i = 0; i < 5; i++) {
            scale.stepDone(true);
            scale.stepDone(false);
        }
        assertEquals(256, scale.value());
        scale.stepDone(true);
        scale.stepDone(true);
        assertEquals(128, scale.value());
    }

    @Test
    void staticScaleStays() {
        LossScale scale = new LossScale(new LossScaling.Static(138));
        scale.stepDone(true);
        scale.stepDone(false);
        assertEquals(138, scale.value());
    }

    @Test
    void restoredScaleGoesOnAsTheOriginal() {
        LossScale original = dynamic(8, 2, 2, false);
        boolean[] overflows = {true, false, false, true, true, false, false, false, true, false};
        for (int i = 0; i < 4; i++) {
            original.stepDone(overflows[i]);
        }
        LossScale restored = dynamic(8, 2, 2, false);
        restored.restore(original.state());
        for (int i = 4; i < overflows.length; i++) {
            original.stepDone(overflows[i]);
            restored.stepDone(overflows[i]);
            assertEquals(original.state(), restored.state());
        }
    }
}

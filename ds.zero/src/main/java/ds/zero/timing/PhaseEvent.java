package ds.zero.timing;

import java.util.Locale;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/**
 * A part of a training step in a Flight Recorder file, on the thread that trains. Waits for collectives lie inside the other
 * phases. Costs next to nothing while nobody records: {@code java -XX:StartFlightRecording} does.
 */
@Name("ds.Phase")
@Label("Phase of a training step")
@Category("ds")
@Description(
        "Forward and backward passes of a micro-batch, the update, and within these the waits for collectives; saving a"
                + " checkpoint, as long as training stands still for it; those on thread ds-rehearsal are of a small model that is"
                + " trained beforehand")
@StackTrace(false)
public final class PhaseEvent extends Event {
    /** Which part. */
    public enum Phase {
        FORWARD,
        BACKWARD,
        COMMUNICATION,
        UPDATE,
        CHECKPOINT
    }

    @SuppressWarnings("UnusedVariable") // Flight Recorder reads it
    @Label("Phase")
    private String phase;

    private PhaseEvent() {}

    /** {@return an event that has begun} */
    public static PhaseEvent started() {
        PhaseEvent event = new PhaseEvent();
        event.begin();
        return event;
    }

    /** Ends it, and records it if somebody wants it. */
    public void done(Phase which) {
        if (shouldCommit()) {
            phase = which.name().toLowerCase(Locale.ROOT);
            commit();
        }
    }
}

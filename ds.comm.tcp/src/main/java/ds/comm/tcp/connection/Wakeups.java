package ds.comm.tcp.connection;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Which connections have something to write: now, or when the piece is due that they keep back. On the thread that moves all
 * bytes.
 */
public final class Wakeups {
    private final Set<Connection> awake = new LinkedHashSet<>();
    private final Set<Connection> waiting = new LinkedHashSet<>();

    /** It has something to write. */
    public void wake(Connection connection) {
        awake.add(connection);
    }

    /** Wakes a connection when it is due. */
    void wakeLater(Connection connection) {
        waiting.add(connection);
    }

    /** {@return whether any has something to write now} */
    public boolean any() {
        return !awake.isEmpty();
    }

    /** Wakes those whose time has come. */
    public void wakeWhoIsDue() {
        if (!waiting.isEmpty()) {
            long now = System.nanoTime();
            for (Iterator<Connection> all = waiting.iterator(); all.hasNext(); ) {
                Connection connection = all.next();
                if (connection.dueNanos() - now <= 0) {
                    all.remove();
                    wake(connection);
                }
            }
        }
    }

    /** {@return how long until the first one is due, and no more than {@code most}} */
    public long nanosUntilDue(long most) {
        long nanos = most;
        long now = waiting.isEmpty() ? 0 : System.nanoTime();
        for (Connection connection : waiting) {
            nanos = Math.min(nanos, connection.dueNanos() - now);
        }
        return nanos;
    }

    /** Has each that is awake write what it can; it may be awake again. */
    public void flush() {
        List<Connection> batch = new ArrayList<>(awake);
        awake.clear();
        batch.forEach(Connection::flush);
    }
}

package ds.comm.tcp.connection;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Which connections have something to write. On the thread that moves all bytes. */
public final class Wakeups {
    private final Set<Connection> awake = new LinkedHashSet<>();

    /** It has something to write. */
    public void wake(Connection connection) {
        awake.add(connection);
    }

    /** {@return whether any has something to write} */
    public boolean any() {
        return !awake.isEmpty();
    }

    /** Has each that is awake write what it can; it may be awake again. */
    public void flush() {
        List<Connection> batch = new ArrayList<>(awake);
        awake.clear();
        batch.forEach(Connection::flush);
    }
}

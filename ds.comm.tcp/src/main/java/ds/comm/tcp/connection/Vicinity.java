package ds.comm.tcp.connection;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** The connections through shared memory, which no selector sees. On the thread that moves all bytes. */
public final class Vicinity {
    /** How long a neighbour is waited for without sleep while an operation is under way. */
    private static final long SPIN_NANOS = TimeUnit.MICROSECONDS.toNanos(20);

    private final Connection[] neighbours;

    /** Picks them out of all connections, null for this rank itself. */
    public Vicinity(Connection[] connections) {
        neighbours = Arrays.stream(connections)
                .filter(connection -> connection != null && connection.isShared())
                .toArray(Connection[]::new);
    }

    public boolean isEmpty() {
        return neighbours.length == 0;
    }

    /** {@return whether a neighbour has something for this rank} */
    public boolean pending() {
        for (Connection neighbour : neighbours) {
            if (neighbour.pending()) {
                return true;
            }
        }
        return false;
    }

    /** Does what neighbours have given this rank to do. */
    public void poll() {
        for (Connection neighbour : neighbours) {
            neighbour.poll();
        }
    }

    /** Tells all that this rank has to be woken, or has not. */
    public void sleeps(boolean sleeps) {
        for (Connection neighbour : neighbours) {
            neighbour.sleeps(sleeps);
        }
    }

    /**
     * Neighbours often answer before a thread could be woken; who computes on this core meanwhile gets it by the yield.
     *
     * @param otherwise whether there is something else to do
     * @return whether there is something to do
     */
    @SuppressWarnings("ThreadPriorityCheck") // the yield is a courtesy: nothing depends on who runs next
    public boolean spin(BooleanSupplier otherwise) {
        long end = System.nanoTime() + SPIN_NANOS;
        do {
            Thread.yield();
            if (pending() || otherwise.getAsBoolean()) {
                return true;
            }
        } while (System.nanoTime() - end < 0);
        return false;
    }
}

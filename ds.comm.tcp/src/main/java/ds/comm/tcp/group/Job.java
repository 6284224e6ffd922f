package ds.comm.tcp.group;

import ds.api.DType;
import ds.comm.tcp.combine.Combiner;
import ds.comm.tcp.connection.Connection;
import ds.comm.tcp.connection.Vicinity;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.pace.LinkRate;
import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * What the groups of this rank have in common: its connections, the lanes that may go on, and how the job goes. It ends when the
 * rank leaves, or when anything fails: the first cause is told to all other ranks and kept for every later call. On the one
 * thread that moves all bytes, if nothing else is said.
 */
public final class Job {
    /** How long an end waits for the others to read it. */
    private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(2);

    /** How the job goes. */
    public enum State {
        /** Operations may begin. */
        RUNNING,
        /** This rank has left in good order. */
        LEAVING,
        /** No operation will succeed any more. */
        FAILED
    }

    private final int rank;
    private final List<Integer> hosts;
    private final long inboxBytes;
    private final Executor thread;
    private final Connection[] connections;
    private final Map<DType, Combiner> combiners = new EnumMap<>(DType.class);
    private final ArrayDeque<Lane> advancing = new ArrayDeque<>();
    private final AtomicInteger groupNumbers = new AtomicInteger(1);
    private final LinkRate linkRate = new LinkRate(this::receivedBytes, System::nanoTime);
    private State state = State.RUNNING;
    private long endNanos;
    private String failure = "";

    /**
     * Has no connections yet.
     *
     * @param hosts a number for each rank that the ranks of one host share
     * @param inboxBytes of memory per group in which pieces wait to be combined
     * @param thread runs what moves bytes
     */
    public Job(int rank, List<Integer> hosts, long inboxBytes, Executor thread) {
        this.rank = rank;
        this.hosts = hosts;
        this.inboxBytes = inboxBytes;
        this.thread = thread;
        connections = new Connection[hosts.size()];
    }

    /** Takes over the connection to one of the other ranks; all of them before anything else. */
    public void add(Connection connection) {
        connections[connection.peer()] = connection;
    }

    // By any thread.

    public int rank() {
        return rank;
    }

    public int worldSize() {
        return connections.length;
    }

    /** {@return a number for each rank that the ranks of one host share} */
    List<Integer> hosts() {
        return hosts;
    }

    /** {@return a number that no other group led by this rank has} */
    public int nextGroupNumber() {
        return groupNumbers.getAndIncrement();
    }

    /** Ends the job with a cause that was found here. */
    public void abort(String cause) {
        thread.execute(() -> fail(cause));
    }

    // On the one thread.

    public Connection connection(int worldRank) {
        return connections[worldRank];
    }

    public void forEachConnection(Consumer<Connection> action) {
        for (Connection connection : connections) {
            if (connection != null) {
                action.accept(connection);
            }
        }
    }

    LinkRate linkRate() {
        return linkRate;
    }

    private long receivedBytes() {
        long bytes = 0;
        for (Connection connection : connections) {
            bytes += connection == null ? 0 : connection.receivedBytes();
        }
        return bytes;
    }

    /** {@return the connections through shared memory} */
    public Vicinity vicinity() {
        return new Vicinity(connections);
    }

    Combiner combiner(DType dtype) {
        return combiners.computeIfAbsent(dtype, Combiner::of);
    }

    /** {@return bytes of one peer's inbox in a group with this many peers: a whole number of pieces} */
    long inboxBytes(int peers) {
        return Math.max(2, inboxBytes / peers / Header.PIECE_BYTES) * Header.PIECE_BYTES;
    }

    /** Has a lane look for its next operation, soon. */
    void advance(Lane lane) {
        advancing.add(lane);
    }

    /** Has all lanes that may go on do so. */
    public void advanceLanes() {
        for (Lane lane = advancing.poll(); lane != null; lane = advancing.poll()) {
            lane.advance();
        }
    }

    /** {@return whether a lane may go on} */
    public boolean canAdvance() {
        return !advancing.isEmpty();
    }

    public State state() {
        return state;
    }

    /** {@return why no operation will succeed any more} */
    public String failure() {
        return failure;
    }

    /** Ends the job with a cause that was found here. */
    public void fail(String cause) {
        end(cause, "rank " + rank + ": " + cause);
    }

    /** Ends the job with a cause that another rank has told. */
    public void failAs(String cause) {
        end(cause, cause);
    }

    private void end(String cause, String told) {
        if (state == State.RUNNING) {
            state = State.FAILED;
            failure = cause;
            endNanos = System.nanoTime() + GRACE_NANOS;
            forEachConnection(connection -> connection.abort(told));
        }
    }

    /** Leaves in good order; no operation is under way. */
    public void leave() {
        state = State.LEAVING;
        failure = "the communicator is closed";
        endNanos = System.nanoTime() + GRACE_NANOS;
        forEachConnection(Connection::leave);
    }

    /** {@return whether those who have not read of the end will not be waited for any longer} */
    public boolean graceIsOver() {
        return System.nanoTime() - endNanos >= 0;
    }

    /** {@return whether all others know that it has ended, or are not waited for any longer} */
    public boolean ended() {
        if (state == State.RUNNING) {
            return false;
        }
        for (Connection connection : connections) {
            if (connection != null && !connection.ended()) {
                return graceIsOver();
            }
        }
        return true;
    }
}

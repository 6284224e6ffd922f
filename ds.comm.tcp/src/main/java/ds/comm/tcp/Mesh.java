package ds.comm.tcp;

import ds.api.DType;
import ds.api.Event;
import ds.comm.tcp.combine.Combiner;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.share.Neighbourhood;
import ds.comm.tcp.share.SharedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * All connections of this rank, and the one thread that reads, combines and writes. Other threads hand it commands. It ends
 * when the rank leaves, or when anything fails: the first cause is told to all other ranks and kept for every later call.
 */
final class Mesh implements AutoCloseable {
    /** How long an end waits for the others to read it. */
    private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(2);

    private enum State {
        RUNNING,
        LEAVING,
        FAILED
    }

    private record Departure(Group group, TcpWork work) {}

    private final int rank;
    private final TcpOptions options;
    private final Selector selector;
    private final Connection[] connections;
    private final Vicinity vicinity;
    private final Thread thread;
    private final Map<Long, Group> groups = new HashMap<>();
    private final Set<Long> departed = new HashSet<>(); // groups that this rank has left
    private final Map<DType, Combiner> combiners = new EnumMap<>(DType.class);
    private final ArrayDeque<Runnable> commands = new ArrayDeque<>();
    private final Set<Connection> awake = new LinkedHashSet<>();
    private final Set<Connection> waiting = new LinkedHashSet<>();
    private final ArrayDeque<Lane> advancing = new ArrayDeque<>();
    private final List<Departure> departures = new ArrayList<>();
    private final Dispatcher dispatcher = new Dispatcher(this, groups);
    private final AtomicInteger groupNumbers = new AtomicInteger(1);
    private final long checkNanos;
    private final List<Integer> hosts;
    private State state = State.RUNNING;
    private volatile boolean commanded;
    private boolean leaving;
    private boolean over; // guarded by commands
    private long endNanos;
    private long nextCheckNanos;
    private String failure = "";

    /**
     * Takes over the links.
     *
     * @param neighbourhood where all ranks are; its channels carry the bytes to ranks of this host, and are taken over
     */
    Mesh(int rank, List<Link> links, Neighbourhood neighbourhood, TcpOptions options) throws IOException {
        this.rank = rank;
        this.options = options;
        checkNanos =
                Math.min(TimeUnit.MILLISECONDS.toNanos(500), options.timeout().toNanos() / 4);
        selector = Selector.open();
        connections = new Connection[links.size() + 1];
        for (Link link : links) {
            Optional<SharedChannel> memory =
                    Optional.ofNullable(neighbourhood.channels().get(link.rank()));
            connections[link.rank()] = new Connection(this, link, memory, selector);
        }
        vicinity = new Vicinity(connections);
        hosts = neighbourhood.hosts();
        thread = Thread.ofPlatform().daemon().name("ds.comm.tcp rank " + rank).unstarted(this::run);
    }

    /** Begins to read, when the group of all ranks is registered: the others may talk about it at once. */
    void start() {
        thread.start();
    }

    int rank() {
        return rank;
    }

    int worldSize() {
        return connections.length;
    }

    /** {@return a number that the ranks of one host share: the lowest of them} */
    int host(int worldRank) {
        return hosts.get(worldRank);
    }

    Dispatcher dispatcher() {
        return dispatcher;
    }

    Connection connection(int worldRank) {
        return connections[worldRank];
    }

    /** {@return a number that no other group led by this rank has} */
    int nextGroupNumber() {
        return groupNumbers.getAndIncrement();
    }

    Combiner combiner(DType dtype) {
        return combiners.computeIfAbsent(dtype, Combiner::of);
    }

    /** {@return bytes of one peer's inbox in a group with this many peers: a whole number of pieces} */
    long inboxBytes(int peers) {
        return Math.max(2, options.inboxBytes() / peers / Header.PIECE_BYTES) * Header.PIECE_BYTES;
    }

    // Called by any thread.

    /** Runs a command on the mesh's thread; on this one, if that has ended. */
    void submit(Runnable command) {
        synchronized (commands) {
            if (over) {
                command.run();
            } else {
                commanded = true;
                commands.add(command);
            }
        }
        selector.wakeup();
    }

    void register(Group group) {
        submit(() -> {
            groups.put(group.id(), group);
            group.parts().forEach(part -> groups.put(part.id(), part));
        });
    }

    /** Queues an operation, to begin when its lane gets there and its operands are ready. */
    void enqueue(Operation operation, Lane lane) {
        if (Event.DONE.equals(operation.after())) {
            operation.setReady();
        } else {
            Thread.ofVirtual().start(() -> awaitOperands(operation, lane));
        }
        submit(() -> {
            if (state != State.RUNNING) {
                operation.work().fail("rank " + rank + ": " + operation + ": " + failure);
            } else if (!groups.containsKey(operation.group().id())) {
                operation.work().fail("rank " + rank + ": " + operation + ": the communicator is closed");
            } else {
                lane.enqueue(operation);
            }
        });
    }

    private void awaitOperands(Operation operation, Lane lane) {
        try {
            operation.after().synchronize();
        } catch (RuntimeException e) {
            submit(() -> fail("the operands of " + operation + " did not become ready: " + e));
        }
        submit(() -> {
            operation.setReady();
            lane.advance();
        });
    }

    /** {@return whether this rank has left a group, as its BYE tells those who do not know yet} */
    boolean hasLeft(long group) {
        return departed.contains(group);
    }

    void abort(String reason) {
        submit(() -> fail(reason));
    }

    /** Leaves one group, once its operations are done; completes {@code work} then. */
    void leave(Group group, TcpWork work) {
        submit(() -> {
            if (state == State.RUNNING) {
                departures.add(new Departure(group, work));
            } else {
                work.complete();
            }
        });
    }

    private void depart() {
        departures.removeIf(departure -> {
            boolean idle = departure.group().idle();
            if (idle) {
                remove(departure.group());
                departure.work().complete();
            }
            return idle;
        });
    }

    private void remove(Group group) {
        if (groups.containsKey(group.id())) {
            for (int peer : group.peers()) {
                group.connection(peer).bye(group);
            }
            group.parts().forEach(this::forget);
            forget(group);
        }
    }

    private void forget(Group group) {
        groups.remove(group.id());
        departed.add(group.id());
        forEachConnection(connection -> connection.forget(group));
        group.release();
    }

    /** Leaves the job, once all operations are done, and frees everything. */
    @Override
    public void close() {
        submit(() -> leaving = true);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
                abort("interrupted while it closed");
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // On the mesh's thread.

    private void run() {
        try {
            runCommands();
            forEachConnection(Connection::begin);
            while (!ended()) {
                turn();
            }
        } catch (IOException | RuntimeException | Error e) {
            fail("unexpected failure: " + e);
            flush();
            throw new IllegalStateException("rank " + rank + ": the communication thread has failed", e);
        } finally {
            release();
        }
    }

    private boolean ended() {
        if (state == State.RUNNING) {
            return false;
        }
        for (Connection connection : connections) {
            if (connection != null && !connection.ended()) {
                return System.nanoTime() - endNanos >= 0;
            }
        }
        return true;
    }

    private void turn() throws IOException {
        wakeWhoIsDue();
        if (awake.isEmpty() && !vicinity.pending()) {
            sleep();
        } else {
            selector.selectNow(this::ready);
        }
        vicinity.poll();
        runCommands();
        do {
            for (Lane lane = advancing.poll(); lane != null; lane = advancing.poll()) {
                lane.advance();
            }
            flush();
        } while (!advancing.isEmpty());
        switch (state) {
            case RUNNING -> {
                depart();
                checkDeadlines();
                leaveIfIdle();
            }
            case FAILED -> deliverFailure(System.nanoTime() - endNanos >= 0);
            case LEAVING -> {}
        }
    }

    /** Waits until a socket or a neighbour has something, or until deadlines have to be checked. */
    private void sleep() throws IOException {
        if (!vicinity.isEmpty() && underWay() && vicinity.spin(() -> commanded)) {
            return;
        }
        vicinity.sleeps(true);
        if (vicinity.pending()) { // since a neighbour may have looked just before we said that we sleep
            selector.selectNow(this::ready);
        } else {
            selector.select(this::ready, Math.max(1, TimeUnit.NANOSECONDS.toMillis(sleepNanos())));
        }
        vicinity.sleeps(false);
    }

    private long sleepNanos() {
        long nanos = checkNanos;
        long now = waiting.isEmpty() ? 0 : System.nanoTime();
        for (Connection connection : waiting) {
            nanos = Math.min(nanos, connection.dueNanos() - now);
        }
        return nanos;
    }

    private void wakeWhoIsDue() {
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

    private boolean underWay() {
        for (Group group : groups.values()) {
            if (!group.idle()) {
                return true;
            }
        }
        return false;
    }

    private void ready(SelectionKey key) {
        Connection connection = (Connection) key.attachment();
        if (key.isReadable()) {
            connection.readable();
        }
        if (key.isValid() && key.isWritable()) {
            wake(connection);
        }
    }

    private void runCommands() {
        Runnable[] batch;
        synchronized (commands) {
            batch = commands.toArray(Runnable[]::new);
            commands.clear();
            commanded = false;
        }
        for (Runnable command : batch) {
            command.run();
        }
    }

    private void flush() {
        List<Connection> batch = new ArrayList<>(awake);
        awake.clear();
        batch.forEach(Connection::flush);
    }

    void wake(Connection connection) {
        awake.add(connection);
    }

    /** Wakes a connection when it is due. */
    void wakeLater(Connection connection) {
        waiting.add(connection);
    }

    void advance(Lane lane) {
        advancing.add(lane);
    }

    private void checkDeadlines() {
        long now = System.nanoTime();
        if (now - nextCheckNanos < 0) {
            return;
        }
        nextCheckNanos = now + checkNanos;
        long timeout = options.timeout().toNanos();
        boolean[] stalled = new boolean[1];
        for (Group group : List.copyOf(groups.values())) {
            group.forEachLane(lane -> {
                Operation operation = lane.current();
                if (operation != null && now - operation.lastProgressNanos() > timeout) {
                    fail("no progress for " + options.timeout().toMillis() + " ms in " + operation.report()
                            + signsOfLife(now));
                }
                stalled[0] |= operation != null && now - operation.lastProgressNanos() > checkNanos;
            });
        }
        if (stalled[0] && state == State.RUNNING) {
            forEachConnection(connection -> connection.alive(true));
        }
    }

    /** {@return who does not run any more, as far as can be seen from here: who only waits for another rank says that it does} */
    private String signsOfLife(long now) {
        List<Integer> silent = new ArrayList<>();
        forEachConnection(connection -> {
            if (!connection.left()
                    && now - connection.heardNanos() > options.timeout().toNanos() / 2) {
                silent.add(connection.peer());
            }
        });
        return silent.isEmpty()
                ? ": all ranks give signs of life, so those named are busy elsewhere, call other operations or wait for others;"
                        + " raise timeout_seconds if they are only slow"
                : ": no sign of life of ranks " + silent
                        + ": they are frozen, or the link to them is cut; raise timeout_seconds"
                        + " if that is to be survived";
    }

    /** A peer has left the job in good order. */
    void left(Connection connection) {
        connection.setLeft();
        for (Group group : List.copyOf(groups.values())) {
            int member = group.member(connection.peer());
            if (member >= 0) {
                group.setLeft(member);
            }
        }
    }

    /** Nothing more will come from a peer. */
    void lost(Connection connection, String how) {
        if (!connection.left()) {
            fail("lost " + connection.name() + " (" + how + ") " + during());
        }
    }

    private String during() {
        List<String> reports = new ArrayList<>();
        groups.values()
                .forEach(group -> group.forEachLane(lane -> {
                    if (lane.current() != null) {
                        reports.add(lane.current().report());
                    }
                }));
        return reports.isEmpty() ? "while no operation was under way" : "during " + String.join(" and ", reports);
    }

    /** {@return whether the job has failed, so that nothing more is heard} */
    boolean failed() {
        return state == State.FAILED;
    }

    /** Ends the job with a cause that was found here. */
    void fail(String cause) {
        end(cause, "rank " + rank + ": " + cause);
    }

    /** Ends the job with a cause that another rank has told. */
    void failAs(String cause) {
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

    private void leaveIfIdle() {
        if (leaving && groups.values().stream().allMatch(Group::idle)) {
            state = State.LEAVING;
            failure = "the communicator is closed";
            endNanos = System.nanoTime() + GRACE_NANOS;
            forEachConnection(Connection::leave);
        }
    }

    /** Fails all operations, as soon as no socket reads from their operands any more. */
    private void deliverFailure(boolean anyway) {
        boolean[] held = new boolean[1];
        forEachConnection(connection -> held[0] |= connection.holdsOperand());
        if (anyway || !held[0]) {
            List.copyOf(groups.values()).forEach(group -> group.forEachLane(lane -> lane.fail(failure)));
            departures.forEach(departure -> departure.work().complete());
            departures.clear();
        }
    }

    private void forEachConnection(Consumer<Connection> action) {
        for (Connection connection : connections) {
            if (connection != null) {
                action.accept(connection);
            }
        }
    }

    /** Frees everything; the end of a mesh, or of one that was not started. */
    void release() {
        forEachConnection(Connection::close);
        deliverFailure(true);
        groups.values().forEach(Group::release);
        synchronized (commands) {
            over = true;
            commands.forEach(Runnable::run);
            commands.clear();
        }
        try {
            selector.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

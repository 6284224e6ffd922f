package ds.comm.tcp.mesh;

import ds.api.Event;
import ds.api.comm.Work;
import ds.comm.tcp.connection.Connection;
import ds.comm.tcp.connection.Vicinity;
import ds.comm.tcp.connection.Wakeups;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Job;
import ds.comm.tcp.group.Lane;
import ds.comm.tcp.group.Operation;
import ds.comm.tcp.group.TcpWork;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.pace.CongestionControl;
import ds.comm.tcp.share.Neighbourhood;
import ds.comm.tcp.share.SharedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The one thread of a rank that reads, combines and writes. Other threads hand it commands. It ends when the rank leaves, or when
 * anything fails.
 */
public final class Mesh implements AutoCloseable {
    /**
     * What is configured.
     *
     * @param timeout how long an operation under way may go without a byte
     * @param inboxBytes of memory per group in which pieces wait to be combined
     * @param congestionControl of what goes over the network
     */
    public record Options(Duration timeout, long inboxBytes, CongestionControl congestionControl) {}

    private final Selector selector;
    private final Commands commands;
    private final Job job;
    private final Groups groups;
    private final Deadlines deadlines;
    private final Wakeups wakeups = new Wakeups();
    private final Vicinity vicinity;
    private final Thread thread;
    private boolean leaving;

    /**
     * Takes over the links.
     *
     * @param neighbourhood where all ranks are; its channels carry the bytes to ranks of this host, and are taken over
     */
    public Mesh(int rank, List<Link> links, Neighbourhood neighbourhood, Options options) throws IOException {
        selector = Selector.open();
        commands = new Commands(selector);
        job = new Job(rank, neighbourhood.hosts(), options.inboxBytes(), commands);
        groups = new Groups(job);
        deadlines = new Deadlines(job, groups, options.timeout());
        Dispatcher dispatcher = new Dispatcher(job, groups);
        for (Link link : links) {
            Optional<SharedChannel> memory =
                    Optional.ofNullable(neighbourhood.channels().get(link.rank()));
            job.add(new Connection(link, memory, dispatcher, wakeups, options.congestionControl(), selector));
        }
        vicinity = job.vicinity();
        thread = Thread.ofPlatform().daemon().name("ds.comm.tcp rank " + rank).unstarted(this::run);
    }

    /** Begins to read, when the group of all ranks is registered: the others may talk about it at once. */
    public void start() {
        thread.start();
    }

    /** {@return what its groups have in common} */
    public Job job() {
        return job;
    }

    // Called by any thread.

    /**
     * Frames of a group are expected from now on.
     *
     * @param parts groups of which it makes use
     */
    public void register(Group group, List<Group> parts) {
        commands.execute(() -> {
            parts.forEach(groups::add); // first, since at a deadline they know better whom they wait for
            groups.add(group);
        });
    }

    /** Queues an operation, to begin when its lane gets there and its operands are ready. */
    public void enqueue(Operation operation, Lane lane) {
        if (Event.DONE.equals(operation.after())) {
            operation.setReady();
        } else {
            Thread.ofVirtual().start(() -> awaitOperands(operation, lane));
        }
        commands.execute(() -> {
            if (job.state() != Job.State.RUNNING) {
                operation.work().fail("rank " + job.rank() + ": " + operation + ": " + job.failure());
            } else if (groups.get(operation.group().id()) == null) {
                operation.work().fail("rank " + job.rank() + ": " + operation + ": the communicator is closed");
            } else {
                lane.enqueue(operation);
            }
        });
    }

    private void awaitOperands(Operation operation, Lane lane) {
        try {
            operation.after().synchronize();
        } catch (RuntimeException e) {
            job.abort("the operands of " + operation + " did not become ready: " + e);
        }
        commands.execute(() -> {
            operation.setReady();
            lane.advance();
        });
    }

    /**
     * Leaves one group and its parts, once its operations are done.
     *
     * @return complete when it is left
     */
    public Work leave(Group group, List<Group> parts) {
        TcpWork work = new TcpWork(job);
        commands.execute(() -> {
            if (job.state() == Job.State.RUNNING) {
                groups.leave(group, parts, work);
            } else {
                work.complete();
            }
        });
        return work;
    }

    /** Leaves the job, once all operations are done, and frees everything. */
    @Override
    public void close() {
        commands.execute(() -> leaving = true);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
                job.abort("interrupted while it closed");
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // On the mesh's thread.

    private void run() {
        try {
            commands.run();
            job.forEachConnection(Connection::begin);
            while (!job.ended()) {
                turn();
            }
        } catch (IOException | RuntimeException | Error e) {
            job.fail("unexpected failure: " + e);
            wakeups.flush();
            throw new IllegalStateException("rank " + job.rank() + ": the communication thread has failed", e);
        } finally {
            release();
        }
    }

    private void turn() throws IOException {
        if (wakeups.any() || vicinity.pending()) {
            selector.selectNow(this::ready);
        } else {
            sleep();
        }
        vicinity.poll();
        commands.run();
        do {
            job.advanceLanes();
            wakeups.flush();
        } while (job.canAdvance());
        switch (job.state()) {
            case RUNNING -> {
                groups.depart();
                deadlines.check();
                leaveIfIdle();
            }
            case FAILED -> deliverFailure(job.graceIsOver());
            case LEAVING -> {}
        }
    }

    /** Waits until a socket or a neighbour has something, or until deadlines have to be checked. */
    private void sleep() throws IOException {
        if (!vicinity.isEmpty() && !groups.idle() && vicinity.spin(commands::any)) {
            return;
        }
        vicinity.sleeps(true);
        if (vicinity.pending()) { // since a neighbour may have looked just before we said that we sleep
            selector.selectNow(this::ready);
        } else {
            selector.select(this::ready, Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadlines.checkNanos())));
        }
        vicinity.sleeps(false);
    }

    private void ready(SelectionKey key) {
        Connection connection = (Connection) key.attachment();
        if (key.isReadable()) {
            connection.readable();
        }
        if (key.isValid() && key.isWritable()) {
            connection.wake();
        }
    }

    private void leaveIfIdle() {
        if (leaving && groups.idle()) {
            job.leave();
        }
    }

    /** Fails all operations, as soon as no socket reads from their operands any more. */
    private void deliverFailure(boolean anyway) {
        boolean[] held = new boolean[1];
        job.forEachConnection(connection -> held[0] |= connection.holdsOperand());
        if (anyway || !held[0]) {
            groups.fail(job.failure());
        }
    }

    /** Frees everything; the end of a mesh, or of one that was not started. */
    void release() {
        job.forEachConnection(Connection::close);
        deliverFailure(true);
        groups.release();
        commands.end();
        try {
            selector.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

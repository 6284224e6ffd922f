package ds.comm.tcp;

import ds.comm.tcp.meet.Link;
import ds.comm.tcp.share.SharedChannel;
import ds.comm.tcp.wire.FrameChannel;
import ds.comm.tcp.wire.NativeSocket;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.Optional;

/** The link to one other rank, for all groups: what arrives and what leaves. On the thread of the {@link Mesh}. */
final class Connection {
    /** What may wait in a socket to be sent: a few pieces, behind which one that is needed sooner does not wait long. */
    private static final int HELD_BYTES = 2 * Header.PIECE_BYTES;

    private final Mesh mesh;
    private final Link link;
    private final Optional<SharedChannel> shared;
    private final FrameReader reader;
    private final FrameWriter writer;
    private final SelectionKey key;
    private boolean left;
    private boolean ended;
    private boolean blocked;
    private long dueNanos;
    private long heardNanos = System.nanoTime();

    /**
     * Takes over the link.
     *
     * @param shared what carries the bytes instead, if the peer is on this host; taken over
     */
    Connection(Mesh mesh, Link link, Optional<SharedChannel> shared, Selector selector) throws IOException {
        this.mesh = mesh;
        this.link = link;
        this.shared = shared;
        link.wire().socket().configureBlocking(false);
        if (shared.isEmpty()) {
            NativeSocket.of(link.wire().socket()).ifPresent(socket -> socket.holdAtMost(HELD_BYTES));
        }
        FrameChannel channel = shared.isPresent() ? shared.get() : link.wire();
        reader = new FrameReader(channel);
        writer = new FrameWriter(channel);
        key = link.wire().socket().register(selector, SelectionKey.OP_READ, this);
    }

    /** Reads what a faster peer has sent already, and what left the socket when the two met. */
    void begin() {
        if (shared.isEmpty() && link.wire().holdsInput()) {
            read();
        }
    }

    int peer() {
        return link.rank();
    }

    /** The memory of a group is about to be freed. */
    void forget(Group group) {
        reader.forget(group.id());
    }

    /** {@return the peer's rank, host and port, for messages} */
    String name() {
        return link.name();
    }

    /** {@return whether the peer has left in good order} */
    boolean left() {
        return left;
    }

    void setLeft() {
        left = true;
    }

    /** {@return whether nothing will arrive any more} */
    boolean ended() {
        return ended;
    }

    int start(Operation operation, MemorySegment inline) {
        wake();
        return writer.start(operation, inline);
    }

    void credit(Operation operation, long bytes) {
        writer.credit(operation, bytes);
        wake();
    }

    /** Tells the peer that this rank still runs; unless what was said before has not left yet. */
    void alive(boolean asks) {
        if (!ended && !blocked) {
            writer.alive(asks);
            wake();
        }
    }

    /** {@return when anything came for the last time} */
    long heardNanos() {
        return heardNanos;
    }

    void bye(Group group) {
        writer.bye(group);
        wake();
    }

    void add(Outflow outflow) {
        writer.add(outflow);
    }

    void wake() {
        mesh.wake(this);
    }

    /** {@return whether bytes go through memory, which no selector sees} */
    boolean isShared() {
        return shared.isPresent();
    }

    /** {@return whether shared memory has something to read, or the room that was waited for} */
    boolean pending() {
        return !ended && shared.isPresent() && pending(shared.get());
    }

    private boolean pending(SharedChannel memory) {
        return memory.readable() || (blocked && memory.writable());
    }

    /** Does what shared memory has waited for. */
    void poll() {
        if (!ended && shared.isPresent()) {
            if (shared.get().readable()) {
                read();
            }
            if (blocked && shared.get().writable()) {
                blocked = false;
                wake();
            }
        }
    }

    /** This rank is about to wait for its selector, or does no more. */
    void sleeps(boolean sleeps) {
        if (!ended && shared.isPresent()) {
            shared.get().sleeps(sleeps, blocked);
        }
    }

    /** The socket is readable. */
    void readable() {
        try {
            if (shared.isPresent()) {
                shared.get().awake();
            }
            read();
        } catch (IOException e) {
            end();
            mesh.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** Reads what is there; a bounded amount, for the sake of the other connections. */
    private void read() {
        heardNanos = System.nanoTime();
        try {
            if (!reader.read(mesh.dispatcher(), this)) {
                end();
                mesh.lost(this, "the connection was closed");
            }
        } catch (Header.BadFrame e) {
            mesh.fail(name() + " sent a bad frame: " + e.getMessage()
                    + ": something else writes to this connection, or it runs another release of ds");
        } catch (IOException e) {
            end();
            mesh.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** Writes what can be written. */
    void flush() {
        if (ended) {
            return;
        }
        try {
            FrameWriter.Progress progress = writer.flush();
            blocked = progress == FrameWriter.Progress.BLOCKED;
            int interest = SelectionKey.OP_READ | (blocked && shared.isEmpty() ? SelectionKey.OP_WRITE : 0);
            if (key.interestOps() != interest) {
                key.interestOps(interest);
            }
            if (progress == FrameWriter.Progress.MORE) {
                wake();
            } else if (progress == FrameWriter.Progress.IDLE && writer.waitNanos() < Long.MAX_VALUE) {
                dueNanos = System.nanoTime() + writer.waitNanos();
                mesh.wakeLater(this);
            } else if (progress == FrameWriter.Progress.LAST) {
                shutdownOutput();
            }
        } catch (IOException e) {
            end();
            mesh.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** {@return when the next piece may leave that has been kept back} */
    long dueNanos() {
        return dueNanos;
    }

    private void shutdownOutput() throws IOException {
        if (shared.isPresent()) {
            link.wire().socket().shutdownOutput(); // whose bytes are no TLS any more
        } else {
            link.wire().shutdownOutput();
        }
    }

    /** Says that this rank leaves in good order; nothing is sent afterwards. */
    void leave() {
        reader.discard();
        writer.leave();
        wake();
    }

    /** Says that the job has failed; nothing is sent afterwards, and no operand is touched any more. */
    void abort(String cause) {
        reader.discard();
        writer.abort(cause);
        wake();
    }

    /** {@return whether bytes of an operand are on their way to the socket} */
    boolean holdsOperand() {
        return !ended && writer.holdsOperand();
    }

    private void end() {
        ended = true;
        key.cancel();
        link.close();
    }

    void close() {
        link.close();
        shared.ifPresent(SharedChannel::close);
    }
}

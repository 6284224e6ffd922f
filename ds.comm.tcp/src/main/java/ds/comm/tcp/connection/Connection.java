package ds.comm.tcp.connection;

import ds.comm.tcp.flow.Outflow;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.Header.BadFrame;
import ds.comm.tcp.frame.Subject;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.pace.CongestionControl;
import ds.comm.tcp.share.SharedChannel;
import ds.comm.tcp.wire.FrameChannel;
import ds.comm.tcp.wire.NativeSocket;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.Optional;

/** The link to one other rank, for all groups: what arrives and what leaves. On the thread that moves all bytes. */
public final class Connection {
    /** What may wait in a socket to be sent: a few pieces, behind which one that is needed sooner does not wait long. */
    private static final int MOST_HELD_BYTES = 2 * Header.PIECE_BYTES;

    /**
     * What a slow stream gives to its socket at once. The system makes one burst of all it finds there; on a short way bursts of 64 KiB, three
     * streams of which overflow the queue of a slow link.
     */
    private static final double BURST_SECONDS = 0.001;

    private static final int LEAST_BURST_BYTES = 1 << 12;
    private static final int MOST_BURST_BYTES = 1 << 14; // streams with larger ones are fast enough for pieces

    private final Link link;
    private final Optional<SharedChannel> shared;
    private final Receiver receiver;
    private final Wakeups wakeups;
    private final FrameReader reader;
    private final FrameWriter writer;
    private final SelectionKey key;
    private final Optional<NativeSocket> socket;
    private boolean left;
    private boolean ended;
    private boolean blocked;
    private long bytesPerSecond; // to which the system keeps
    private int heldBytes = MOST_HELD_BYTES;
    private long heardNanos = System.nanoTime();

    /**
     * Takes over the link.
     *
     * @param shared what carries the bytes instead, if the peer is on this host; taken over
     * @param congestionControl of what goes over the network
     * @param selector has this connection as the attachment of its key
     */
    public Connection(
            Link link,
            Optional<SharedChannel> shared,
            Receiver receiver,
            Wakeups wakeups,
            CongestionControl congestionControl,
            Selector selector)
            throws IOException {
        this.receiver = receiver;
        this.wakeups = wakeups;
        this.link = link;
        this.shared = shared;
        link.wire().socket().configureBlocking(false);
        if (shared.isPresent()) {
            socket = Optional.empty();
        } else {
            socket = NativeSocket.of(link.wire().socket());
            socket.ifPresent(system -> system.holdAtMost(heldBytes));
            socket.ifPresent(congestionControl::choose);
        }
        FrameChannel channel = shared.isPresent() ? shared.get() : link.wire();
        reader = new FrameReader(channel);
        writer = new FrameWriter(channel);
        key = link.wire().socket().register(selector, SelectionKey.OP_READ, this);
    }

    /** Reads what a faster peer has sent already, and what left the socket when the two met. */
    public void begin() {
        if (shared.isEmpty() && link.wire().holdsInput()) {
            read();
        }
    }

    public int peer() {
        return link.rank();
    }

    /** The memory of a group is about to be freed. */
    public void forget(long group) {
        reader.forget(group);
    }

    /** {@return the peer's rank, host and port, for messages} */
    public String name() {
        return link.name();
    }

    /** {@return whether the peer has left in good order} */
    public boolean left() {
        return left;
    }

    public void setLeft() {
        left = true;
    }

    /** {@return whether nothing will arrive any more} */
    public boolean ended() {
        return ended;
    }

    /**
     * Announces an operation.
     *
     * @param credit pieces that this rank takes before it grants more; 0 if it takes all
     * @param pace KiB per second in which it takes them; 0 if as many as come
     * @param inline copied
     * @return the bytes of the frame
     */
    public int start(Subject subject, int credit, int pace, MemorySegment inline) {
        wake();
        return writer.start(subject, credit, pace, inline);
    }

    /**
     * Tells the peer how many bytes of an operand have a place.
     *
     * @param pace KiB per second in which this rank takes them; 0 if as many as come
     */
    public void credit(Subject subject, long bytes, int pace) {
        writer.credit(subject, bytes, pace);
        wake();
    }

    /** Tells the peer that this rank still runs; unless what was said before has not left yet. */
    public void alive(boolean asks) {
        if (!ended && !blocked) {
            writer.alive(asks);
            wake();
        }
    }

    /** {@return when anything came for the last time} */
    public long heardNanos() {
        return heardNanos;
    }

    /** Says that this rank leaves a group. */
    public void bye(long group) {
        writer.bye(group);
        wake();
    }

    public void add(Outflow outflow) {
        writer.add(outflow);
    }

    public void wake() {
        wakeups.wake(this);
    }

    /** {@return whether bytes go through memory, which no selector sees} */
    public boolean isShared() {
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
    public void readable() {
        try {
            if (shared.isPresent()) {
                shared.get().awake();
            }
            read();
        } catch (IOException e) {
            end();
            receiver.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** Reads what is there; a bounded amount, for the sake of the other connections. */
    private void read() {
        heardNanos = System.nanoTime();
        try {
            if (!reader.read(receiver, this)) {
                end();
                receiver.lost(this, "the connection was closed");
            }
        } catch (BadFrame e) {
            receiver.bad(this, e);
        } catch (IOException e) {
            end();
            receiver.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** Writes what can be written. */
    void flush() {
        if (ended) {
            return;
        }
        try {
            socket.ifPresent(this::keepToPace);
            FrameWriter.Progress progress = writer.flush();
            blocked = progress == FrameWriter.Progress.BLOCKED;
            int interest = SelectionKey.OP_READ | (blocked && shared.isEmpty() ? SelectionKey.OP_WRITE : 0);
            if (key.interestOps() != interest) {
                key.interestOps(interest);
            }
            if (progress == FrameWriter.Progress.MORE) {
                wake();
            } else if (progress == FrameWriter.Progress.LAST) {
                shutdownOutput();
            }
        } catch (IOException e) {
            end();
            receiver.lost(this, String.valueOf(e.getMessage()));
        }
    }

    private void keepToPace(NativeSocket system) {
        long rate = writer.bytesPerSecond(bytesPerSecond);
        if (rate != bytesPerSecond) {
            bytesPerSecond = rate;
            system.keepTo(rate);
            writer.giveAtMost(burstBytes(rate));
            int held = heldBytes(rate);
            if (held != heldBytes) {
                heldBytes = held;
                system.holdAtMost(held);
            }
        }
    }

    /** {@return what the socket is given at once at a rate in bytes per second, 0 if at any} */
    static int burstBytes(long rate) {
        long bytes = Math.round(rate * BURST_SECONDS / LEAST_BURST_BYTES) * LEAST_BURST_BYTES;
        boolean limited = rate > 0 && bytes <= MOST_BURST_BYTES;
        return limited ? (int) Math.max(LEAST_BURST_BYTES, bytes) : FrameWriter.NO_LIMIT;
    }

    /** {@return how much may wait in the socket at a rate in bytes per second, 0 if at any: two bursts, few different values} */
    static int heldBytes(long rate) {
        return Math.min(MOST_HELD_BYTES / 2, burstBytes(rate)) * 2;
    }

    /** {@return how many bytes have come over the network, read or not; 0 if the system does not say} */
    public long receivedBytes() {
        return ended || socket.isEmpty() ? 0 : socket.get().receivedBytes();
    }

    private void shutdownOutput() throws IOException {
        if (shared.isPresent()) {
            link.wire().socket().shutdownOutput(); // whose bytes are no TLS any more
        } else {
            link.wire().shutdownOutput();
        }
    }

    /** Says that this rank leaves in good order; nothing is sent afterwards. */
    public void leave() {
        reader.discard();
        writer.leave();
        wake();
    }

    /** Says that the job has failed; nothing is sent afterwards, and no operand is touched any more. */
    public void abort(String cause) {
        reader.discard();
        writer.abort(cause);
        wake();
    }

    /** {@return whether bytes of an operand are on their way to the socket} */
    public boolean holdsOperand() {
        return !ended && writer.holdsOperand();
    }

    private void end() {
        ended = true;
        key.cancel();
        link.close();
    }

    public void close() {
        link.close();
        shared.ifPresent(SharedChannel::close);
    }
}

package ds.comm.tcp.share;

import ds.comm.tcp.wire.FrameChannel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/**
 * A connection to a rank of this host: bytes go through a {@link Ring} each way. The socket beside it carries single bytes
 * that wake a sleeping side, and tells when the peer's process has ended. These bytes say nothing, and are in clear also where
 * the two have met within TLS. For one thread, which does not block here.
 */
public final class SharedChannel implements FrameChannel {
    private final SharedMemory memory;
    private final Ring in;
    private final Ring out;
    private final SocketChannel socket;
    private final ByteBuffer bells = ByteBuffer.allocateDirect(64);
    private final ByteBuffer bell = ByteBuffer.allocateDirect(1);
    private boolean ended;

    /**
     * Takes over the memory.
     *
     * @param memory closed with the channel: two rings of equal size, the first of which leads from the lower rank to the higher
     * @param lower whether this is the lower rank
     */
    SharedChannel(SharedMemory memory, boolean lower, SocketChannel socket) {
        this.memory = memory;
        this.socket = socket;
        MemorySegment bytes = memory.bytes();
        long half = bytes.byteSize() / 2;
        Ring up = new Ring(bytes.asSlice(0, half));
        Ring down = new Ring(bytes.asSlice(half, half));
        in = lower ? down : up;
        out = lower ? up : down;
    }

    /** {@return whether there is something to read, or the end} */
    public boolean readable() {
        return ended || in.readable();
    }

    /** {@return whether there is room to write} */
    public boolean writable() {
        return out.writable();
    }

    /**
     * Announces that this side will sleep until its socket is readable; or that it is awake again.
     *
     * @param blocked whether it also waits for room to write
     */
    public void sleeps(boolean sleeps, boolean blocked) {
        in.consumerSleeps(sleeps);
        if (blocked || !sleeps) {
            out.producerSleeps(sleeps);
        }
    }

    /** Takes what has come through the socket: it is readable. */
    public void awake() throws IOException {
        while (!ended) {
            int n = socket.read(bells.clear());
            if (n == 0) {
                return;
            }
            ended = n < 0;
        }
    }

    /** {@return bytes read; −1 once the peer has ended and everything is read} */
    @Override
    public int read(ByteBuffer target) throws IOException {
        int n = in.read(target);
        if (n == 0) {
            return ended && !in.readable() && target.hasRemaining() ? -1 : 0;
        }
        if (in.mustWakeProducer()) {
            ring();
        }
        return n;
    }

    @Override
    public long write(ByteBuffer[] sources, int offset, int length) throws IOException {
        long total = 0;
        for (int i = offset; i < offset + length; i++) {
            total += out.write(sources[i]);
            if (sources[i].hasRemaining()) {
                break;
            }
        }
        if (total > 0 && out.mustWakeConsumer()) {
            ring();
        }
        return total;
    }

    @Override
    public long write(ByteBuffer[] sources) throws IOException {
        return write(sources, 0, sources.length);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        return (int) write(new ByteBuffer[] {source}, 0, 1);
    }

    /** A socket that takes no more is full of such bytes. */
    private void ring() throws IOException {
        socket.write(bell.clear());
    }

    @Override
    public boolean isOpen() {
        return memory.isOpen();
    }

    @Override
    public void close() {
        memory.close();
    }
}

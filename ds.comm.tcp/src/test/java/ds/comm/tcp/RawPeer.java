package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.meet.Meeting;
import ds.comm.tcp.share.Neighbourhood;
import ds.comm.tcp.share.Neighbours;
import ds.comm.tcp.share.SharedChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A rank that joins like any other, and then says only what a test lets it say. */
final class RawPeer implements AutoCloseable {
    private final List<Link> links;
    private final Neighbourhood neighbourhood;

    private RawPeer(List<Link> links, Neighbourhood neighbourhood) {
        this.links = links;
        this.neighbourhood = neighbourhood;
    }

    /** @param shared whether its bytes go through memory that it shares with the others */
    static RawPeer join(int rank, int worldSize, int port, boolean shared) {
        Rendezvous rendezvous = new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, Optional.of(Loopback.SECRET));
        List<Link> links = new Meeting(rendezvous, Optional.empty(), Duration.ofSeconds(20), Optional.empty()).join();
        Neighbourhood neighbourhood;
        try {
            String where = shared ? Neighbours.thisHost() + " " : "";
            neighbourhood = new Neighbours(rank, worldSize, Duration.ofSeconds(20)).meet(links, where);
            assertEquals(shared ? worldSize - 1 : 0, neighbourhood.channels().size(), "neighbours");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        RawPeer peer = new RawPeer(links, neighbourhood);
        peer.start(OperationKind.BARRIER, DType.I32, 0, 0, "join");
        return peer;
    }

    /** What it says. */
    interface Part {
        void play(RawPeer peer) throws Exception;
    }

    /** {@return the end of its part, which it plays on a thread of its own} */
    static CompletableFuture<Void> playing(int rank, int worldSize, int port, boolean shared, Part part) {
        return CompletableFuture.runAsync(
                () -> {
                    try (RawPeer peer = join(rank, worldSize, port, shared)) {
                        part.play(peer);
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                },
                Loopback.THREADS);
    }

    /** Announces an operation to all. */
    void start(OperationKind kind, DType dtype, long sequence, long count, String label) {
        start(kind, dtype, sequence, count, label, 0);
    }

    /** @param pace KiB per second that it asks for */
    void start(OperationKind kind, DType dtype, long sequence, long count, String label, int pace) {
        start(kind, dtype, sequence, count, label, 0, pace);
    }

    /**
     * Announces an operation to all.
     *
     * @param credit pieces that it takes; 0 if all
     * @param pace KiB per second that it asks for
     */
    void start(OperationKind kind, DType dtype, long sequence, long count, String label, int credit, int pace) {
        byte[] text = label.getBytes(StandardCharsets.UTF_8);
        Header header = new Header(
                FrameKind.START,
                kind,
                ReduceOp.SUM,
                dtype,
                0,
                sequence,
                count,
                0,
                credit,
                pace,
                label.hashCode(),
                text.length,
                text.length);
        ByteBuffer frame = ByteBuffer.allocate(Header.BYTES + text.length);
        header.write(frame);
        send(frame.put(text).flip());
    }

    /**
     * Grants rank 0 some of its operand.
     *
     * @param pace KiB per second that it asks for
     */
    void credit(OperationKind kind, long sequence, long bytes, int pace) {
        ByteBuffer frame = ByteBuffer.allocate(Header.BYTES);
        new Header(FrameKind.CREDIT, kind, ReduceOp.SUM, DType.F32, 0, sequence, bytes, 0, 0, pace, 0, 0, 0)
                .write(frame);
        send(links.getFirst(), frame.flip());
    }

    /** Sends rank 0 a piece of its operand: zeros. */
    void data(OperationKind kind, long sequence, long offset) {
        send(links.getFirst(), piece(kind, sequence, offset, (byte) 0));
    }

    /** {@return a piece of its operand, in a frame, of which all bytes are these} */
    static ByteBuffer piece(OperationKind kind, long sequence, long offset, byte content) {
        ByteBuffer frame = ByteBuffer.allocate(Header.BYTES + Header.PIECE_BYTES);
        new Header(
                        FrameKind.DATA,
                        kind,
                        ReduceOp.SUM,
                        DType.F32,
                        0,
                        sequence,
                        offset,
                        0,
                        0,
                        0,
                        0,
                        0,
                        Header.PIECE_BYTES)
                .write(frame);
        Arrays.fill(frame.array(), Header.BYTES, frame.capacity(), content);
        return frame.rewind();
    }

    /** Sends bytes to all. */
    void send(ByteBuffer bytes) {
        links.forEach(link -> send(link, bytes.duplicate()));
    }

    private void send(Link link, ByteBuffer bytes) {
        try {
            while (bytes.hasRemaining()) {
                target(link).write(bytes);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private WritableByteChannel target(Link link) {
        SharedChannel shared = neighbourhood.channels().get(link.rank());
        return shared == null ? link.wire() : shared;
    }

    private ReadableByteChannel source(Link link) {
        SharedChannel shared = neighbourhood.channels().get(link.rank());
        return shared == null ? link.wire() : shared;
    }

    /** Reads until all others have begun the collective with this number. */
    void awaitStart(long sequence) throws Exception {
        for (Link link : links) {
            awaitFrame(link, FrameKind.START, sequence);
        }
    }

    /** Reads what rank 0 says next, whatever it is. */
    Header nextFrame() throws Exception {
        return nextFrame(links.getFirst());
    }

    private Header nextFrame(Link link) throws Exception {
        Header header = Header.read(read(link, Header.BYTES));
        read(link, header.bodyBytes());
        return header;
    }

    /** Reads until rank 0 says this in the collective with this number. */
    Header awaitFrame(FrameKind kind, long sequence) throws Exception {
        return awaitFrame(links.getFirst(), kind, sequence);
    }

    private Header awaitFrame(Link link, FrameKind kind, long sequence) throws Exception {
        Header header;
        do {
            header = nextFrame(link);
        } while (header.kind() != kind || header.sequence() != sequence);
        return header;
    }

    private ByteBuffer read(Link link, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining()) {
            if (source(link).read(buffer) < 0) {
                throw new IOException(link.name() + " has ended");
            }
        }
        return buffer.flip();
    }

    /** Takes no notice of anything until rank 0 has ended: whatever comes through shared memory stays there. */
    void awaitEnd() throws IOException {
        ByteBuffer sink = ByteBuffer.allocate(1 << 16);
        while (links.getFirst().wire().read(sink.clear()) >= 0) {
            // until the end of the stream
        }
    }

    /** Ends without a word, as a killed process does. */
    @Override
    public void close() {
        links.forEach(Link::close);
        neighbourhood.close();
    }
}

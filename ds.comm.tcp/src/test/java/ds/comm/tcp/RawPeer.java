package ds.comm.tcp;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.meet.Meeting;
import ds.comm.tcp.share.Neighbours;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** A rank that joins like any other, and then says only what a test lets it say. */
final class RawPeer implements AutoCloseable {
    private final List<Link> links;

    private RawPeer(List<Link> links) {
        this.links = links;
    }

    static RawPeer join(int rank, int worldSize, int port) {
        Rendezvous rendezvous = new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, Optional.of(Loopback.SECRET));
        List<Link> links = new Meeting(rendezvous, Optional.empty(), Duration.ofSeconds(20)).join();
        try {
            new Neighbours(rank, worldSize, Duration.ofSeconds(20)).meet(links, "");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        RawPeer peer = new RawPeer(links);
        peer.start(OperationKind.BARRIER, DType.I32, 0, 0, "join");
        return peer;
    }

    /** Announces an operation to all. */
    void start(OperationKind kind, DType dtype, long sequence, long count, String label) {
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
                0,
                label.hashCode(),
                text.length,
                text.length);
        ByteBuffer frame = ByteBuffer.allocate(Header.BYTES + text.length);
        header.write(frame);
        send(frame.put(text).flip());
    }

    /** Sends bytes to all. */
    void send(ByteBuffer bytes) {
        try {
            for (Link link : links) {
                ByteBuffer copy = bytes.duplicate();
                while (copy.hasRemaining()) {
                    link.channel().write(copy);
                }
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Reads until all others have begun the collective with this number. */
    void awaitStart(long sequence) throws Exception {
        for (Link link : links) {
            Header header;
            do {
                header = Header.read(read(link, Header.BYTES));
                read(link, header.bodyBytes());
            } while (header.kind() != FrameKind.START || header.sequence() != sequence);
        }
    }

    private static ByteBuffer read(Link link, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining()) {
            if (link.channel().read(buffer) < 0) {
                throw new IOException(link.name() + " has ended");
            }
        }
        return buffer.flip();
    }

    /** Reads until rank 0 says that it has ended. */
    void awaitEnd() throws IOException {
        ByteBuffer sink = ByteBuffer.allocate(1 << 16);
        while (links.getFirst().channel().read(sink.clear()) >= 0) {
            // until the end of the stream
        }
    }

    /** Ends without a word, as a killed process does. */
    @Override
    public void close() {
        links.forEach(Link::close);
    }
}

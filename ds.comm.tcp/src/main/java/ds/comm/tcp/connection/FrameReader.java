package ds.comm.tcp.connection;

import ds.comm.tcp.frame.Header;
import ds.comm.tcp.wire.FrameChannel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Frames that arrive through one connection; the body of each goes straight to where it belongs. */
public final class FrameReader {
    private static final int TURN_BYTES = 4 * Header.PIECE_BYTES;

    private final FrameChannel channel;
    private final ByteBuffer headerBytes = ByteBuffer.allocateDirect(Header.BYTES);
    private final Staging staging = new Staging();
    private Header header;
    private MemorySegment memory = MemorySegment.NULL;
    private ByteBuffer body;
    private ByteBuffer discarded;

    public FrameReader(FrameChannel channel) {
        this.channel = channel;
    }

    /** From now on whatever arrives is thrown away, and no operand is touched. */
    void discard() {
        body = null;
        header = null;
        discarded = ByteBuffer.allocateDirect(8192);
    }

    /** The memory of a group is about to be freed: what is still to come of a frame for it goes nowhere. */
    void forget(long group) {
        if (body != null && header.group() == group) {
            body = ByteBuffer.allocate(body.remaining());
        }
    }

    /** {@return false at the end of the stream} */
    public boolean read(Receiver receiver, Connection connection) throws IOException, Header.BadFrame {
        for (long budget = TURN_BYTES; budget > 0 || channel.holdsInput(); ) {
            ByteBuffer target = discarded != null ? discarded.clear() : header == null ? headerBytes : body;
            int n = channel.read(target);
            if (n < 0) {
                return false;
            }
            budget -= n;
            if (n == 0 || (discarded == null && target.hasRemaining())) {
                return true;
            }
            if (discarded == null) {
                advance(receiver, connection);
            }
        }
        return true;
    }

    private void advance(Receiver receiver, Connection connection) throws Header.BadFrame {
        if (header == null) {
            header = Header.read(headerBytes.flip());
            headerBytes.clear();
            memory = receiver.open(connection, header);
            if (header.bodyBytes() > 0) {
                body = staging.toRead(memory);
                return;
            }
        }
        staging.finishRead();
        Header complete = header;
        header = null;
        body = null;
        receiver.arrived(connection, complete, memory);
    }
}

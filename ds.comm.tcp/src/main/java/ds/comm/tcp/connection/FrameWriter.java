package ds.comm.tcp.connection;

import ds.comm.tcp.flow.Outflow;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.Subject;
import ds.comm.tcp.wire.FrameChannel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Frames that leave through one connection: first the small ones that order things, in their order, then a piece of one of the
 * operands under way, which take turns; the urgent ones first. Pieces go straight from the operand to the socket.
 */
final class FrameWriter {
    /** How a flush has ended. */
    enum Progress {
        /** There is nothing more to write now. */
        IDLE,
        /** The socket takes no more now, or is not given more before it asks. */
        BLOCKED,
        /** There is more; other connections come first. */
        MORE,
        /** The last frame has left. */
        LAST
    }

    /** A socket is given as much of a piece as it takes. */
    static final int NO_LIMIT = Integer.MAX_VALUE;

    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);
    private static final int TURN_BYTES = 4 * Header.PIECE_BYTES;

    private final FrameChannel channel;
    private final List<Outflow> outflows = new ArrayList<>();
    private final ByteBuffer pieceHeader =
            ByteBuffer.allocateDirect(Header.BYTES).limit(0);
    private final Staging staging = new Staging();
    private final ByteBuffer[] batch = new ByteBuffer[3];
    private ByteBuffer filling = ByteBuffer.allocateDirect(8192);
    private ByteBuffer draining = ByteBuffer.allocateDirect(8192).limit(0);
    private ByteBuffer piece = NOTHING;
    private Outflow pieceOf;
    private int pieceBytes;
    private int mostAtOnce = NO_LIMIT;
    private boolean last;

    FrameWriter(FrameChannel channel) {
        this.channel = channel;
    }

    /**
     * Announces an operation.
     *
     * @param credit pieces that this rank takes before it grants more; 0 if it takes all
     * @param pace KiB per second in which it takes them; 0 if as many as come
     * @param inline copied
     * @return the bytes of the frame
     */
    int start(Subject subject, int credit, int pace, MemorySegment inline) {
        byte[] whole = subject.descriptor().label().getBytes(StandardCharsets.UTF_8);
        byte[] label = whole.length <= Header.MAX_LABEL_BYTES ? whole : Arrays.copyOf(whole, Header.MAX_LABEL_BYTES);
        int body = label.length + (int) inline.byteSize();
        ByteBuffer buffer = room(Header.BYTES + body);
        subject.start(credit, pace, label.length, body).write(buffer);
        buffer.put(label);
        MemorySegment.ofBuffer(buffer).copyFrom(inline);
        buffer.position(buffer.position() + (int) inline.byteSize());
        return Header.BYTES + body;
    }

    void credit(Subject subject, long bytes, int pace) {
        subject.credit(bytes, pace).write(room(Header.BYTES));
    }

    /** Says that this rank leaves a group. */
    void bye(long group) {
        Header.control(FrameKind.BYE, group, 0).write(room(Header.BYTES));
    }

    void alive(boolean asks) {
        Header.alive(asks).write(room(Header.BYTES));
    }

    void leave() {
        Header.control(FrameKind.BYE, 0, 0).write(room(Header.BYTES));
        last = true;
    }

    /** Gives up what has not begun to leave. A piece that has is completed, so that the peer can read what follows it. */
    void abort(String cause) {
        outflows.clear();
        mostAtOnce = NO_LIMIT; // nothing follows
        filling.clear();
        pieceOf = null;
        byte[] text = cause.getBytes(StandardCharsets.UTF_8);
        int bytes = Math.min(text.length, Header.MAX_TEXT_BYTES);
        ByteBuffer buffer = room(Header.BYTES + bytes);
        Header.control(FrameKind.ABORT, 0, bytes).write(buffer);
        buffer.put(text, 0, bytes);
        last = true;
    }

    /** From now on gives the socket so many bytes of a piece in one flush, which then waits for the socket to ask. */
    void giveAtMost(int bytes) {
        mostAtOnce = bytes;
    }

    /** {@return whether bytes of an operand are on their way to the socket} */
    boolean holdsOperand() {
        return piece.hasRemaining();
    }

    void add(Outflow outflow) {
        outflows.add(outflow);
    }

    private ByteBuffer room(int bytes) {
        if (filling.remaining() < bytes) {
            int size = Math.max(2 * filling.capacity(), filling.position() + bytes);
            filling = ByteBuffer.allocateDirect(size).put(filling.flip());
        }
        return filling;
    }

    /** Writes until there is nothing more, the socket is full, or others have to get their turn. */
    Progress flush() throws IOException {
        for (long budget = TURN_BYTES; budget > 0; ) {
            if (!channel.flush()) {
                return Progress.BLOCKED;
            }
            if (!remaining() && !next()) {
                return last ? Progress.LAST : Progress.IDLE;
            }
            batch[0] = draining;
            batch[1] = pieceHeader;
            batch[2] = piece;
            boolean waits = mostAtOnce < NO_LIMIT && piece.hasRemaining();
            int end = piece.limit();
            piece.limit(piece.position() + Math.min(piece.remaining(), mostAtOnce));
            budget -= channel.write(batch);
            waits |= remaining();
            piece.limit(end);
            if (!remaining()) {
                sent();
            }
            if (waits) {
                return Progress.BLOCKED;
            }
        }
        return Progress.MORE;
    }

    private boolean remaining() {
        return draining.hasRemaining() || pieceHeader.hasRemaining() || piece.hasRemaining();
    }

    private void sent() {
        piece = NOTHING; // an operand that may be freed soon
        batch[2] = NOTHING;
        if (pieceOf != null) {
            Outflow outflow = pieceOf;
            pieceOf = null;
            outflow.sent(pieceBytes);
        }
    }

    /** Fills the next batch: all small frames, and one piece. */
    private boolean next() {
        ByteBuffer empty = draining.clear();
        draining = filling.flip();
        filling = empty;
        Outflow outflow = choose();
        if (outflow != null) {
            pieceBytes = outflow.ready();
            pieceOf = outflow;
            pieceHeader.clear();
            outflow.header(pieceBytes).write(pieceHeader);
            pieceHeader.flip();
            piece = staging.toWrite(outflow.take(pieceBytes));
            outflows.remove(outflow);
            if (!outflow.exhausted()) {
                outflows.add(outflow); // after the others
            }
        }
        return remaining();
    }

    private Outflow choose() {
        Outflow chosen = null;
        for (Outflow outflow : outflows) {
            if (outflow.ready() > 0 && (chosen == null || (outflow.isUrgent() && !chosen.isUrgent()))) {
                chosen = outflow;
            }
        }
        return chosen;
    }

    /**
     * {@return how many bytes per second should leave; 0: as many as can} It is what the fastest of those wants that have something to
     * send.
     *
     * @param before what it was, and is still if none has
     */
    long bytesPerSecond(long before) {
        long most = -1;
        for (Outflow outflow : outflows) {
            if (outflow.ready() > 0) {
                if (outflow.bytesPerSecond() == 0) {
                    return 0;
                }
                most = Math.max(most, outflow.bytesPerSecond());
            }
        }
        return most < 0 ? before : most;
    }
}

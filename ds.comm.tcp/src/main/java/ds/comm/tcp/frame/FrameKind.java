package ds.comm.tcp.frame;

/** What a frame is for. */
public enum FrameKind {
    /** The sender has begun an operation; the body is its label, and the operands where they are small. */
    START(1, Header.MAX_LABEL_BYTES + Header.MAX_INLINE_BYTES),
    /** Operands. */
    DATA(2, Header.PIECE_BYTES),
    /** Results of a reduction, to everyone. */
    RESULT(3, Header.PIECE_BYTES),
    /** The receiver's inbox has room for the bytes before this offset. */
    CREDIT(4, 0),
    /** The sender leaves a group in good order. */
    BYE(5, 0),
    /** The job ends; the body says why. */
    ABORT(6, Header.MAX_TEXT_BYTES),
    /** The sender still runs; if the value is 1, it wants to know whether the receiver does. */
    ALIVE(7, 0);

    private final int code;
    private final int maxBodyBytes;

    FrameKind(int code, int maxBodyBytes) {
        this.code = code;
        this.maxBodyBytes = maxBodyBytes;
    }

    /** {@return its number on the wire} */
    public int code() {
        return code;
    }

    public int maxBodyBytes() {
        return maxBodyBytes;
    }
}

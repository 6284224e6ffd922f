package ds.comm.tcp.frame;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import java.nio.ByteBuffer;
import java.util.function.ToIntFunction;

/**
 * What precedes every frame's body; {@value #BYTES} bytes, big-endian:
 *
 * <pre>
 * magic 4, kind 1, operation 1, reduction 1, dtype 1, group 8, sequence 8, value 8,
 * root 4, credit 4, pace 4, label hash 4, label bytes 4, body bytes 4
 * </pre>
 *
 * @param operation as the sender calls it
 * @param group 0 for the whole job, else the rank that led the split in the upper half and its count of splits in the lower
 * @param sequence counted from 0 in each lane of a group
 * @param value START: elements of the whole buffer; DATA, RESULT: offset in bytes; CREDIT: granted bytes in all; ALIVE: 1 if it
 *     asks for another one
 * @param root of a broadcast
 * @param credit START: pieces that the sender takes before it grants more; 0 if it takes all
 * @param pace START, CREDIT: KiB per second in which the sender takes DATA and RESULT; 0 if as many as come
 * @param labelBytes how much of a START's body is the label
 * @param bodyBytes that follow
 */
public record Header(
        FrameKind kind,
        OperationKind operation,
        ReduceOp reduce,
        DType dtype,
        long group,
        long sequence,
        long value,
        int root,
        int credit,
        int pace,
        int labelHash,
        int labelBytes,
        int bodyBytes) {
    public static final int BYTES = 56;
    /** Largest body of a DATA frame; inboxes are cut at its multiples. */
    public static final int PIECE_BYTES = 1 << 16;
    /** Largest operand that travels with the START. */
    public static final int MAX_INLINE_BYTES = 1 << 15;

    public static final int MAX_LABEL_BYTES = 240;
    public static final int MAX_TEXT_BYTES = 4096;

    private static final int MAGIC = 0x44536633; // "DSf3"

    /** A header that no rank of this release sends. */
    public static final class BadFrame extends Exception {
        private static final long serialVersionUID = 1;

        public BadFrame(String message) {
            super(message);
        }
    }

    /** {@return a frame that is about no operation} */
    public static Header control(FrameKind kind, long group, int bodyBytes) {
        return control(kind, group, 0, bodyBytes);
    }

    private static Header control(FrameKind kind, long group, long value, int bodyBytes) {
        return new Header(
                kind, OperationKind.BARRIER, ReduceOp.SUM, DType.I32, group, 0, value, 0, 0, 0, 0, 0, bodyBytes);
    }

    public static Header alive(boolean asks) {
        return control(FrameKind.ALIVE, 0, asks ? 1 : 0, 0);
    }

    /** {@return bytes per second in which the sender takes DATA and RESULT; 0 if as many as come} */
    public long bytesPerSecond() {
        return (long) pace << 10;
    }

    public void write(ByteBuffer buffer) {
        buffer.putInt(MAGIC);
        buffer.put((byte) kind.code()).put((byte) operation.code());
        buffer.put(code(reduce)).put(code(dtype));
        buffer.putLong(group).putLong(sequence).putLong(value);
        buffer.putInt(root)
                .putInt(credit)
                .putInt(pace)
                .putInt(labelHash)
                .putInt(labelBytes)
                .putInt(bodyBytes);
    }

    /** Reads and checks: whatever the bytes are, the result is within all bounds. */
    public static Header read(ByteBuffer buffer) throws BadFrame {
        int magic = buffer.getInt();
        if (magic != MAGIC) {
            throw new BadFrame("magic = 0x" + Integer.toHexString(magic) + ", not 0x" + Integer.toHexString(MAGIC));
        }
        Header header = new Header(
                constant(FrameKind.values(), FrameKind::code, buffer.get(), "kind"),
                constant(OperationKind.values(), OperationKind::code, buffer.get(), "operation"),
                constant(ReduceOp.values(), Header::code, buffer.get(), "reduction"),
                constant(DType.values(), Header::code, buffer.get(), "dtype"),
                natural(buffer.getLong(), "group"),
                natural(buffer.getLong(), "sequence"),
                natural(buffer.getLong(), "value"),
                (int) natural(buffer.getInt(), "root"),
                (int) natural(buffer.getInt(), "credit"),
                (int) natural(buffer.getInt(), "pace"),
                buffer.getInt(),
                (int) natural(buffer.getInt(), "label bytes"),
                (int) natural(buffer.getInt(), "body bytes"));
        header.check();
        return header;
    }

    private void check() throws BadFrame {
        boolean data = kind == FrameKind.DATA || kind == FrameKind.RESULT;
        if (bodyBytes > kind.maxBodyBytes() || (data && bodyBytes == 0)) {
            throw new BadFrame(kind + " with a body of " + bodyBytes + " bytes");
        }
        if (labelBytes > (kind == FrameKind.START ? Math.min(bodyBytes, MAX_LABEL_BYTES) : 0)) {
            throw new BadFrame(kind + " with a label of " + labelBytes + " bytes");
        }
    }

    private static byte code(ReduceOp reduce) {
        return switch (reduce) {
            case SUM -> 1;
            case MAX -> 2;
        };
    }

    private static byte code(DType dtype) {
        return switch (dtype) {
            case F32 -> 1;
            case BF16 -> 2;
            case F16 -> 3;
            case F64 -> 4;
            case I32 -> 5;
        };
    }

    private static <E> E constant(E[] values, ToIntFunction<E> code, byte number, String field) throws BadFrame {
        for (E value : values) {
            if (code.applyAsInt(value) == number) {
                return value;
            }
        }
        throw new BadFrame(field + " = " + number);
    }

    private static long natural(long value, String field) throws BadFrame {
        if (value < 0) {
            throw new BadFrame(field + " = " + value);
        }
        return value;
    }
}

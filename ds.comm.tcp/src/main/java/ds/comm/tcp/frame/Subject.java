package ds.comm.tcp.frame;

/**
 * Which operation a frame is about.
 *
 * @param group 0 for the whole job
 * @param sequence counted from 0 in each lane of a group
 */
public record Subject(Descriptor descriptor, long group, long sequence) {
    /** {@return the header of a frame that says nothing more about the operation} */
    public Header header(FrameKind kind, long value, int bodyBytes) {
        Descriptor d = descriptor;
        return new Header(kind, d.operation(), d.reduce(), d.dtype(), group, sequence, value, 0, 0, 0, 0, 0, bodyBytes);
    }

    /**
     * {@return the header of a CREDIT}
     *
     * @param bytes of the operand that have a place
     * @param pace KiB per second in which this rank takes them; 0 if as many as come
     */
    public Header credit(long bytes, int pace) {
        Descriptor d = descriptor;
        return new Header(
                FrameKind.CREDIT, d.operation(), d.reduce(), d.dtype(), group, sequence, bytes, 0, 0, pace, 0, 0, 0);
    }

    /**
     * {@return the header of a START}
     *
     * @param credit pieces that this rank takes before it grants more; 0 if it takes all
     * @param pace KiB per second in which it takes them; 0 if as many as come
     */
    public Header start(int credit, int pace, int labelBytes, int bodyBytes) {
        Descriptor d = descriptor;
        return new Header(
                FrameKind.START,
                d.operation(),
                d.reduce(),
                d.dtype(),
                group,
                sequence,
                d.count(),
                d.root(),
                credit,
                pace,
                d.labelHash(),
                labelBytes,
                bodyBytes);
    }
}

package ds.api.comm;

/**
 * What a rank has sent since its group was opened, sub-groups included.
 *
 * @param elements of tensors sent to other ranks
 * @param bytes put on the wire, headers included
 * @param collectives started
 * @param bytesAcrossHosts of the bytes, those sent to ranks on other hosts, as far as the communicator knows where ranks are
 */
public record Traffic(long elements, long bytes, long collectives, long bytesAcrossHosts) {
    /** Nothing sent. */
    public static final Traffic NONE = new Traffic(0, 0, 0);

    /** What is sent where no rank is known to be on another host. */
    public Traffic(long elements, long bytes, long collectives) {
        this(elements, bytes, collectives, 0);
    }

    /** {@return what was sent after {@code earlier} was taken} */
    public Traffic since(Traffic earlier) {
        return new Traffic(
                elements - earlier.elements,
                bytes - earlier.bytes,
                collectives - earlier.collectives,
                bytesAcrossHosts - earlier.bytesAcrossHosts);
    }

    /** {@return both together} */
    public Traffic plus(Traffic other) {
        return new Traffic(
                elements + other.elements,
                bytes + other.bytes,
                collectives + other.collectives,
                bytesAcrossHosts + other.bytesAcrossHosts);
    }
}

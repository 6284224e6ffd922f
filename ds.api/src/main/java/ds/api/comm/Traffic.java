package ds.api.comm;

/**
 * What a rank has sent since its group was opened, sub-groups included.
 *
 * @param elements of tensors sent to other ranks
 * @param bytes put on the wire, headers included
 * @param collectives started
 */
public record Traffic(long elements, long bytes, long collectives) {
    /** Nothing sent. */
    public static final Traffic NONE = new Traffic(0, 0, 0);

    /** {@return what was sent after {@code earlier} was taken} */
    public Traffic since(Traffic earlier) {
        return new Traffic(elements - earlier.elements, bytes - earlier.bytes, collectives - earlier.collectives);
    }
}

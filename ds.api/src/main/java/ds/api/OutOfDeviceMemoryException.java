package ds.api;

/** A device has not enough memory; the message has the bytes asked for, the bytes live by label, and the remedy. */
public final class OutOfDeviceMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Takes the whole message. */
    public OutOfDeviceMemoryException(String message) {
        super(message);
    }
}

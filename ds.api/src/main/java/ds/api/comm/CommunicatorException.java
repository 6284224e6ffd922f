package ds.api.comm;

/**
 * A group of ranks cannot go on. The message names this rank, the peer, the collective with its label, sequence number and
 * bytes, and the cause; every later call on the same group throws it again.
 */
public class CommunicatorException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Takes the whole message. */
    public CommunicatorException(String message) {
        super(message);
    }

    /** Takes the whole message and what was caught. */
    public CommunicatorException(String message, Throwable cause) {
        super(message, cause);
    }
}

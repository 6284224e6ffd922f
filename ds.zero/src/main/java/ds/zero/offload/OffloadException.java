package ds.zero.offload;

/** A file that stands in for memory could not be made, read or written, or does not hold what was written to it. */
public final class OffloadException extends RuntimeException {
    private static final long serialVersionUID = 1;

    OffloadException(String message) {
        super(message);
    }

    OffloadException(String message, Throwable cause) {
        super(message, cause);
    }
}

package ds.api.spi;

/** A provider was not found, is not available here, or got options it does not understand; the message has the remedy. */
public final class ProviderException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Takes the whole message. */
    public ProviderException(String message) {
        super(message);
    }

    /** Takes the whole message and what was caught. */
    public ProviderException(String message, Throwable cause) {
        super(message, cause);
    }
}

package ds.models.gpt;

/** A model's files do not fit together or do not fit this library; the message names file, key or tensor, and the remedy. */
public final class ModelFileException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Takes the whole message. */
    public ModelFileException(String message) {
        super(message);
    }

    /** Takes the whole message and what was caught. */
    public ModelFileException(String message, Throwable cause) {
        super(message, cause);
    }
}

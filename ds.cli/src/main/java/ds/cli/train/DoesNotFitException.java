package ds.cli.train;

import java.io.Serial;

/** A run needs more memory than it may take. */
public final class DoesNotFitException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    /** Says what is needed, what is allowed, and what would fit. */
    public DoesNotFitException(String message) {
        super(message);
    }
}

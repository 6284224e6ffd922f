package ds.data;

import java.io.Serial;

/** Text or tokens that cannot be used. The message has the path, the value and a remedy. */
public final class DataException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    DataException(String message) {
        super(message);
    }

    DataException(String message, Throwable cause) {
        super(message, cause);
    }
}

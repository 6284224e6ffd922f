package ds.comm.tcp.meet;

import java.io.IOException;

/** A connection that is not let in: by its own fault or that of a stranger, never by this rank's. Goes on after "connection". */
final class Refused extends IOException {
    private static final long serialVersionUID = 1;

    Refused(String message) {
        super(message);
    }

    Refused(String message, Throwable cause) {
        super(message, cause);
    }
}

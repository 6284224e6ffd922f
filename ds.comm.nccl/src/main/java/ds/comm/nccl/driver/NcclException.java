package ds.comm.nccl.driver;

/** A call of a native library has failed; the message has the call, the status by name, and what helps. */
public final class NcclException extends RuntimeException {
    private static final long serialVersionUID = 1;

    NcclException(String message) {
        super(message);
    }
}

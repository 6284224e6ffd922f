package ds.cuda;

/** A call of a native library has failed; the message has the call, the status by name, and what helps. */
public final class CudaException extends RuntimeException {
    /** Status of the driver when device or pinned memory is exhausted. */
    public static final int OUT_OF_MEMORY = 2;

    private static final long serialVersionUID = 1;

    private final int status;

    /**
     * What has failed.
     *
     * @param status the library's own number
     */
    public CudaException(String message, int status) {
        super(message);
        this.status = status;
    }

    /** {@return the library's own number} */
    public int status() {
        return status;
    }
}

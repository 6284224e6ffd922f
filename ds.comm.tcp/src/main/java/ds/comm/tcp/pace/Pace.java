package ds.comm.tcp.pace;

import java.util.concurrent.TimeUnit;

/** When the next bytes of a stream may leave, that is to keep to a rate. */
public final class Pace {
    /** What a stream that was kept waiting may catch up at once. */
    private static final long CATCH_UP_NANOS = TimeUnit.MILLISECONDS.toNanos(4);

    private final double nanosPerByte;
    private long dueNanos;

    /**
     * Lets the first bytes go at once.
     *
     * @param bytesPerSecond 0: no limit
     */
    public Pace(long bytesPerSecond, long nowNanos) {
        nanosPerByte = bytesPerSecond == 0 ? 0 : 1e9 / bytesPerSecond;
        dueNanos = nowNanos;
    }

    /** {@return how long the next bytes have to wait; not positive if not at all} */
    public long waitNanos(long nowNanos) {
        return nanosPerByte == 0 ? 0 : dueNanos - nowNanos;
    }

    /** Bytes leave. */
    public void sent(long bytes, long nowNanos) {
        long late = Math.min(nowNanos - dueNanos, CATCH_UP_NANOS);
        dueNanos = nowNanos - late + (long) (bytes * nanosPerByte);
    }
}

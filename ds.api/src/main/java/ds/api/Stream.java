package ds.api;

import java.util.OptionalLong;

/**
 * A queue of work on one device. Kernels and copies of one stream run in the order in which they were enqueued; work of two
 * streams is ordered only by events. A device that computes at once has streams on which everything is always done.
 */
public interface Stream extends AutoCloseable {
    /**
     * {@return the handle by which the device's own libraries know it (a {@code cudaStream_t}), so that they can make it wait; empty if
     * there is none}
     */
    default OptionalLong nativeHandle() {
        return OptionalLong.empty();
    }

    /** {@return an event that is done once everything enqueued so far is done} */
    Event record();

    /** Makes everything enqueued from now on wait for {@code event}; the calling thread does not wait. */
    void await(Event event);

    /** Blocks the calling thread until everything enqueued so far is done. */
    void synchronize();

    @Override
    void close();
}

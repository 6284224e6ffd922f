package ds.api;

/**
 * A queue of work on one device. Kernels and copies of one stream run in the order in which they were enqueued; work of two
 * streams is ordered only by events. A device that computes at once has streams on which everything is always done.
 */
public interface Stream extends AutoCloseable {
    /** {@return an event that is done once everything enqueued so far is done} */
    Event record();

    /** Makes everything enqueued from now on wait for {@code event}; the calling thread does not wait. */
    void await(Event event);

    /** Blocks the calling thread until everything enqueued so far is done. */
    void synchronize();

    @Override
    void close();
}

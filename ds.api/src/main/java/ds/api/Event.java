package ds.api;

/** A point in the order of a {@link Stream}. */
public interface Event {
    /** An event that is done: the dependency of work that depends on nothing. */
    Event DONE = () -> {};

    /** Blocks the calling thread until the point is reached. */
    void synchronize();
}

package ds.api;

import java.util.OptionalLong;

/** A point in the order of a {@link Stream}. */
public interface Event {
    /** An event that is done: the dependency of work that depends on nothing. */
    Event DONE = () -> {};

    /**
     * {@return the handle by which the device's own libraries know it (a {@code cudaEvent_t}), so that another library's stream can wait
     * for it; empty if there is none}
     */
    default OptionalLong nativeHandle() {
        return OptionalLong.empty();
    }

    /** Blocks the calling thread until the point is reached. */
    void synchronize();
}

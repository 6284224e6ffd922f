package ds.api.comm;

import ds.api.Stream;
import java.util.OptionalLong;

/** A collective under way. Its operands belong to it until it is done. */
public interface Work {
    /**
     * Blocks the calling thread until it is done.
     *
     * @throws CommunicatorException if it failed, here or on another rank
     */
    void await();

    /**
     * Makes what is enqueued on {@code stream} from now on wait for it. A communicator that works from host threads blocks
     * the calling thread; one that works on the device does not.
     *
     * @throws CommunicatorException if it is already known to have failed
     */
    default void await(Stream stream) {
        await();
    }

    /**
     * {@return when all ranks had come to it, so that bytes could move: {@link System#nanoTime}, for timelines. Empty before, and from
     * communicators that take no note of it}
     */
    default OptionalLong startedNanos() {
        return OptionalLong.empty();
    }

    /** {@return when it was done, as {@link #startedNanos}} */
    default OptionalLong doneNanos() {
        return OptionalLong.empty();
    }
}

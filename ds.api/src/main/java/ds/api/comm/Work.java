package ds.api.comm;

import ds.api.Stream;

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
}

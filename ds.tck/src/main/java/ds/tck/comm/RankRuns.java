package ds.tck.comm;

/** What the parts of {@link CommunicatorContract} share: how ranks of the communicator under test are run. */
public interface RankRuns {
    /**
     * Opens a group and runs {@code body} on every rank, each on a thread of its own, as {@link RankThreads#run} does.
     *
     * @throws Exception what the first failing rank has thrown
     */
    void run(int worldSize, RankBody body) throws Exception;

    /** {@return whether communicators send and receive; a provider without says so in its documentation} */
    default boolean sends() {
        return true;
    }

    /** {@return whether the largest of several numbers is NaN if one is; a provider where it is not says so in its documentation} */
    default boolean findsNaN() {
        return true;
    }
}

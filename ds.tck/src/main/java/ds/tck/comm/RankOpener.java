package ds.tck.comm;

import ds.api.comm.Communicator;

/** Lets one rank join the group of a test. */
@FunctionalInterface
public interface RankOpener {
    /**
     * Runs on the thread of a rank.
     *
     * @return handed over
     * @throws Exception to fail the test
     */
    Communicator open(int rank) throws Exception;
}

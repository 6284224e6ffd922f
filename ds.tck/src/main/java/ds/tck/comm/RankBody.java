package ds.tck.comm;

import ds.api.comm.Communicator;

/** What one rank of a test does. */
@FunctionalInterface
public interface RankBody {
    /**
     * Runs on the thread of a rank.
     *
     * @param communicator borrowed: closed when all is done
     * @throws Exception to fail the test
     */
    void run(Communicator communicator) throws Exception;
}

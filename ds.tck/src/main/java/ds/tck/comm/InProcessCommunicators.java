package ds.tck.comm;

import ds.api.comm.Communicator;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Groups whose ranks are threads of this JVM: no sockets, no ports, the same results as over a network. Whoever arrives last
 * at an operation computes it for all, one element after the other in the order of ranks; it is the plain reading of
 * {@link Communicator}, made to be compared with.
 */
public final class InProcessCommunicators {
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    private InProcessCommunicators() {}

    /**
     * Runs {@code body} on every rank and returns once all have ended. The first failing rank fails the test and frees the
     * others.
     *
     * {@snippet :
     * InProcessCommunicators.run(2, comm -> {
     *     comm.barrier(Call.now("start")).await();
     * });
     * }
     *
     * @throws Exception what the first failing rank has thrown
     */
    public static void run(int worldSize, RankBody body) throws Exception {
        run(worldSize, TIMEOUT, body);
    }

    /**
     * As {@link #run(int, RankBody)}, with another deadline.
     *
     * @param timeout after which a rank that waits for others fails, and with it the group
     * @throws Exception what the first failing rank has thrown
     */
    public static void run(int worldSize, Duration timeout, RankBody body) throws Exception {
        List<Communicator> group = open(worldSize, timeout);
        RankThreads.run(worldSize, group::get, body);
    }

    /**
     * {@return a new group, one communicator per rank, each to be used by a thread of its own; handed over}
     *
     * @param timeout after which a rank that waits for others fails, and with it the group
     */
    public static List<Communicator> open(int worldSize, Duration timeout) {
        if (worldSize < 1) {
            throw new IllegalArgumentException("worldSize = " + worldSize + ": must be at least 1");
        }
        InProcessGroup group = new InProcessGroup(new InProcessJob(timeout), "world", worldSize);
        return IntStream.range(0, worldSize)
                .<Communicator>mapToObj(
                        rank -> new InProcessCommunicator(group, rank, new TrafficCounter(Optional.empty())))
                .toList();
    }
}

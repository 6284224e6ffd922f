package ds.comm.tcp.group;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Who belongs to a group, and who of them shares a host: arithmetic only. */
public final class Members {
    private final int[] worldRanks;
    private final List<Integer> hosts;
    private final int[] members;
    private final int rank;
    private final int[] peers;
    private final RingOrder ring;
    private final int perHost;
    private final boolean eachOnItsHost;

    /**
     * Describes a group.
     *
     * @param worldRanks of its members, in their order
     * @param ownWorldRank one of them
     * @param hosts of each rank of the job, a number that the ranks of one host share
     */
    Members(int[] worldRanks, int ownWorldRank, List<Integer> hosts) {
        this.worldRanks = worldRanks;
        this.hosts = hosts;
        int size = worldRanks.length;
        members = new int[hosts.size()];
        Arrays.fill(members, -1);
        for (int member = 0; member < size; member++) {
            members[worldRanks[member]] = member;
        }
        rank = member(ownWorldRank);
        peers = IntStream.range(1, size)
                .map(distance -> (rank + distance) % size)
                .toArray();
        ring = ring(size);
        perHost = countPerHost();
        eachOnItsHost = IntStream.range(0, size).allMatch(member -> firstOfHost(member) == member);
    }

    private RingOrder ring(int size) {
        int[] order = IntStream.range(0, size)
                .boxed()
                .sorted(Comparator.comparingInt(this::firstOfHost).thenComparingInt(member -> member))
                .mapToInt(member -> member)
                .toArray();
        return new RingOrder(
                order,
                IntStream.range(0, size)
                        .filter(i -> order[i] == rank)
                        .findFirst()
                        .orElseThrow());
    }

    private int countPerHost() {
        int[] of = new int[size()];
        for (int member = 0; member < of.length; member++) {
            of[firstOfHost(member)]++;
        }
        int[] counts = IntStream.of(of).filter(count -> count > 0).distinct().toArray();
        return counts.length == 1 ? counts[0] : 1;
    }

    /** {@return the lowest member of a member's host} */
    private int firstOfHost(int member) {
        int host = host(member);
        return IntStream.range(0, size())
                .filter(other -> host(other) == host)
                .findFirst()
                .orElseThrow();
    }

    private int host(int member) {
        return hosts.get(worldRanks[member]);
    }

    public int size() {
        return worldRanks.length;
    }

    /** {@return this rank's place in the group} */
    public int rank() {
        return rank;
    }

    /** {@return all members but this rank, from the next one on: so that not all ranks begin with the same one} */
    public int[] peers() {
        return peers;
    }

    public int worldRank(int member) {
        return worldRanks[member];
    }

    /** {@return the place of a rank of the job in this group, or −1} */
    public int member(int worldRank) {
        return members[worldRank];
    }

    public RingOrder ring() {
        return ring;
    }

    /** {@return whether a member is on this rank's host} */
    boolean isOnThisHost(int member) {
        return host(member) == host(rank);
    }

    /** {@return how many ranks each host has; all of them, or 1, if these are not as many on each of several} */
    public int perHost() {
        return perHost;
    }

    /** {@return whether no two members share a host} */
    public boolean isEachOnItsHost() {
        return eachOnItsHost;
    }

    /** {@return how many consecutive members each host has, or 1} */
    public int consecutivePerHost() {
        return IntStream.range(0, size()).allMatch(member -> firstOfHost(member) == member / perHost * perHost)
                ? perHost
                : 1;
    }

    @Override
    public String toString() {
        return "ranks " + Arrays.toString(worldRanks);
    }
}

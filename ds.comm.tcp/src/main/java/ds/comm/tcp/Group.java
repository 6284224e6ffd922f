package ds.comm.tcp;

import ds.api.comm.Traffic;
import ds.comm.tcp.pace.LinkRate;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** A group as the {@link Mesh} sees it: its members, lanes and inboxes. On the mesh's thread, but for the counters. */
final class Group {
    /** Shards of fewer bytes arrive earlier without a ring. */
    private static final long RING_BYTES = 1 << 19;

    /** How far ahead of the slowest a peer may be, where that is more than {@link #earlyBytes}. */
    private static final long AHEAD_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** What peers may send to a rank before it has begun: in all, and each. */
    private static final long ALL_EARLY_BYTES = 4 << 20;

    private static final long MOST_EARLY_PIECES = 4;

    private final Mesh mesh;
    private final long id;
    private final int[] worldRanks;
    private final int[] members;
    private final int rank;
    private final int[] peers;
    private final RingOrder ring;
    private final int perHost;
    private final boolean eachOnItsHost;
    private final Optional<Hierarchy> hierarchy;
    private final Optional<Group> parent;
    private final Lane collectives;
    private final List<Lane> lanes = new ArrayList<>();
    private final Lane[] sends;
    private final Lane[] receives;
    private final MemorySegment[] inboxes;
    private final boolean[] left;
    private final long[] bytesPerSecond; // that each member asked for last
    private long windowBytes;
    private final LinkRate linkRate = new LinkRate();
    private final AtomicLong elementsSent = new AtomicLong();
    private final AtomicLong bytesSent = new AtomicLong();
    private final AtomicLong collectivesStarted = new AtomicLong();
    private final AtomicLong bytesAcrossHosts = new AtomicLong();
    private final Arena arena = Arena.ofShared();

    /**
     * Describes a group.
     *
     * @param id 0 for the whole job
     * @param worldRanks of its members, in their order
     */
    Group(Mesh mesh, long id, int[] worldRanks, Optional<Group> parent) {
        this.mesh = mesh;
        this.id = id;
        this.worldRanks = worldRanks;
        this.parent = parent;
        int size = worldRanks.length;
        members = new int[mesh.worldSize()];
        Arrays.fill(members, -1);
        for (int member = 0; member < size; member++) {
            members[worldRanks[member]] = member;
        }
        rank = member(mesh.rank());
        peers = IntStream.range(1, size)
                .map(distance -> (rank + distance) % size)
                .toArray();
        int[] order = IntStream.range(0, size)
                .boxed()
                .sorted(Comparator.comparingInt(this::firstOfHost).thenComparingInt(member -> member))
                .mapToInt(member -> member)
                .toArray();
        ring = new RingOrder(
                order,
                IntStream.range(0, size)
                        .filter(i -> order[i] == rank)
                        .findFirst()
                        .orElseThrow());
        perHost = countPerHost();
        eachOnItsHost = IntStream.range(0, size).allMatch(member -> firstOfHost(member) == member);
        collectives = new Lane(this, peers);
        lanes.add(collectives);
        sends = new Lane[size];
        receives = new Lane[size];
        for (int peer : peers) {
            sends[peer] = new Lane(this, peer);
            receives[peer] = new Lane(this, peer);
            lanes.add(sends[peer]);
            lanes.add(receives[peer]);
        }
        inboxes = new MemorySegment[size];
        windowBytes = size == 1 ? 0 : inboxBytes();
        left = new boolean[size];
        bytesPerSecond = new long[size];
        hierarchy = Hierarchy.of(this);
    }

    Mesh mesh() {
        return mesh;
    }

    long id() {
        return id;
    }

    int size() {
        return worldRanks.length;
    }

    int rank() {
        return rank;
    }

    /** {@return all members but this rank, from the next one on: so that not all ranks begin with the same one} */
    int[] peers() {
        return peers;
    }

    /** {@return the lowest member of a member's host} */
    private int firstOfHost(int member) {
        int host = mesh.host(worldRanks[member]);
        return IntStream.range(0, worldRanks.length)
                .filter(other -> mesh.host(worldRanks[other]) == host)
                .findFirst()
                .orElseThrow();
    }

    RingOrder ring() {
        return ring;
    }

    /** {@return how many ranks each host has; all of them, or 1, if these are not as many on each of several} */
    int perHost() {
        return perHost;
    }

    private int countPerHost() {
        int size = size();
        int[] of = new int[size];
        for (int member = 0; member < size; member++) {
            of[firstOfHost(member)]++;
        }
        int[] counts = IntStream.of(of).filter(count -> count > 0).distinct().toArray();
        return counts.length == 1 ? counts[0] : 1;
    }

    /** {@return whether no two members share a host} */
    boolean isEachOnItsHost() {
        return eachOnItsHost;
    }

    /** {@return how many consecutive members each host has, or 1} */
    int consecutivePerHost() {
        return IntStream.range(0, size()).allMatch(member -> firstOfHost(member) == member / perHost * perHost)
                ? perHost
                : 1;
    }

    /** Combines what all members have put in, in the order of all reductions of this group. */
    void combine(MemorySegment[] sources, MemorySegment target, Descriptor descriptor) {
        MemorySegment[] ordered = sources;
        if (perHost != 1 && perHost != size()) {
            ordered = new MemorySegment[sources.length];
            for (int i = 0; i < ordered.length; i++) {
                ordered[i] = sources[ring.member(i)];
            }
        }
        int each = perHost == 1 ? size() : perHost;
        mesh.combiner(descriptor.dtype()).combine(ordered, target, descriptor.reduce(), each);
    }

    Optional<Hierarchy> hierarchy() {
        return hierarchy;
    }

    /** {@return the groups that its hierarchy consists of} */
    List<Group> parts() {
        return hierarchy.map(Hierarchy::parts).orElse(List.of());
    }

    /** {@return whether a buffer of so many bytes in all goes around a ring, rather than straight from each to each} */
    boolean inRing(long bytes) {
        return size() > 2 && bytes / size() >= RING_BYTES;
    }

    int worldRank(int member) {
        return worldRanks[member];
    }

    /** {@return the place of a rank of the job in this group, or −1} */
    int member(int worldRank) {
        return members[worldRank];
    }

    Connection connection(int member) {
        return mesh.connection(worldRanks[member]);
    }

    /** {@return a member's rank in the job, host and port, for messages} */
    String name(int member) {
        return connection(member).name();
    }

    /** {@return which group it is, for messages: nothing where it is the whole job} */
    String suffix() {
        return id == 0 ? "" : " of the group of ranks " + Arrays.toString(worldRanks);
    }

    /** {@return the lane of an operation that this rank calls} */
    Lane lane(OperationKind operation, int member) {
        return switch (operation) {
            case SEND -> sends[member];
            case RECEIVE -> receives[member];
            default -> collectives;
        };
    }

    void forEachLane(Consumer<Lane> action) {
        lanes.forEach(action);
    }

    boolean idle() {
        for (Lane lane : lanes) {
            if (!lane.idle()) {
                return false;
            }
        }
        return true;
    }

    /** {@return memory of the group, until {@link #release}} */
    Arena arena() {
        return arena;
    }

    void release() {
        arena.close();
    }

    private long inboxBytes() {
        return Math.max(earlyBytes(), mesh.inboxBytes(peers.length));
    }

    /** {@return what a member may send of an operand before it knows that the receiver has begun, the same on all ranks} */
    long earlyBytes() {
        return Math.clamp(ALL_EARLY_BYTES / size() / Header.PIECE_BYTES, 2L, MOST_EARLY_PIECES) * Header.PIECE_BYTES;
    }

    /**
     * {@return how much of an inbox a peer may fill: a whole number of pieces} On a slow link a peer that gets far ahead takes
     * from the others what they will need in the end, alone on the link and slowed by what they were used to.
     */
    long windowBytes() {
        return windowBytes;
    }

    /** Takes note of how long each peer took for so many bytes. */
    void received(long bytes, long nanos) {
        if (bytes >= earlyBytes() && nanos > 0) {
            double ahead = (double) bytes / nanos * AHEAD_NANOS;
            long pieces = (long) Math.min(ahead, inboxBytes()) / Header.PIECE_BYTES;
            windowBytes = Math.min(inboxBytes(), Math.max(earlyBytes(), pieces * Header.PIECE_BYTES));
        }
    }

    /** {@return how many bytes per second a member asked for last, which holds until it asks again; 0: as many as come} */
    long askedBy(int member) {
        return bytesPerSecond[member];
    }

    /** A member asks for so many bytes per second. */
    void asks(int member, long rate) {
        bytesPerSecond[member] = rate;
    }

    LinkRate linkRate() {
        return linkRate;
    }

    /** {@return whether a member's bytes come over the network} */
    boolean isFar(int member) {
        return !connection(member).isShared();
    }

    /** {@return where pieces of a member wait to be combined} */
    MemorySegment inbox(int member) {
        if (inboxes[member] == null) {
            inboxes[member] = arena().allocate(inboxBytes(), 64);
        }
        return inboxes[member].asSlice(0, windowBytes);
    }

    boolean left(int member) {
        return left[member] || connection(member).left();
    }

    void setLeft(int member) {
        left[member] = true;
        forEachLane(lane -> lane.left(member));
    }

    /** Tells a member that this rank has begun an operation. */
    void start(int member, Operation operation, MemorySegment inline) {
        int bytes = connection(member).start(operation, inline);
        count(member, inline.byteSize() / operation.descriptor().dtype().byteSize(), bytes);
    }

    /** Tells a member how much of its operand has a place. */
    void credit(int member, Operation operation, long bytes) {
        connection(member).credit(operation, bytes);
        count(member, 0, Header.BYTES);
    }

    /** Counts what was sent to a member. */
    void count(int member, long elements, long bytes) {
        count(elements, bytes, mesh.host(worldRanks[member]) == mesh.host(mesh.rank()) ? 0 : bytes);
    }

    private void count(long elements, long bytes, long acrossHosts) {
        elementsSent.addAndGet(elements);
        bytesSent.addAndGet(bytes);
        bytesAcrossHosts.addAndGet(acrossHosts);
        parent.ifPresent(group -> group.count(elements, bytes, acrossHosts));
    }

    void countCollective() {
        collectivesStarted.incrementAndGet();
        parent.ifPresent(Group::countCollective);
    }

    Traffic traffic() {
        return new Traffic(elementsSent.get(), bytesSent.get(), collectivesStarted.get(), bytesAcrossHosts.get());
    }
}

package ds.comm.tcp.group;

import ds.api.comm.Traffic;
import ds.comm.tcp.connection.Connection;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** A group of ranks: its members, lanes and inboxes. On the thread of its {@link Job}, but for the counters. */
public final class Group {
    /** Shards of fewer bytes arrive earlier without a ring. */
    private static final long RING_BYTES = 1 << 19;

    private final Job job;
    private final long id;
    private final Members members;
    private final Lane collectives;
    private final List<Lane> lanes = new ArrayList<>();
    private final Lane[] sends;
    private final Lane[] receives;
    private final boolean[] left;
    private final long[] bytesPerSecond; // that each member asked for last
    private final Counters counters;
    private final Arena arena = Arena.ofShared();
    private final Inboxes inboxes;

    /**
     * Describes a group.
     *
     * @param id 0 for the whole job
     * @param worldRanks of its members, in their order
     * @param parent counts what this one sends, too
     */
    public Group(Job job, long id, int[] worldRanks, Optional<Group> parent) {
        this.job = job;
        this.id = id;
        members = new Members(worldRanks, job.rank(), job.hosts());
        counters = new Counters(parent.map(group -> group.counters));
        int size = members.size();
        inboxes = new Inboxes(arena, size, size == 1 ? 0 : job.inboxBytes(size - 1));
        collectives = new Lane(this, members.peers());
        lanes.add(collectives);
        sends = new Lane[size];
        receives = new Lane[size];
        for (int peer : members.peers()) {
            sends[peer] = new Lane(this, peer);
            receives[peer] = new Lane(this, peer);
            lanes.add(sends[peer]);
            lanes.add(receives[peer]);
        }
        left = new boolean[size];
        bytesPerSecond = new long[size];
    }

    public Job job() {
        return job;
    }

    public long id() {
        return id;
    }

    public Members members() {
        return members;
    }

    public int size() {
        return members.size();
    }

    /** {@return this rank's place in it} */
    public int rank() {
        return members.rank();
    }

    /** {@return all members but this rank, from the next one on: so that not all ranks begin with the same one} */
    public int[] peers() {
        return members.peers();
    }

    public int worldRank(int member) {
        return members.worldRank(member);
    }

    public RingOrder ring() {
        return members.ring();
    }

    /** {@return whether a buffer of so many bytes in all goes around a ring, rather than straight from each to each} */
    public boolean inRing(long bytes) {
        return size() > 2 && bytes / size() >= RING_BYTES;
    }

    /** Combines what all members have put in, in the order of all reductions of this group. */
    public void combine(MemorySegment[] sources, MemorySegment target, Descriptor descriptor) {
        int perHost = members.perHost();
        MemorySegment[] ordered = sources;
        if (perHost != 1 && perHost != size()) {
            ordered = new MemorySegment[sources.length];
            for (int i = 0; i < ordered.length; i++) {
                ordered[i] = sources[ring().member(i)];
            }
        }
        int each = perHost == 1 ? size() : perHost;
        job.combiner(descriptor.dtype()).combine(ordered, target, descriptor.reduce(), each);
    }

    public Connection connection(int member) {
        return job.connection(worldRank(member));
    }

    /** {@return a member's rank in the job, host and port, for messages} */
    String name(int member) {
        return connection(member).name();
    }

    /** {@return which group it is, for messages: nothing where it is the whole job} */
    String suffix() {
        return id == 0 ? "" : " of the group of " + members;
    }

    /** {@return whether a member's bytes come over the network} */
    boolean isFar(int member) {
        return !connection(member).isShared();
    }

    /** {@return the lane of an operation that this rank calls} */
    public Lane lane(OperationKind operation, int member) {
        return switch (operation) {
            case SEND -> sends[member];
            case RECEIVE -> receives[member];
            default -> collectives;
        };
    }

    public void forEachLane(Consumer<Lane> action) {
        lanes.forEach(action);
    }

    public boolean idle() {
        for (Lane lane : lanes) {
            if (!lane.idle()) {
                return false;
            }
        }
        return true;
    }

    /** {@return memory of the group, until {@link #release}} */
    public Arena arena() {
        return arena;
    }

    public void release() {
        arena.close();
    }

    /** {@return where pieces of a member wait to be combined} */
    public MemorySegment inbox(int member) {
        return inboxes.of(member);
    }

    /** {@return how much of an inbox a peer may fill: a whole number of pieces} */
    public long windowBytes() {
        return inboxes.windowBytes();
    }

    /** {@return what a member may send of an operand before it knows that the receiver has begun, the same on all ranks} */
    long earlyBytes() {
        return inboxes.earlyBytes();
    }

    /** Takes note of how long each peer took for so many bytes of a reduction. */
    public void received(long bytes, long nanos) {
        inboxes.received(bytes, nanos);
    }

    /** {@return how many bytes per second a member asked for with its last START, for what is early of the next operation; 0: as many as come} */
    long askedBy(int member) {
        return bytesPerSecond[member];
    }

    /** A member asks for so many bytes per second. */
    void asks(int member, long rate) {
        bytesPerSecond[member] = rate;
    }

    boolean left(int member) {
        return left[member] || connection(member).left();
    }

    /** A member has left in good order. */
    public void setLeft(int member) {
        left[member] = true;
        forEachLane(lane -> lane.left(member));
    }

    /** Tells a member that this rank has begun an operation. */
    void start(int member, Operation operation, MemorySegment inline) {
        int bytes = connection(member).start(operation.subject(), operation.credit(), operation.pace(member), inline);
        count(member, inline.byteSize() / operation.descriptor().dtype().byteSize(), bytes);
    }

    /** Tells a member how much of its operand has a place. */
    public void credit(int member, Operation operation, long bytes) {
        connection(member).credit(operation.subject(), bytes, operation.pace(member));
        count(member, 0, Header.BYTES);
    }

    /** Counts what was sent to a member. */
    void count(int member, long elements, long bytes) {
        counters.sent(elements, bytes, members.isOnThisHost(member) ? 0 : bytes);
    }

    public void countCollective() {
        counters.collective();
    }

    public Traffic traffic() {
        return counters.traffic();
    }
}

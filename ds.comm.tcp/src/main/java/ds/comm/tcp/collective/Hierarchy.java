package ds.comm.tcp.collective;

import ds.comm.tcp.frame.Header;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.RingOrder;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The parts of a group whose ranks are several to a host, as many on each: the ranks of this host, and the rail, which is the ranks
 * of the same place on every host. Each is there twice, so that what is under way in one does not wait for what is in the
 * other.
 */
final class Hierarchy {
    /** Chunks that lie between the two levels at the same time. */
    static final int SLOTS = 4;

    private static final long MOST_CHUNK_BYTES = 1 << 18;
    private static final long BYTES_TO_EACH_HOST = 1 << 17; // of an allReduce's chunk
    private static final long GATHER_CHUNK_BYTES = 1 << 19;
    private static final long MOST_CHUNK_BYTES_IN_PLACE = 1 << 21;
    private static final long SLOT_BYTES = 8 << 20;
    private static final int PART_SHIFT = 56;

    private final int hosts;
    private final Group inHost;
    private final Group backInHost;
    private final Group[] rails;
    private final Group whole;
    private MemorySegment slots = MemorySegment.NULL;

    private Hierarchy(Group whole, int hosts) {
        this.whole = whole;
        this.hosts = hosts;
        RingOrder order = whole.ring();
        int perHost = order.size() / hosts;
        int position = order.position();
        int[] own = IntStream.range(0, perHost)
                .map(i -> whole.worldRank(order.member(position / perHost * perHost + i)))
                .toArray();
        int[] rail = IntStream.range(0, hosts)
                .map(host -> whole.worldRank(order.member(host * perHost + position % perHost)))
                .toArray();
        inHost = part(1, own);
        backInHost = part(2, own);
        rails = new Group[] {part(3, rail), part(4, rail)};
    }

    /** {@return the hierarchy of a group, if it has one} */
    static Optional<Hierarchy> of(Group whole) {
        int perHost = whole.members().perHost();
        return perHost == 1 || perHost == whole.size()
                ? Optional.empty()
                : Optional.of(new Hierarchy(whole, whole.size() / perHost));
    }

    private Group part(int number, int[] worldRanks) {
        return new Group(whole.job(), (long) number << PART_SHIFT | whole.id(), worldRanks, Optional.of(whole));
    }

    List<Group> parts() {
        return List.of(inHost, backInHost, rails[0], rails[1]);
    }

    int hosts() {
        return hosts;
    }

    int perHost() {
        return inHost.size();
    }

    Group inHost() {
        return inHost;
    }

    Group backInHost() {
        return backInHost;
    }

    Group rail(int chunk) {
        return rails[chunk % rails.length];
    }

    /** {@return bytes of what one rank handles of an allReduce's chunk, which needs no memory of its own; whole elements of any type} */
    long chunkBytesInPlace() {
        return Math.min(BYTES_TO_EACH_HOST * hosts, MOST_CHUNK_BYTES_IN_PLACE);
    }

    /** {@return bytes of a chunk of one rank's shard that is gathered; whole elements of any type} */
    long gatherChunkBytes() {
        return GATHER_CHUNK_BYTES;
    }

    /** {@return bytes of what one rank handles of a reduceScatter's chunk, in slots; whole elements of any type} */
    long chunkBytes() {
        return Math.clamp(SLOT_BYTES / SLOTS / hosts / 64 * 64, Header.PIECE_BYTES, MOST_CHUNK_BYTES);
    }

    /** {@return memory for this host's sum of a chunk of one host's shard} */
    MemorySegment slot(int chunk, int host) {
        if (slots.byteSize() == 0) {
            slots = whole.arena().allocate((long) SLOTS * hosts * chunkBytes(), 64);
        }
        return slots.asSlice((chunk % SLOTS * (long) hosts + host) * chunkBytes(), chunkBytes());
    }
}

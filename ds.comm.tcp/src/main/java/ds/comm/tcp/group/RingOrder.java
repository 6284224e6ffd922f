package ds.comm.tcp.group;

import ds.comm.tcp.flow.Parts;
import java.lang.foreign.MemorySegment;

/**
 * The members of a group in a circle, those of one host beside each other: what goes around it leaves every host once.
 */
public final class RingOrder {
    private final int[] order;
    private final int position;

    /**
     * Takes the members in their order.
     *
     * @param order all members; not copied
     * @param position of this rank in it
     */
    RingOrder(int[] order, int position) {
        this.order = order;
        this.position = position;
    }

    public int size() {
        return order.length;
    }

    /** {@return the place of this rank} */
    public int position() {
        return position;
    }

    /** {@return the member at a place} */
    public int member(int place) {
        return order[place];
    }

    public int next() {
        return order[(position + 1) % order.length];
    }

    public int previous() {
        return at(1);
    }

    private int at(int before) {
        return order[Math.floorMod(position - before, order.length)];
    }

    /** {@return the shards that go to the next one: the own one first, all but the next one's} */
    public Parts passedOn(MemorySegment[] shards) {
        return from(shards, 0);
    }

    /** {@return the shards that come from the one before: its own one first} */
    public Parts received(MemorySegment[] shards) {
        return from(shards, 1);
    }

    private Parts from(MemorySegment[] shards, int first) {
        MemorySegment[] parts = new MemorySegment[order.length - 1];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = shards[at(first + i)];
        }
        return Parts.of(parts);
    }
}

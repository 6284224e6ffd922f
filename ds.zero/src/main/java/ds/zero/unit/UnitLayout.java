package ds.zero.unit;

import ds.api.layer.Parameter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arithmetic of one unit: where in a flat buffer each parameter lies, and which rank owns which element. A unit's
 * parameters are laid side by side, those with weight decay first, and of these and the others first those that every rank of a
 * tensor axis has, so that random numbers for these are the same; padded to equal shards. Nothing here touches memory.
 */
public final class UnitLayout {
    /** Shards are multiples of this many elements, so that they begin on a cache line in any element type. */
    static final long SHARD_MULTIPLE = 32;

    private final String name;
    private final Map<Parameter, Long> offsets = new LinkedHashMap<>();
    private final long decayingElements;
    private final long elements;
    private final int worldSize;
    private final long shardElements;

    /**
     * Lays out a unit.
     *
     * @param name of the unit, for messages
     * @param parameters each once, at least one
     * @param worldSize over how many ranks it can be sharded
     */
    public UnitLayout(String name, List<Parameter> parameters, int worldSize) {
        if (parameters.isEmpty() || worldSize < 1) {
            throw new IllegalArgumentException(
                    "unit " + name + " of " + parameters.size() + " parameters over " + worldSize + " ranks");
        }
        this.name = name;
        this.worldSize = worldSize;
        List<Parameter> ordered = parameters.stream()
                .sorted(Comparator.comparing(parameter -> !parameter.slice().isAll()))
                .toList();
        long offset = place(ordered.stream().filter(Parameter::decays).toList(), 0);
        this.decayingElements = offset;
        this.elements = place(ordered.stream().filter(p -> !p.decays()).toList(), offset);
        this.shardElements = Math.ceilDiv(Math.ceilDiv(elements, worldSize), SHARD_MULTIPLE) * SHARD_MULTIPLE;
    }

    private long place(List<Parameter> group, long from) {
        long offset = from;
        for (Parameter parameter : group) {
            if (offsets.putIfAbsent(parameter, offset) != null) {
                throw new IllegalArgumentException("unit " + name + " lists " + parameter + " twice");
            }
            offset += parameter.elements();
        }
        return offset;
    }

    /** {@return the name of the unit} */
    public String name() {
        return name;
    }

    /** {@return its parameters, in the order in which they lie} */
    public List<Parameter> parameters() {
        return List.copyOf(offsets.keySet());
    }

    /** {@return elements of all parameters, without padding} */
    public long elements() {
        return elements;
    }

    /** {@return elements of the flat buffer: {@code worldSize * shardElements}} */
    public long paddedElements() {
        return worldSize * shardElements;
    }

    /** {@return elements that one rank owns} */
    public long shardElements() {
        return shardElements;
    }

    /**
     * {@return where a parameter begins in the flat buffer, in elements}
     *
     * @throws IllegalArgumentException if it is not in this unit
     */
    public long offset(Parameter parameter) {
        Long offset = offsets.get(parameter);
        if (offset == null) {
            throw new IllegalArgumentException("parameter " + parameter + " is not in unit " + name);
        }
        return offset;
    }

    /** {@return the rank that owns an element of the flat buffer} */
    public int owner(long element) {
        checkElement(element);
        return (int) (element / shardElements);
    }

    /** {@return where an element lies in its owner's shard} */
    public long offsetInShard(long element) {
        checkElement(element);
        return element % shardElements;
    }

    /** {@return the element of the flat buffer that lies at an offset of a rank's shard: the inverse of the two above} */
    public long element(int rank, long offsetInShard) {
        if (rank < 0 || rank >= worldSize || offsetInShard < 0 || offsetInShard >= shardElements) {
            throw new IllegalArgumentException("unit " + name + " has no offset " + offsetInShard
                    + " in a shard of rank " + rank + "; there are " + worldSize + " shards of " + shardElements);
        }
        return rank * shardElements + offsetInShard;
    }

    /** {@return a rank's shard as a range of the flat buffer} */
    public Range shard(int rank) {
        long first = element(rank, 0);
        return new Range(first, first + shardElements);
    }

    /** {@return the whole flat buffer} */
    public Range whole() {
        return new Range(0, paddedElements());
    }

    /**
     * {@return the part of a range in which one parameter group lies; empty ranges are left out}
     *
     * @param range of the flat buffer
     */
    public List<Group> groups(Range range) {
        List<Group> groups = new ArrayList<>();
        Range decaying = range.intersect(new Range(0, decayingElements));
        Range plain = range.intersect(new Range(decayingElements, paddedElements()));
        if (!decaying.isEmpty()) {
            groups.add(new Group(decaying, true));
        }
        if (!plain.isEmpty()) {
            groups.add(new Group(plain, false));
        }
        return groups;
    }

    private void checkElement(long element) {
        if (element < 0 || element >= paddedElements()) {
            throw new IllegalArgumentException(
                    "unit " + name + " has no element " + element + " of " + paddedElements());
        }
    }

    /**
     * Consecutive elements of the flat buffer.
     *
     * @param first the first one
     * @param end behind the last one
     */
    public record Range(long first, long end) {
        /** {@return how many elements it has} */
        public long elements() {
            return Math.max(0, end - first);
        }

        /** {@return whether it has none} */
        public boolean isEmpty() {
            return end <= first;
        }

        /** {@return what lies in both} */
        public Range intersect(Range other) {
            return new Range(Math.max(first, other.first), Math.min(end, other.end));
        }
    }

    /**
     * Consecutive elements of one parameter group.
     *
     * @param range of the flat buffer
     * @param decays whether weight decay applies; padding counts as not decaying
     */
    public record Group(Range range, boolean decays) {}
}

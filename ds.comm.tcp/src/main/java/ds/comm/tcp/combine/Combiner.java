package ds.comm.tcp.combine;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Combines the elements of several ranks in the order in which they are given, through blocks that stay in the first-level
 * cache. Each element's result depends on that element alone, not on where a buffer is cut. For one thread.
 */
public abstract sealed class Combiner permits FloatCombiner, DoubleCombiner, IntCombiner {
    /** Elements of a block. */
    static final int BLOCK = 2048;

    private final int elementBytes;
    private MemorySegment[] hostSums = {};

    Combiner(int elementBytes) {
        this.elementBytes = elementBytes;
    }

    /** {@return a combiner for elements of this type} */
    public static Combiner of(DType dtype) {
        return switch (dtype) {
            case F32 -> new FloatCombiner(new FloatCodec.F32());
            case BF16 -> new FloatCombiner(new Bfloat16Codec());
            case F16 -> new FloatCombiner(new FloatCodec.F16());
            case F64 -> new DoubleCombiner();
            case I32 -> new IntCombiner();
        };
    }

    /**
     * Combines all sources into the target: those of each host, rounded to the type of the elements, then the hosts. With one
     * host, that is the order of the sources, rounded once.
     *
     * @param sources at least one, of the target's size; any of them may be the target
     * @param target overwritten
     * @param perHost sources of each host, which follow each other
     */
    public final void combine(MemorySegment[] sources, MemorySegment target, ReduceOp op, int perHost) {
        int hosts = sources.length / perHost;
        long bytes = target.byteSize();
        for (long at = 0; at < bytes; at += (long) BLOCK * elementBytes) {
            int count = (int) Math.min(BLOCK, (bytes - at) / elementBytes);
            if (hosts == 1) {
                combine(sources, 0, perHost, at, count, op);
                store(target, at, count);
            } else {
                MemorySegment[] sums = ofHosts(hosts);
                for (int host = 0; host < hosts; host++) {
                    combine(sources, host * perHost, perHost, at, count, op);
                    store(sums[host], 0, count);
                }
                combine(sums, 0, hosts, 0, count, op);
                store(target, at, count);
            }
        }
    }

    private void combine(MemorySegment[] sources, int first, int number, long at, int count, ReduceOp op) {
        load(sources[first], at, count);
        for (int i = first + 1; i < first + number; i++) {
            switch (op) {
                case SUM -> add(sources[i], at, count);
                case MAX -> max(sources[i], at, count);
            }
        }
    }

    /** {@return a block for each host, made once} */
    private MemorySegment[] ofHosts(int hosts) {
        if (hostSums.length < hosts) {
            hostSums = new MemorySegment[hosts];
            Arrays.setAll(hostSums, host -> MemorySegment.ofArray(new long[BLOCK * elementBytes / Long.BYTES]));
        }
        return hostSums;
    }

    abstract void load(MemorySegment source, long at, int count);

    abstract void add(MemorySegment source, long at, int count);

    abstract void max(MemorySegment source, long at, int count);

    abstract void store(MemorySegment target, long at, int count);
}

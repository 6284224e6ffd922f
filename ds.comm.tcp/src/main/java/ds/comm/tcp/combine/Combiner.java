package ds.comm.tcp.combine;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import java.lang.foreign.MemorySegment;

/**
 * Combines the elements of several ranks in the order in which they are given, through blocks that stay in the first-level
 * cache. Each element's result depends on that element alone, not on where a buffer is cut. For one thread.
 */
public abstract sealed class Combiner permits FloatCombiner, DoubleCombiner, IntCombiner {
    /** Elements of a block. */
    static final int BLOCK = 2048;

    private final int elementBytes;

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
     * Combines all sources into the target.
     *
     * @param sources at least one, of the target's size; any of them may be the target
     * @param target overwritten
     */
    public final void combine(MemorySegment[] sources, MemorySegment target, ReduceOp op) {
        long bytes = target.byteSize();
        for (long at = 0; at < bytes; at += (long) BLOCK * elementBytes) {
            int count = (int) Math.min(BLOCK, (bytes - at) / elementBytes);
            load(sources[0], at, count);
            for (int rank = 1; rank < sources.length; rank++) {
                switch (op) {
                    case SUM -> add(sources[rank], at, count);
                    case MAX -> max(sources[rank], at, count);
                }
            }
            store(target, at, count);
        }
    }

    abstract void load(MemorySegment source, long at, int count);

    abstract void add(MemorySegment source, long at, int count);

    abstract void max(MemorySegment source, long at, int count);

    abstract void store(MemorySegment target, long at, int count);
}

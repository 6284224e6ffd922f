package ds.comm.tcp.flow;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Copies between operands. */
public final class Memory {
    private Memory() {}

    /** Copies all bytes, unless both are the same memory: an operation in place has nothing to copy. */
    public static void copy(MemorySegment source, MemorySegment target) {
        boolean same = source.address() == target.address()
                && Objects.equals(
                        source.heapBase().orElse(null), target.heapBase().orElse(null));
        if (!same) {
            target.copyFrom(source);
        }
    }
}

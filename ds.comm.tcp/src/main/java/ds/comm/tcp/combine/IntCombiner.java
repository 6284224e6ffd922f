package ds.comm.tcp.combine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** I32 arithmetic, modulo 2^32. */
final class IntCombiner extends Combiner {
    private final int[] result = new int[BLOCK];
    private final int[] operand = new int[BLOCK];

    IntCombiner() {
        super(Integer.BYTES);
    }

    @Override
    void load(MemorySegment source, long at, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_INT_UNALIGNED, at, result, 0, count);
    }

    @Override
    void add(MemorySegment source, long at, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_INT_UNALIGNED, at, operand, 0, count);
        for (int i = 0; i < count; i++) {
            result[i] += operand[i];
        }
    }

    @Override
    void max(MemorySegment source, long at, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_INT_UNALIGNED, at, operand, 0, count);
        for (int i = 0; i < count; i++) {
            result[i] = Math.max(result[i], operand[i]);
        }
    }

    @Override
    void store(MemorySegment target, long at, int count) {
        MemorySegment.copy(result, 0, target, ValueLayout.JAVA_INT_UNALIGNED, at, count);
    }
}

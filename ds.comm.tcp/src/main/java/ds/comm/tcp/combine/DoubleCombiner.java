package ds.comm.tcp.combine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** F64 arithmetic. */
final class DoubleCombiner extends Combiner {
    private final double[] result = new double[BLOCK];
    private final double[] operand = new double[BLOCK];

    DoubleCombiner() {
        super(Double.BYTES);
    }

    @Override
    void load(MemorySegment source, long at, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_DOUBLE_UNALIGNED, at, result, 0, count);
    }

    @Override
    void add(MemorySegment source, long at, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_DOUBLE_UNALIGNED, at, operand, 0, count);
        for (int i = 0; i < count; i++) {
            result[i] += operand[i];
        }
    }

    @Override
    void max(MemorySegment source, long at, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_DOUBLE_UNALIGNED, at, operand, 0, count);
        for (int i = 0; i < count; i++) {
            result[i] = Math.max(result[i], operand[i]);
        }
    }

    @Override
    void store(MemorySegment target, long at, int count) {
        MemorySegment.copy(result, 0, target, ValueLayout.JAVA_DOUBLE_UNALIGNED, at, count);
    }
}

package ds.comm.tcp.combine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads and writes elements of one type as F32. */
interface FloatCodec {
    /** {@return the bytes of one element} */
    int elementBytes();

    /** Reads {@code count} elements from byte {@code at} on. */
    void read(MemorySegment source, long at, float[] values, int count);

    /** Writes {@code count} elements from byte {@code at} on, rounded to nearest even. */
    void write(float[] values, MemorySegment target, long at, int count);

    /** IEEE 754 binary32. */
    final class F32 implements FloatCodec {
        @Override
        public int elementBytes() {
            return Float.BYTES;
        }

        @Override
        public void read(MemorySegment source, long at, float[] values, int count) {
            MemorySegment.copy(source, ValueLayout.JAVA_FLOAT_UNALIGNED, at, values, 0, count);
        }

        @Override
        public void write(float[] values, MemorySegment target, long at, int count) {
            MemorySegment.copy(values, 0, target, ValueLayout.JAVA_FLOAT_UNALIGNED, at, count);
        }
    }

    /** IEEE 754 binary16. */
    final class F16 implements FloatCodec {
        private final short[] halves = new short[Combiner.BLOCK];

        @Override
        public int elementBytes() {
            return Short.BYTES;
        }

        @Override
        public void read(MemorySegment source, long at, float[] values, int count) {
            MemorySegment.copy(source, ValueLayout.JAVA_SHORT_UNALIGNED, at, halves, 0, count);
            for (int i = 0; i < count; i++) {
                values[i] = Float.float16ToFloat(halves[i]);
            }
        }

        @Override
        public void write(float[] values, MemorySegment target, long at, int count) {
            for (int i = 0; i < count; i++) {
                halves[i] = Float.floatToFloat16(values[i]);
            }
            MemorySegment.copy(halves, 0, target, ValueLayout.JAVA_SHORT_UNALIGNED, at, count);
        }
    }
}

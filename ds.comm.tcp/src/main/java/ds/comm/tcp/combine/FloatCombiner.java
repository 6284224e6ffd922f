package ds.comm.tcp.combine;

import java.lang.foreign.MemorySegment;

/** F32 arithmetic for elements that a codec reads, with one rounding at the end. */
final class FloatCombiner extends Combiner {
    private final FloatCodec codec;
    private final float[] result = new float[BLOCK];
    private final float[] operand = new float[BLOCK];

    FloatCombiner(FloatCodec codec) {
        super(codec.elementBytes());
        this.codec = codec;
    }

    @Override
    void load(MemorySegment source, long at, int count) {
        codec.read(source, at, result, count);
    }

    @Override
    void add(MemorySegment source, long at, int count) {
        codec.read(source, at, operand, count);
        for (int i = 0; i < count; i++) {
            result[i] += operand[i];
        }
    }

    @Override
    void max(MemorySegment source, long at, int count) {
        codec.read(source, at, operand, count);
        for (int i = 0; i < count; i++) {
            result[i] = Math.max(result[i], operand[i]);
        }
    }

    @Override
    void store(MemorySegment target, long at, int count) {
        codec.write(result, target, at, count);
    }
}

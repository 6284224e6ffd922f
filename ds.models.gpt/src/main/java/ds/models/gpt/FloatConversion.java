package ds.models.gpt;

import ds.api.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Values of files, little-endian and perhaps unaligned, to and from F32 in memory. */
final class FloatConversion {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(java.nio.ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(java.nio.ByteOrder.LITTLE_ENDIAN);

    private FloatConversion() {}

    static void toF32(MemorySegment source, DType dtype, MemorySegment target) {
        long elements = target.byteSize() / Float.BYTES;
        for (long i = 0; i < elements; i++) {
            target.setAtIndex(
                    ValueLayout.JAVA_FLOAT,
                    i,
                    switch (dtype) {
                        case F32 -> source.getAtIndex(FLOAT, i);
                        case BF16 -> Float.intBitsToFloat(source.getAtIndex(SHORT, i) << 16);
                        case F16 -> Float.float16ToFloat(source.getAtIndex(SHORT, i));
                        case F64, I32 -> throw new IllegalArgumentException(dtype + " is no type of weights");
                    });
        }
    }

    static void fromF32(MemorySegment source, DType dtype, MemorySegment target) {
        long elements = source.byteSize() / Float.BYTES;
        for (long i = 0; i < elements; i++) {
            float value = source.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            switch (dtype) {
                case F32 -> target.setAtIndex(FLOAT, i, value);
                case BF16 -> target.setAtIndex(SHORT, i, toBf16(value));
                case F16 -> target.setAtIndex(SHORT, i, Float.floatToFloat16(value));
                case F64, I32 -> throw new IllegalArgumentException(dtype + " is no type of weights");
            }
        }
    }

    /** Rounds to nearest even; NaN stays NaN. */
    private static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }
}

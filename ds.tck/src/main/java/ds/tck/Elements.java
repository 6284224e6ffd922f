package ds.tck;

import ds.api.DType;
import ds.api.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The elements of a tensor in host memory as doubles, which hold every value of every type exactly. Writing rounds once, to
 * nearest even.
 */
record Elements(MemorySegment memory, DType dtype, long count) {
    /** Borrows the tensor's memory. */
    static Elements of(Tensor tensor) {
        return new Elements(tensor.host(), tensor.dtype(), tensor.elements());
    }

    double get(long i) {
        return switch (dtype) {
            case F32 -> memory.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            case BF16 -> Float.intBitsToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
            case F16 -> Float.float16ToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, i));
            case F64 -> memory.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
            case I32 -> memory.getAtIndex(ValueLayout.JAVA_INT, i);
        };
    }

    void set(long i, double value) {
        switch (dtype) {
            case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
            case BF16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i, bf16(toOdd(value)));
            case F16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(toOdd(value)));
            case F64 -> memory.setAtIndex(ValueLayout.JAVA_DOUBLE, i, value);
            case I32 -> memory.setAtIndex(ValueLayout.JAVA_INT, i, (int) value);
        }
    }

    /** {@return a row index, checked against the number of rows} */
    long index(long i, long rows) {
        return java.util.Objects.checkIndex(memory.getAtIndex(ValueLayout.JAVA_INT, i), rows);
    }

    /**
     * Rounds to F32 so that a second rounding, to a type with at least two bits less, gives what rounding once would have given:
     * what lies between two floats becomes the one whose last bit is 1 (Boldo &amp; Melquiond, IEEE Trans. Comp. 57, 2008).
     */
    private static float toOdd(double value) {
        float nearest = (float) value;
        if (nearest == value || Double.isNaN(value)) {
            return nearest;
        }
        int bits = Float.floatToRawIntBits(nearest);
        int towardsZero = Math.abs((double) nearest) > Math.abs(value) ? bits - 1 : bits;
        return Float.intBitsToFloat(towardsZero | 1);
    }

    /** {@return the nearest BF16, of two the even one; NaN stays NaN, which the carry of rounding could make an infinity} */
    private static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }
}

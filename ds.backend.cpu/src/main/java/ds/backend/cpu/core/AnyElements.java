package ds.backend.cpu.core;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;

/** The elements of a tensor of any type, where {@link ds.backend.cpu.vector.Elements} knows the floating ones that F32 holds. */
record AnyElements(MemorySegment memory, DType dtype) {
    static AnyElements of(Tensor tensor) {
        return new AnyElements(tensor.host(), tensor.dtype());
    }

    /** Brings {@code n} elements into {@code to[0 ..]}. */
    void read(long first, float[] to, int n) {
        read(first, to, 0, n);
    }

    /** Brings {@code n} elements into {@code to[at ..]}. */
    void read(long first, float[] to, int at, int n) {
        switch (dtype) {
            case F32, BF16, F16 -> Lanes.read(memory, dtype, first, to, at, n);
            case F64, I32 -> {
                for (int i = 0; i < n; i++) {
                    to[at + i] = (float) number(first + i);
                }
            }
        }
    }

    /** Writes {@code from[0 .. n)}, rounded once. */
    void write(float[] from, long first, int n) {
        switch (dtype) {
            case F32, BF16, F16 -> Lanes.write(from, 0, memory, dtype, first, n);
            case F64, I32 -> {
                for (int i = 0; i < n; i++) {
                    set(first + i, from[i]);
                }
            }
        }
    }

    /** {@return element {@code i} of type F64 or I32} */
    double number(long i) {
        return dtype == DType.F64 ? memory.getAtIndex(JAVA_DOUBLE, i) : memory.getAtIndex(JAVA_INT, i);
    }

    /** Sets one element of type F64 or I32. */
    void set(long i, double value) {
        if (dtype == DType.F64) {
            memory.setAtIndex(JAVA_DOUBLE, i, value);
        } else {
            memory.setAtIndex(JAVA_INT, i, (int) value);
        }
    }

    /** {@return whether there are conversions to and from F32 arrays that lose nothing} */
    boolean floating() {
        return dtype != DType.F64 && dtype != DType.I32;
    }
}

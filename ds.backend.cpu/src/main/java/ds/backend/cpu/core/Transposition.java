package ds.backend.cpu.core;

import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Makes lines into columns, in the first-level cache: {@code to[i, j] = lines[j, i]} for as many lines as a vector has lanes.
 *
 * <p>Interleaving the two halves of an array moves the highest bit of every element's index to the lowest place; doing that once
 * for every bit of j makes (j, i) into (i, j), one vector for each i. What an element is does not matter, as long as it has 32
 * bits: moving a float through a vector changes none of them.
 */
final class Transposition {
    /** Elements of a line. */
    static final int LENGTH = 128;

    /** Elements of all lines. */
    static final int ELEMENTS = LENGTH * Lanes.COUNT;

    private static final int HALF = ELEMENTS / 2;

    /** The lanes of two lower, and of two upper, halves of vectors in turns: those of the second vector begin at COUNT. */
    private static final IntVector LOWER = turns(0);

    private static final IntVector UPPER = turns(Lanes.COUNT / 2);

    private Transposition() {}

    /**
     * Transposes {@link Lanes#COUNT} lines.
     *
     * @param lines {@link #ELEMENTS} elements, line after line; overwritten
     * @param other as many, with any contents; overwritten
     * @param to receives a vector for each element of a line
     * @param byteOffset of the first vector
     * @param byteStride from one vector to the next
     * @param vectors how many are written: the first so many elements of the lines
     */
    static void transpose(
            float[] lines, float[] other, MemorySegment to, long byteOffset, long byteStride, int vectors) {
        float[] x = lines;
        float[] y = other;
        for (int bit = 2; bit < Lanes.COUNT; bit *= 2) {
            interleave(x, y);
            float[] swapped = x;
            x = y;
            y = swapped;
        }
        store(x, to, byteOffset, byteStride, vectors);
    }

    private static void interleave(float[] x, float[] y) {
        for (int i = 0; i < HALF; i += Lanes.COUNT) {
            IntVector even = load(x, i);
            IntVector odd = load(x, HALF + i);
            LOWER.selectFrom(even, odd).reinterpretAsFloats().intoArray(y, 2 * i);
            UPPER.selectFrom(even, odd).reinterpretAsFloats().intoArray(y, 2 * i + Lanes.COUNT);
        }
    }

    private static void store(float[] x, MemorySegment to, long byteOffset, long byteStride, int vectors) {
        for (int i = 0; 2 * i < vectors * Lanes.COUNT; i += Lanes.COUNT) {
            IntVector even = load(x, i);
            IntVector odd = load(x, HALF + i);
            long at = byteOffset + 2 * i / Lanes.COUNT * byteStride;
            LOWER.selectFrom(even, odd).intoMemorySegment(to, at, ByteOrder.nativeOrder());
            if (2 * i + Lanes.COUNT < vectors * Lanes.COUNT) {
                UPPER.selectFrom(even, odd).intoMemorySegment(to, at + byteStride, ByteOrder.nativeOrder());
            }
        }
    }

    private static IntVector turns(int first) {
        int[] lanes = new int[Lanes.COUNT];
        Arrays.setAll(lanes, i -> first + i / 2 + i % 2 * Lanes.COUNT);
        return IntVector.fromArray(Lanes.I32, lanes, 0);
    }

    private static IntVector load(float[] x, int i) {
        return FloatVector.fromArray(Lanes.F32, x, i).reinterpretAsInts();
    }
}

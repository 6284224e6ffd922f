package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import ds.api.DType;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The rows of one attention head inside a tensor: queries, keys, values or results, one row for each position.
 *
 * @param elements of the tensor
 * @param first element of row 0
 * @param stride elements from a row to the next
 * @param size D, the elements of a row
 */
public record HeadRows(Elements elements, long first, long stride, int size) {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /** {@return the address of a row's first element} */
    public long address(long row) {
        return elements.memory().address()
                + (first + row * stride) * elements.dtype().byteSize();
    }

    /** Brings a row into {@code to[at ..]}, filled up with zeros to whole vectors. */
    void read(long row, float[] to, int at) {
        elements.read(first + row * stride, to, at, size);
    }

    /** Writes {@code from[at .. at + size)} to a row. */
    void write(float[] from, int at, long row) {
        elements.write(from, at, first + row * stride, size);
    }

    /** Writes {@code factor · from[first .. first + size)}, of F32, to a row; F32 and BF16 only. */
    void writeScaled(MemorySegment from, long first, float factor, long row) {
        long at = this.first + row * stride;
        if (elements.dtype() == DType.BF16) {
            Bf16Kernel.roundScaled(factor, from, first, elements.memory(), at, size);
        } else {
            scale(factor, from, first, elements.memory(), at, size);
        }
    }

    private static void scale(float factor, MemorySegment from, long firstFrom, MemorySegment to, long firstTo, int n) {
        int i = 0;
        for (int whole = Lanes.F32.loopBound(n); i < whole; i += Lanes.COUNT) {
            FloatVector.fromMemorySegment(Lanes.F32, from, (firstFrom + i) * Float.BYTES, ORDER)
                    .mul(factor)
                    .intoMemorySegment(to, (firstTo + i) * Float.BYTES, ORDER);
        }
        for (; i < n; i++) {
            to.setAtIndex(
                    JAVA_FLOAT_UNALIGNED, firstTo + i, factor * from.getAtIndex(JAVA_FLOAT_UNALIGNED, firstFrom + i));
        }
    }

    /** {@return the elements of a row in whole vectors} */
    int padded() {
        return Lanes.padded(size);
    }

    /** Brings rows into {@code to}, {@link #padded} elements each. */
    void pack(int firstRow, int rows, float[] to) {
        for (int i = 0; i < rows; i++) {
            read(firstRow + i, to, i * padded());
        }
    }

    /** Writes rows from {@code from}, which has {@link #padded} elements for each. */
    void unpack(float[] from, int firstRow, int rows) {
        for (int i = 0; i < rows; i++) {
            write(from, i * padded(), firstRow + i);
        }
    }

    /**
     * Brings rows into {@code to}, transposed in blocks: element d of row {@code block · width + j} goes to
     * {@code (block · size + d) · width + j}. The last block is filled up with zeros.
     *
     * @param row room for {@link #padded} elements
     */
    void packTransposed(int rows, int width, float[] to, float[] row) {
        for (int i = 0; i < Math.ceilDiv(rows, width) * width; i++) {
            int at = i / width * size * width + i % width;
            if (i < rows) {
                read(i, row, 0);
            } else {
                Arrays.fill(row, 0, size, 0f);
            }
            for (int d = 0; d < size; d++) {
                to[at + d * width] = row[d];
            }
        }
    }
}

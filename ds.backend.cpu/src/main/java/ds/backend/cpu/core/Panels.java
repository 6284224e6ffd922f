package ds.backend.cpu.core;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import ds.api.CoreKernels.Operand;
import ds.backend.cpu.vector.Lanes;
import ds.backend.cpu.vector.Part;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The right factor of a matrix product, rearranged so that its kernel reads it front to back: panels of {@link #WIDTH} columns,
 * one after the other, each with its rows one after the other, in F32, filled up with zeros. oneDNN calls this layout
 * {@code BA16a32b}.
 */
public final class Panels {
    /** Columns of a panel. */
    public static final int WIDTH = 32;

    private static final int DEPTH = 16; // the number of rows is filled up to a multiple of it
    private static final int BAND = 64; // rows that are transposed at a time: 8 KiB of them

    private Panels() {}

    /** {@return elements of a panel of {@code depth} rows} */
    public static long elements(long depth) {
        return Math.ceilDiv(depth, DEPTH) * DEPTH * WIDTH;
    }

    /**
     * Makes a part of the panels of the block of {@code b} that begins at a row and a column.
     *
     * @param part of the panels
     * @param depth rows of the block
     * @param columns of the block
     * @param panels F32; panel p begins at element {@code p · elements(depth)}
     */
    public static void pack(
            Part part, Operand b, long row, long column, long depth, long columns, MemorySegment panels) {
        Elements from = Elements.of(b.tensor());
        long stride = b.tensor().shape().columns();
        for (long p = part.first(); p < part.last(); p++) {
            int width = (int) Math.min(WIDTH, columns - p * WIDTH);
            long at = p * elements(depth);
            if (b.transposed()) {
                long first = (column + p * WIDTH) * stride + row;
                packTransposed(part, from, first, stride, depth, width, panels, at);
            } else {
                long first = row * stride + column + p * WIDTH;
                packRows(part, from, first, stride, depth, width, panels, at);
            }
            long end = at + depth * WIDTH;
            panels.asSlice(end * Float.BYTES, (at + elements(depth) - end) * Float.BYTES)
                    .fill((byte) 0);
        }
    }

    private static void packRows(
            Part part, Elements from, long first, long stride, long depth, int width, MemorySegment to, long at) {
        float[] band = part.scratch().floats(0, BAND * WIDTH);
        Arrays.fill(band, 0, BAND * WIDTH, 0f);
        for (long k = 0; k < depth; k += BAND) {
            int rows = (int) Math.min(BAND, depth - k);
            for (int i = 0; i < rows; i++) {
                Lanes.read(from.memory(), from.dtype(), first + (k + i) * stride, band, i * WIDTH, width);
            }
            MemorySegment.copy(band, 0, to, JAVA_FLOAT, (at + k * WIDTH) * Float.BYTES, rows * WIDTH);
        }
    }

    private static void packTransposed(
            Part part, Elements from, long first, long stride, long depth, int width, MemorySegment to, long at) {
        float[] lines = part.scratch().floats(0, BAND * WIDTH);
        float[] band = part.scratch().floats(1, BAND * WIDTH);
        Arrays.fill(lines, 0, BAND * WIDTH, 0f);
        for (long k = 0; k < depth; k += BAND) {
            int rows = (int) Math.min(BAND, depth - k);
            for (int j = 0; j < width; j++) {
                Lanes.read(from.memory(), from.dtype(), first + j * stride + k, lines, j * BAND, rows);
            }
            transpose(lines, band, rows);
            MemorySegment.copy(band, 0, to, JAVA_FLOAT, (at + k * WIDTH) * Float.BYTES, rows * WIDTH);
        }
    }

    private static void transpose(float[] lines, float[] band, int rows) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < WIDTH; j++) {
                band[i * WIDTH + j] = lines[j * BAND + i];
            }
        }
    }
}

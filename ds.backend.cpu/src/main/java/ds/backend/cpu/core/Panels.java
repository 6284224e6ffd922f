package ds.backend.cpu.core;

import ds.api.CoreKernels.Operand;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * The right factor of a matrix product, rearranged so that its kernel reads it front to back: panels of {@link #WIDTH} columns,
 * one after the other, each with its rows one after the other, in F32, filled up with zeros. oneDNN calls this layout
 * {@code BA16a32b}.
 */
public final class Panels {
    /** Columns of a panel. */
    public static final int WIDTH = 32;

    private static final int DEPTH = 16; // the number of rows is filled up to a multiple of it
    private static final int BAND = 128; // rows of a piece
    private static final int GROUP = 8 * WIDTH; // columns of a piece

    private static final int HALF = BAND * Lanes.COUNT / 2; // of the elements that one transposition takes

    /** Each lane of the lower, and of the upper, half of a vector, twice. */
    private static final VectorShuffle<Float> LOWER = VectorShuffle.fromOp(Lanes.F32, i -> i / 2);

    private static final VectorShuffle<Float> UPPER = VectorShuffle.fromOp(Lanes.F32, i -> (Lanes.COUNT + i) / 2);
    private static final VectorMask<Float> ODD = VectorMask.fromLong(Lanes.F32, 0xAAAA_AAAA_AAAA_AAAAL);

    private Panels() {}

    /** {@return elements of a panel of {@code depth} rows} */
    public static long elements(long depth) {
        return Math.ceilDiv(depth, DEPTH) * DEPTH * WIDTH;
    }

    /**
     * One block of the right factor.
     *
     * @param b the factor
     * @param row of the factor at which the block begins
     * @param column of the factor at which the block begins
     * @param depth rows of the block
     * @param columns of the block
     */
    public record Block(Operand b, long row, long column, long depth, long columns) {
        /** {@return elements of all panels} */
        public long elements() {
            return Math.ceilDiv(columns, WIDTH) * Panels.elements(depth);
        }

        /** {@return into how many pieces {@link Panels#pack} divides the work} */
        public long pieces() {
            return Math.ceilDiv(depth, BAND) * Math.ceilDiv(columns, GROUP);
        }
    }

    /**
     * Rearranges a part of a block.
     *
     * @param part of the pieces
     * @param panels F32; panel p begins at element {@code p · elements(depth)}
     */
    public static void pack(Part part, Block block, MemorySegment panels) {
        AnyElements from = AnyElements.of(block.b.tensor());
        long groups = Math.ceilDiv(block.columns, GROUP);
        for (long piece = part.first(); piece < part.last(); piece++) {
            long k = piece / groups * BAND;
            long j = piece % groups * GROUP;
            if (block.b.transposed()) {
                packTransposed(part.scratch(), block, from, k, j, panels);
            } else {
                packRows(part.scratch(), block, from, k, j, panels);
            }
            fillUp(block, k, j, panels);
        }
    }

    private static void packRows(Scratch scratch, Block block, AnyElements from, long k, long j, MemorySegment panels) {
        int rows = (int) Math.min(BAND, block.depth - k);
        int columns = (int) Math.min(GROUP, block.columns - j);
        long stride = block.b.tensor().shape().columns();
        long panelBytes = elements(block.depth) * Float.BYTES;
        float[] row = scratch.floats(0, GROUP);
        Arrays.fill(row, columns, GROUP, 0f);
        for (int i = 0; i < rows; i++) {
            from.read((block.row + k + i) * stride + block.column + j, row, columns);
            for (int c = 0; c < columns; c += WIDTH) {
                long to = (j + c) / WIDTH * panelBytes + (k + i) * WIDTH * Float.BYTES;
                for (int lane = 0; lane < WIDTH; lane += Lanes.COUNT) {
                    FloatVector.fromArray(Lanes.F32, row, c + lane)
                            .intoMemorySegment(panels, to + (long) lane * Float.BYTES, ByteOrder.nativeOrder());
                }
            }
        }
    }

    private static void packTransposed(
            Scratch scratch, Block block, AnyElements from, long k, long j, MemorySegment panels) {
        int rows = (int) Math.min(BAND, block.depth - k);
        int columns = (int) Math.min(GROUP, block.columns - j);
        long stride = block.b.tensor().shape().columns();
        long panelBytes = elements(block.depth) * Float.BYTES;
        float[] lines = scratch.floats(0, BAND * Lanes.COUNT);
        float[] other = scratch.floats(1, BAND * Lanes.COUNT);
        for (int c = 0; c < Math.ceilDiv(columns, WIDTH) * WIDTH; c += Lanes.COUNT) {
            int count = Math.clamp(columns - c, 0, Lanes.COUNT);
            for (int line = 0; line < count; line++) {
                long at = (block.column + j + c + line) * stride + block.row + k;
                Lanes.read(from.memory(), from.dtype(), at, lines, line * BAND, rows);
            }
            Arrays.fill(lines, count * BAND, Lanes.COUNT * BAND, 0f);
            long to = (j + c) / WIDTH * panelBytes + (k * WIDTH + c % WIDTH) * Float.BYTES;
            transpose(lines, other, panels, to, rows);
        }
    }

    /** Zeros the rows that follow the last one of the block, in the panels of one piece. */
    private static void fillUp(Block block, long k, long j, MemorySegment panels) {
        if (k + BAND < block.depth) {
            return;
        }
        long bytes = elements(block.depth) * Float.BYTES;
        long used = block.depth * WIDTH * Float.BYTES;
        for (long c = j; c < Math.min(block.columns, j + GROUP); c += WIDTH) {
            panels.asSlice(c / WIDTH * bytes + used, bytes - used).fill((byte) 0);
        }
    }

    /**
     * {@code to[i, j] = lines[j, i]} for as many lines as a vector has lanes; overwrites them. Interleaving the two halves of an
     * array moves the highest bit of every element's index to the lowest place; doing that once for every bit of j makes (j, i)
     * into (i, j), one vector for each i.
     */
    private static void transpose(float[] lines, float[] other, MemorySegment to, long byteOffset, int rows) {
        float[] x = lines;
        float[] y = other;
        for (int bit = 2; bit < Lanes.COUNT; bit *= 2) {
            for (int i = 0; i < HALF; i += Lanes.COUNT) {
                FloatVector even = FloatVector.fromArray(Lanes.F32, x, i);
                FloatVector odd = FloatVector.fromArray(Lanes.F32, x, HALF + i);
                lower(even, odd).intoArray(y, 2 * i);
                upper(even, odd).intoArray(y, 2 * i + Lanes.COUNT);
            }
            float[] swapped = x;
            x = y;
            y = swapped;
        }
        for (int i = 0; 2 * i < rows * Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector even = FloatVector.fromArray(Lanes.F32, x, i);
            FloatVector odd = FloatVector.fromArray(Lanes.F32, x, HALF + i);
            long row = byteOffset + 2 * i / Lanes.COUNT * (long) (WIDTH * Float.BYTES);
            lower(even, odd).intoMemorySegment(to, row, ByteOrder.nativeOrder());
            if (2 * i + Lanes.COUNT < rows * Lanes.COUNT) {
                upper(even, odd).intoMemorySegment(to, row + WIDTH * Float.BYTES, ByteOrder.nativeOrder());
            }
        }
    }

    private static FloatVector lower(FloatVector even, FloatVector odd) {
        return even.rearrange(LOWER).blend(odd.rearrange(LOWER), ODD);
    }

    private static FloatVector upper(FloatVector even, FloatVector odd) {
        return even.rearrange(UPPER).blend(odd.rearrange(UPPER), ODD);
    }
}

package ds.backend.cpu.core;

import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The right factor of a matrix product, rearranged so that its kernel reads it front to back: panels of some columns, one after
 * the other, each with its rows one after the other, filled up with zeros. Of BF16 two rows are interleaved. oneDNN calls these
 * layouts {@code BA16a32b} and so on, and {@code BA16a64b2a}.
 */
public final class Panels {
    private static final int DEPTH = 16; // words; their number is filled up to a multiple of it
    private static final int ROWS = 16; // of words, in a piece of a factor that lies as it is multiplied
    private static final int BAND = Transposition.LENGTH; // rows in a piece of one that lies transposed
    private static final int PANELS = 8; // in such a piece

    private Panels() {}

    /**
     * What panels hold.
     *
     * @param dtype F32, or BF16 for a factor of that type that does not lie transposed
     * @param width columns of a panel; a multiple of {@link Lanes#COUNT}
     */
    public record Format(DType dtype, int width) {
        /** {@return bytes of a panel of {@code depth} rows} */
        public long panelBytes(long depth) {
            return Math.ceilDiv(Words.count(dtype, depth), DEPTH) * DEPTH * rowBytes();
        }

        private long rowBytes() {
            return (long) width * Float.BYTES;
        }
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
        /** {@return bytes of all panels} */
        public long bytes(Format format) {
            return Math.ceilDiv(columns, format.width) * format.panelBytes(depth);
        }

        /** {@return into how many pieces {@link Panels#pack} divides the work} */
        public long pieces(Format format) {
            return b.transposed()
                    ? Math.ceilDiv(depth, BAND) * groups(format)
                    : Math.ceilDiv(Words.count(format.dtype, depth), ROWS);
        }

        private long groups(Format format) {
            return Math.ceilDiv(columns, PANELS * format.width);
        }
    }

    /**
     * Rearranges a part of a block.
     *
     * @param part of the pieces
     * @param panels panel p begins at byte {@code p · panelBytes(depth)}
     */
    public static void pack(Part part, Block block, Format format, MemorySegment panels) {
        Packing packing = new Packing(block, format, AnyElements.of(block.b.tensor()), panels, part.scratch());
        for (long piece = part.first(); piece < part.last(); piece++) {
            if (block.b.transposed()) {
                long groups = block.groups(format);
                packing.packTransposed(piece / groups * BAND, piece % groups * PANELS * format.width);
            } else {
                packing.packRows(piece * ROWS);
            }
        }
    }

    /** What all pieces of a part have in common. */
    private record Packing(Block block, Format format, AnyElements from, MemorySegment panels, Scratch scratch) {
        /** Some rows of words over all columns, so that memory is read front to back. */
        void packRows(long k) {
            long words = Words.count(format.dtype, block.depth);
            for (long i = k; i < Math.min(words, k + ROWS); i++) {
                packRow(i);
            }
            if (k + ROWS >= words) {
                fillUp(words, 0, block.columns);
            }
        }

        private void packRow(long k) {
            long row = k * Words.elements(format.dtype);
            long first = (block.row + row) * stride() + block.column;
            long second = row + 1 < block.depth ? first + stride() : -1;
            boolean fast = from.dtype() == format.dtype && (format.dtype == DType.F32 || second >= 0);
            long whole = fast ? block.columns / format.width * format.width : 0;
            if (format.dtype == DType.F32) {
                Words.copy(from.memory(), first, whole, pieces(k, 0));
            } else {
                Words.interleave(from.memory(), first, second, whole, pieces(k, 0));
            }
            int chunk = Lanes.CHUNK / format.width * format.width;
            float[] words = scratch.floats(0, chunk);
            for (long c = whole; c < block.columns; c += chunk) {
                int n = (int) Math.min(chunk, block.columns - c);
                int padded = Math.ceilDiv(n, format.width) * format.width;
                Words.read(from, format.dtype, first + c, second < 0 ? -1 : second + c, words, 0, n);
                Arrays.fill(words, n, padded, 0f);
                Words.copy(words, padded, pieces(k, c));
            }
        }

        private Words.Pieces pieces(long k, long column) {
            return new Words.Pieces(panels, address(k, column), format.panelBytes(block.depth), format.width);
        }

        /** A band of rows over some panels. */
        void packTransposed(long k, long j) {
            int rows = (int) Math.min(BAND, block.depth - k);
            int columns = (int) Math.min((long) PANELS * format.width, block.columns - j);
            float[] lines = scratch.floats(0, Transposition.ELEMENTS);
            float[] other = scratch.floats(1, Transposition.ELEMENTS);
            for (int c = 0; c < Math.ceilDiv(columns, format.width) * format.width; c += Lanes.COUNT) {
                int count = Math.clamp(columns - c, 0, Lanes.COUNT);
                for (int line = 0; line < count; line++) {
                    long first = (block.column + j + c + line) * stride() + block.row + k;
                    from.read(first, lines, line * BAND, rows);
                }
                Arrays.fill(lines, count * BAND, Transposition.ELEMENTS, 0f);
                Transposition.transpose(lines, other, panels, address(k, j + c), format.rowBytes(), rows);
            }
            if (k + BAND >= block.depth) {
                fillUp(block.depth, j, j + columns);
            }
        }

        /** Zeros the rows that follow the last one. */
        private void fillUp(long words, long firstColumn, long lastColumn) {
            for (long c = firstColumn; c < lastColumn; c += format.width) {
                long end = address(0, c) + format.panelBytes(block.depth);
                panels.asSlice(address(words, c), end - address(words, c)).fill((byte) 0);
            }
        }

        private long stride() {
            return block.b.tensor().shape().columns();
        }

        /** {@return where the word of this row and column lies in the panels} */
        private long address(long k, long column) {
            long panel = column / format.width;
            return panel * format.panelBytes(block.depth) + k * format.rowBytes() + column % format.width * Float.BYTES;
        }
    }
}

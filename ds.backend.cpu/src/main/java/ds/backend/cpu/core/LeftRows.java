package ds.backend.cpu.core;

import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The left factor of a matrix product where it lies transposed, {@code [k, m]}: made into rows, {@code [m, k]}. */
public final class LeftRows {
    private static final int BAND = Transposition.LENGTH; // rows of the result in a piece
    private static final int DEPTH = 128; // words of the sum in a piece
    private static final long PAGE = 4096 / Float.BYTES; // rows so far apart would meet in few places of the cache

    private LeftRows() {}

    /**
     * One block of the left factor, of type F32 or BF16.
     *
     * @param a the factor, transposed
     * @param row of the factor, as it enters the product, at which the block begins
     * @param column of the factor, as it enters the product, at which the block begins
     * @param rows of the block
     * @param depth columns of the block
     */
    public record Block(Operand a, long row, long column, long rows, long depth) {
        /** {@return elements from the beginning of a row to that of the next} */
        public long stride() {
            long words = Math.ceilDiv(words(), Lanes.COUNT) * Lanes.COUNT;
            return (words % PAGE == 0 ? words + Lanes.COUNT : words) * Words.elements(dtype());
        }

        /** {@return bytes of all rows} */
        public long bytes() {
            return rows * stride() * dtype().byteSize();
        }

        /** {@return into how many pieces {@link LeftRows#transpose} divides the work} */
        public long pieces() {
            return Math.ceilDiv(rows, BAND) * Math.ceilDiv(words(), DEPTH);
        }

        private DType dtype() {
            return a.tensor().dtype();
        }

        private long words() {
            return Words.count(dtype(), depth);
        }
    }

    /** Transposes a part of the pieces of a block. */
    public static void transpose(Part part, Block block, MemorySegment to) {
        long groups = Math.ceilDiv(block.words(), DEPTH);
        for (long piece = part.first(); piece < part.last(); piece++) {
            transpose(part.scratch(), block, piece / groups * BAND, piece % groups * DEPTH, to);
        }
    }

    /** One piece, by its first row and first word. */
    private static void transpose(Scratch scratch, Block block, long i, long word, MemorySegment to) {
        DType dtype = block.dtype();
        AnyElements from = AnyElements.of(block.a.tensor());
        int perWord = Words.elements(dtype);
        int rows = (int) Math.min(BAND, block.rows - i);
        int words = (int) Math.min(DEPTH, block.words() - word);
        long stride = block.a.tensor().shape().columns();
        long byteStride = block.stride() * dtype.byteSize();
        float[] lines = scratch.floats(0, Transposition.ELEMENTS);
        float[] other = scratch.floats(1, Transposition.ELEMENTS);
        for (int w = 0; w < words; w += Lanes.COUNT) {
            int count = Math.min(Lanes.COUNT, words - w);
            for (int line = 0; line < count; line++) {
                long k = (word + w + line) * perWord;
                long first = (block.column + k) * stride + block.row + i;
                boolean whole = k + 1 < block.depth;
                Words.read(from, dtype, first, whole ? first + stride : -1, lines, line * BAND, rows);
            }
            Arrays.fill(lines, count * BAND, Transposition.ELEMENTS, 0f);
            Transposition.transpose(lines, other, to, i * byteStride + (word + w) * Float.BYTES, byteStride, rows);
        }
    }
}

package ds.backend.cpu.vector;

import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Sums over the rows of a matrix, for the gradients of biases and of LayerNorm's weights: each block of rows has partial sums
 * of its own, and the blocks are added in their order. Blocks depend on the number of rows alone, so the bits do not depend on
 * how many threads share them. The array is kept from call to call.
 */
public final class ColumnSums {
    private static final int MOST_BLOCKS = 32;
    private static final int SMALLEST_BLOCK = 16;

    private float[] sums = new float[0];
    private long rows;
    private long blockRows = 1;
    private int width;

    /** Holds nothing yet. */
    public ColumnSums() {}

    /**
     * Divides {@code rows} into blocks, with sums of 0.
     *
     * @param columns sums of one block: n for a bias, 2C for LayerNorm's weight and bias
     */
    public void reset(long rows, int columns) {
        this.rows = rows;
        this.blockRows = Math.max(SMALLEST_BLOCK, (rows + MOST_BLOCKS - 1) / MOST_BLOCKS);
        this.width = Lanes.padded(columns);
        int length = blocks() * width;
        if (sums.length < length) {
            sums = new float[length];
        } else {
            Arrays.fill(sums, 0, length, 0f);
        }
    }

    /** {@return how many blocks there are, 32 at most} */
    public int blocks() {
        return (int) ((rows + blockRows - 1) / blockRows);
    }

    /** {@return the rows of one block, with the scratch of the thread that works on it} */
    public Part part(int block, Scratch scratch) {
        return new Part(block * blockRows, Math.min(rows, (block + 1) * blockRows), scratch);
    }

    /** {@return the partial sums of all blocks} */
    float[] array() {
        return sums;
    }

    /** {@return where the sums of the block that begins with a row lie in {@link #array}} */
    int offset(Part part) {
        return (int) (part.first() / blockRows) * width;
    }

    /**
     * Adds up the rows of one block. They are read as they lie in memory: columns by themselves, whose elements lie a row apart,
     * take four times as long where x is in no cache of this core's.
     *
     * @param x F32, BF16 or F16 {@code [rows, columns]}
     * @param part a block
     */
    public void addRows(Tensor x, Part part) {
        int n = (int) x.shape().columns();
        Elements from = Elements.of(x);
        float[] chunk = part.scratch().floats(0, Lanes.CHUNK);
        for (long row = part.first(); row < part.last(); row++) {
            for (int j = 0; j < n; j += Lanes.CHUNK) {
                int count = Math.min(Lanes.CHUNK, n - j);
                from.read(row * n + j, chunk, 0, count);
                addTo(sums, offset(part) + j, chunk, Lanes.padded(count));
            }
        }
    }

    /** {@code y[at + i] += x[i]}; n is a multiple of {@link Lanes#COUNT}. */
    private static void addTo(float[] y, int at, float[] x, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector sum = FloatVector.fromArray(Lanes.F32, y, at + i);
            sum.add(FloatVector.fromArray(Lanes.F32, x, i)).intoArray(y, at + i);
        }
    }

    /**
     * {@code gradient[j] += sum over the blocks of column from + j}; once all blocks are done.
     *
     * @param gradient F32 {@code [n]}; added to
     * @param from the first column
     */
    public void addTo(Tensor gradient, int from, Scratch scratch) {
        int n = (int) gradient.elements();
        float[] total = scratch.floats(0, Lanes.CHUNK);
        float[] before = scratch.floats(1, Lanes.CHUNK);
        Elements into = Elements.of(gradient);
        for (int j = 0; j < n; j += Lanes.CHUNK) {
            int count = Math.min(Lanes.CHUNK, n - j);
            System.arraycopy(sums, from + j, total, 0, count);
            for (int block = 1; block < blocks(); block++) {
                add(sums, block * width + from + j, total, count);
            }
            into.read(j, before, 0, count);
            add(before, 0, total, count);
            into.write(total, 0, j, count);
        }
    }

    /** {@code y[i] += x[at + i]}. */
    static void add(float[] x, int at, float[] y, int n) {
        int i = 0;
        for (int whole = Lanes.F32.loopBound(n); i < whole; i += Lanes.COUNT) {
            FloatVector sum = FloatVector.fromArray(Lanes.F32, y, i).add(FloatVector.fromArray(Lanes.F32, x, at + i));
            sum.intoArray(y, i);
        }
        for (; i < n; i++) {
            y[i] += x[at + i];
        }
    }
}

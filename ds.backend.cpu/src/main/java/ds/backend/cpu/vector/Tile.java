package ds.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;

/**
 * A small matrix in an array, and products of such matrices that fit the caches. The inner loops keep four rows times two
 * vectors of the result in registers: eight independent sums hide the latency of fused multiply-add.
 */
final class Tile {
    /** Rows that a product works on at a time: the rows of a result are padded to a multiple. */
    static final int ROWS = 4;

    private final float[] data;
    private final int at;
    private final int stride;
    private final int step; // 1, unless it is a transpose

    private Tile(float[] data, int at, int stride, int step) {
        this.data = data;
        this.at = at;
        this.stride = stride;
        this.step = step;
    }

    /**
     * Views part of an array.
     *
     * @param at where the first row begins
     * @param stride from one row to the next
     */
    Tile(float[] data, int at, int stride) {
        this(data, at, stride, 1);
    }

    /** {@return {@code rows} rounded up to a multiple of {@link #ROWS}} */
    static int paddedRows(int rows) {
        return (rows + ROWS - 1) & -ROWS;
    }

    /** {@return the transpose, which can be the left factor of a product} */
    Tile transpose() {
        return new Tile(data, at, step, stride);
    }

    /**
     * {@code c += a · b}.
     *
     * @param a {@code [m, k]}
     * @param b {@code [k, n]}, not a transpose
     * @param c {@code [m, n]}, not a transpose
     * @param m a multiple of {@link #ROWS}
     * @param n a multiple of {@link Lanes#COUNT}
     */
    static void multiply(Tile a, Tile b, Tile c, int m, int n, int k) {
        for (int i = 0; i < m; i += ROWS) {
            int j = 0;
            for (; j <= n - 2 * Lanes.COUNT; j += 2 * Lanes.COUNT) {
                fourByTwo(a, b, c, i, j, k);
            }
            if (j < n) {
                fourByOne(a, b, c, i, j, k);
            }
        }
    }

    private static void fourByTwo(Tile a, Tile b, Tile c, int i, int j, int k) {
        float[] x = a.data;
        float[] y = b.data;
        float[] z = c.data;
        int x0 = a.at + i * a.stride;
        int x1 = x0 + a.stride;
        int x2 = x1 + a.stride;
        int x3 = x2 + a.stride;
        int z0 = c.at + i * c.stride + j;
        int z1 = z0 + c.stride;
        int z2 = z1 + c.stride;
        int z3 = z2 + c.stride;
        FloatVector s00 = FloatVector.fromArray(Lanes.F32, z, z0);
        FloatVector s01 = FloatVector.fromArray(Lanes.F32, z, z0 + Lanes.COUNT);
        FloatVector s10 = FloatVector.fromArray(Lanes.F32, z, z1);
        FloatVector s11 = FloatVector.fromArray(Lanes.F32, z, z1 + Lanes.COUNT);
        FloatVector s20 = FloatVector.fromArray(Lanes.F32, z, z2);
        FloatVector s21 = FloatVector.fromArray(Lanes.F32, z, z2 + Lanes.COUNT);
        FloatVector s30 = FloatVector.fromArray(Lanes.F32, z, z3);
        FloatVector s31 = FloatVector.fromArray(Lanes.F32, z, z3 + Lanes.COUNT);
        int row = b.at + j;
        for (int l = 0; l < k; l++) {
            FloatVector y0 = FloatVector.fromArray(Lanes.F32, y, row);
            FloatVector y1 = FloatVector.fromArray(Lanes.F32, y, row + Lanes.COUNT);
            FloatVector v = FloatVector.broadcast(Lanes.F32, x[x0]);
            s00 = v.fma(y0, s00);
            s01 = v.fma(y1, s01);
            v = FloatVector.broadcast(Lanes.F32, x[x1]);
            s10 = v.fma(y0, s10);
            s11 = v.fma(y1, s11);
            v = FloatVector.broadcast(Lanes.F32, x[x2]);
            s20 = v.fma(y0, s20);
            s21 = v.fma(y1, s21);
            v = FloatVector.broadcast(Lanes.F32, x[x3]);
            s30 = v.fma(y0, s30);
            s31 = v.fma(y1, s31);
            row += b.stride;
            x0 += a.step;
            x1 += a.step;
            x2 += a.step;
            x3 += a.step;
        }
        s00.intoArray(z, z0);
        s01.intoArray(z, z0 + Lanes.COUNT);
        s10.intoArray(z, z1);
        s11.intoArray(z, z1 + Lanes.COUNT);
        s20.intoArray(z, z2);
        s21.intoArray(z, z2 + Lanes.COUNT);
        s30.intoArray(z, z3);
        s31.intoArray(z, z3 + Lanes.COUNT);
    }

    private static void fourByOne(Tile a, Tile b, Tile c, int i, int j, int k) {
        float[] x = a.data;
        float[] z = c.data;
        int x0 = a.at + i * a.stride;
        int z0 = c.at + i * c.stride + j;
        FloatVector s0 = FloatVector.fromArray(Lanes.F32, z, z0);
        FloatVector s1 = FloatVector.fromArray(Lanes.F32, z, z0 + c.stride);
        FloatVector s2 = FloatVector.fromArray(Lanes.F32, z, z0 + 2 * c.stride);
        FloatVector s3 = FloatVector.fromArray(Lanes.F32, z, z0 + 3 * c.stride);
        for (int l = 0; l < k; l++) {
            FloatVector y = FloatVector.fromArray(Lanes.F32, b.data, b.at + j + l * b.stride);
            s0 = FloatVector.broadcast(Lanes.F32, x[x0 + l * a.step]).fma(y, s0);
            s1 = FloatVector.broadcast(Lanes.F32, x[x0 + a.stride + l * a.step]).fma(y, s1);
            s2 = FloatVector.broadcast(Lanes.F32, x[x0 + 2 * a.stride + l * a.step])
                    .fma(y, s2);
            s3 = FloatVector.broadcast(Lanes.F32, x[x0 + 3 * a.stride + l * a.step])
                    .fma(y, s3);
        }
        s0.intoArray(z, z0);
        s1.intoArray(z, z0 + c.stride);
        s2.intoArray(z, z0 + 2 * c.stride);
        s3.intoArray(z, z0 + 3 * c.stride);
    }
}

package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Layer normalisation over the last dim (Ba, Kiros, Hinton, arXiv:1607.06450), and the residual sum before it. Mean and
 * variance in two passes over a row that lies in the cache: the variance does not cancel.
 */
public final class LayerNormKernel {
    private LayerNormKernel() {}

    /**
     * {@code y = (x - mean) · rstd · weight + bias} for a part of the rows; writes their mean and rstd.
     *
     * @param x {@code [m, C]}
     * @param y {@code [m, C]}; may be {@code x}
     * @param part rows
     */
    public static void forward(Tensor x, LayerNorm norm, Tensor y, Part part) {
        Operands operands = new Operands(norm, (int) x.shape().columns(), part.scratch());
        int n = operands.columns;
        float[] row = part.scratch().floats(0, Lanes.padded(n));
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        for (long i = part.first(); i < part.last(); i++) {
            from.read(i * n, row, 0, n);
            normalise(row, operands, i);
            to.write(row, 0, i * n, n);
        }
    }

    /**
     * {@code sum = x + residual}, rounded to its type; then {@code y} normalises exactly what {@code sum} holds, since the
     * backward pass reads that.
     *
     * @param x {@code [m, C]}
     * @param residual {@code [m, C]}
     * @param sum {@code [m, C]}; may be {@code x} or {@code residual}
     * @param y {@code [m, C]}
     * @param part rows
     */
    public static void residualForward(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y, Part part) {
        Operands operands = new Operands(norm, (int) x.shape().columns(), part.scratch());
        int n = operands.columns;
        float[] row = part.scratch().floats(0, Lanes.padded(n));
        float[] other = part.scratch().floats(1, Lanes.padded(n));
        Elements from = Elements.of(x);
        Elements branch = Elements.of(residual);
        Elements stored = Elements.of(sum);
        Elements to = Elements.of(y);
        for (long i = part.first(); i < part.last(); i++) {
            from.read(i * n, row, 0, n);
            branch.read(i * n, other, 0, n);
            ColumnSums.add(other, 0, row, n);
            stored.write(row, 0, i * n, n);
            stored.read(i * n, row, 0, n);
            normalise(row, operands, i);
            to.write(row, 0, i * n, n);
        }
    }

    /**
     * With n = (x - mean) rstd and g = dy · weight: {@code dx += rstd (g - mean(g) - n mean(g n))}, means over the row; and the
     * sums over the rows of {@code dy n} (weight, columns 0 to C) and {@code dy} (bias, columns C to 2C, both padded to whole
     * vectors: {@link #biasColumn}).
     *
     * @param dy {@code [m, C]}
     * @param x what was normalised, {@code [m, C]}
     * @param norm with mean and rstd of the forward pass
     * @param dx {@code [m, C]}; added to
     * @param sums reset to m rows and {@code 2 · biasColumn(C)} columns
     * @param part a block of {@code sums}
     */
    public static void backward(Tensor dy, Tensor x, LayerNorm norm, Tensor dx, ColumnSums sums, Part part) {
        Operands operands = new Operands(norm, (int) x.shape().columns(), part.scratch());
        int n = operands.columns;
        int padded = Lanes.padded(n);
        float[] normal = part.scratch().floats(0, padded);
        float[] g = part.scratch().floats(1, padded);
        float[] before = part.scratch().floats(4, padded);
        Elements from = Elements.of(x);
        Elements gradient = Elements.of(dy);
        Elements to = Elements.of(dx);
        for (long i = part.first(); i < part.last(); i++) {
            from.read(i * n, normal, 0, n);
            gradient.read(i * n, g, 0, n);
            to.read(i * n, before, 0, n);
            float rstd = operands.rstd.getAtIndex(JAVA_FLOAT, i);
            subtractAndScale(normal, operands.mean.getAtIndex(JAVA_FLOAT, i), rstd, padded);
            Arrays.fill(normal, n, padded, 0f);
            weigh(g, normal, operands.weight, sums.array(), sums.offset(part), padded);
            Means means = new Means(rstd, RowSums.sum(g, padded) / n, RowSums.dot(g, 0, normal, padded) / n);
            addGradient(g, normal, means, before, padded);
            to.write(before, 0, i * n, n);
        }
    }

    /** {@return the column of {@link #backward}'s sums at which those of the bias begin} */
    public static int biasColumn(int columns) {
        return Lanes.padded(columns);
    }

    /** What {@link #backward} knows of one row: {@code mean(g)} and {@code mean(g n)}. */
    private record Means(float rstd, float g, float gn) {}

    /** The parameters in F32, filled up with zeros to whole vectors, and where the rows' statistics are kept. */
    private static final class Operands {
        private final int columns;
        private final float[] weight;
        private final float[] bias;
        private final MemorySegment mean;
        private final MemorySegment rstd;
        private final float epsilon;

        Operands(LayerNorm norm, int columns, Scratch scratch) {
            this.columns = columns;
            this.weight = scratch.floats(2, Lanes.padded(columns));
            this.bias = scratch.floats(3, Lanes.padded(columns));
            this.mean = norm.mean().host();
            this.rstd = norm.rstd().host();
            this.epsilon = norm.epsilon();
            Elements.of(norm.weight()).read(0, weight, 0, columns);
            Elements.of(norm.bias()).read(0, bias, 0, columns);
        }
    }

    private static void normalise(float[] row, Operands operands, long i) {
        int n = operands.columns;
        int padded = Lanes.padded(n);
        float mean = RowSums.sum(row, padded) / n;
        subtractAndScale(row, mean, 1f, padded);
        Arrays.fill(row, n, padded, 0f); // the variance counts whole vectors
        float rstd = (float) (1 / Math.sqrt(RowSums.dot(row, 0, row, padded) / n + operands.epsilon));
        operands.mean.setAtIndex(JAVA_FLOAT, i, mean);
        operands.rstd.setAtIndex(JAVA_FLOAT, i, rstd);
        scaleAndShift(row, rstd, operands.weight, operands.bias, padded);
    }

    private static void subtractAndScale(float[] x, float mean, float scale, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.F32, x, i).sub(mean).mul(scale).intoArray(x, i);
        }
    }

    private static void scaleAndShift(float[] x, float rstd, float[] weight, float[] bias, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector normal = FloatVector.fromArray(Lanes.F32, x, i).mul(rstd);
            FloatVector b = FloatVector.fromArray(Lanes.F32, bias, i);
            normal.fma(FloatVector.fromArray(Lanes.F32, weight, i), b).intoArray(x, i);
        }
    }

    /** {@code sums += (dy n, dy)}, then {@code g = dy · weight} in place. */
    private static void weigh(float[] g, float[] normal, float[] weight, float[] sums, int at, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector dy = FloatVector.fromArray(Lanes.F32, g, i);
            FloatVector dWeight = FloatVector.fromArray(Lanes.F32, sums, at + i);
            dy.fma(FloatVector.fromArray(Lanes.F32, normal, i), dWeight).intoArray(sums, at + i);
            dy.add(FloatVector.fromArray(Lanes.F32, sums, at + n + i)).intoArray(sums, at + n + i);
            dy.mul(FloatVector.fromArray(Lanes.F32, weight, i)).intoArray(g, i);
        }
    }

    private static void addGradient(float[] g, float[] normal, Means means, float[] dx, int n) {
        FloatVector rstd = FloatVector.broadcast(Lanes.F32, means.rstd());
        FloatVector minusGn = FloatVector.broadcast(Lanes.F32, -means.gn());
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector centred = FloatVector.fromArray(Lanes.F32, g, i).sub(means.g());
            FloatVector gradient = FloatVector.fromArray(Lanes.F32, normal, i).fma(minusGn, centred);
            gradient.fma(rstd, FloatVector.fromArray(Lanes.F32, dx, i)).intoArray(dx, i);
        }
    }
}

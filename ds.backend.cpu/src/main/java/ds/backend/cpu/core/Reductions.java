package ds.backend.cpu.core;

import static jdk.incubator.vector.VectorOperators.F2D;

import ds.api.CoreKernels.Reduction;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.vector.Lanes;
import java.util.Arrays;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Kernels that make one number of many. The order of summation depends on the dims alone. */
public final class Reductions {
    /** AnyElements whose squares are summed to one number: what one call of {@link #sumOfSquares} is given. */
    public static final long BLOCK = 64 * Lanes.CHUNK;

    private static final VectorSpecies<Double> F64 = DoubleVector.SPECIES_PREFERRED;
    private static final int SUMS = 4 * F64.length(); // as many chains of additions as keep the vector units busy
    private static final long BLOCK_ROWS = 64; // summed by themselves first: shorter chains of rounding errors

    private Reductions() {}

    /** {@code y[i] = op over j of x[i, j]} for a part of the rows. */
    public static void rows(Part part, Reduction op, Tensor x, Tensor y) {
        AnyElements from = AnyElements.of(x);
        AnyElements to = AnyElements.of(y);
        long columns = x.shape().columns();
        float[] chunk = part.scratch().floats(0, Lanes.CHUNK);
        float[] result = part.scratch().floats(1, 1);
        for (long i = part.first(); i < part.last(); i++) {
            double sum = 0;
            float max = Float.NEGATIVE_INFINITY;
            for (long j = 0; j < columns; j += Lanes.CHUNK) {
                int n = (int) Math.min(Lanes.CHUNK, columns - j);
                from.read(i * columns + j, chunk, n);
                switch (op) {
                    case SUM -> sum += sum(chunk, n);
                    case MAX -> max = Math.max(max, max(chunk, n));
                }
            }
            result[0] = op == Reduction.SUM ? (float) sum : max;
            to.write(result, i, 1);
        }
    }

    private static double sum(float[] x, int n) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = 0;
        for (; i <= n - 4; i += 4) {
            a += x[i];
            b += x[i + 1];
            c += x[i + 2];
            d += x[i + 3];
        }
        for (; i < n; i++) {
            a += x[i];
        }
        return (a + b) + (c + d);
    }

    private static float max(float[] x, int n) {
        float max = x[0];
        for (int i = 1; i < n; i++) {
            max = Math.max(max, x[i]);
        }
        return max;
    }

    /** {@code y[j] = sum over i of x[i, j]}, plus what was in y[j] if {@code add}, for a part of the columns. */
    public static void columns(Part part, Tensor x, Tensor y, boolean add) {
        AnyElements from = AnyElements.of(x);
        AnyElements to = AnyElements.of(y);
        long rows = x.shape().rows();
        long columns = x.shape().columns();
        int n = (int) (part.last() - part.first());
        float[] row = part.scratch().floats(0, n);
        float[] block = part.scratch().floats(1, n);
        float[] total = part.scratch().floats(2, n);
        if (add) {
            to.read(part.first(), total, n);
        } else {
            Arrays.fill(total, 0, n, 0f);
        }
        for (long first = 0; first < rows; first += BLOCK_ROWS) {
            Arrays.fill(block, 0, n, 0f);
            for (long i = first; i < Math.min(rows, first + BLOCK_ROWS); i++) {
                from.read(i * columns + part.first(), row, n);
                add(row, block, n);
            }
            add(block, total, n);
        }
        to.write(total, part.first(), n);
    }

    static void add(float[] x, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] += x[i];
        }
    }

    /** {@return the sum of x² over a part of the elements, at most {@link #BLOCK}} */
    public static double sumOfSquares(Part part, Tensor x) {
        AnyElements from = AnyElements.of(x);
        float[] chunk = part.scratch().floats(0, Lanes.CHUNK);
        double[] sums = new double[SUMS];
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            from.read(i, chunk, n);
            Arrays.fill(chunk, n, Math.ceilDiv(n, SUMS) * SUMS, 0f);
            addSquares(chunk, n, sums);
        }
        double total = 0;
        for (double sum : sums) {
            total += sum;
        }
        return total;
    }

    /** {@code y += the sum of the first n partial sums}; y is F64, one element. */
    public static void addInOrder(double[] partial, int n, Tensor y) {
        AnyElements to = AnyElements.of(y);
        double sum = to.number(0);
        for (int i = 0; i < n; i++) {
            sum += partial[i];
        }
        to.set(0, sum);
    }

    /** {@code sums[j] += x[i]²} for j = i mod {@link #SUMS}, in F64: no square overflows or vanishes. */
    private static void addSquares(float[] x, int n, double[] sums) {
        int lanes = F64.length();
        DoubleVector s0 = DoubleVector.fromArray(F64, sums, 0);
        DoubleVector s1 = DoubleVector.fromArray(F64, sums, lanes);
        DoubleVector s2 = DoubleVector.fromArray(F64, sums, 2 * lanes);
        DoubleVector s3 = DoubleVector.fromArray(F64, sums, 3 * lanes);
        for (int i = 0; i < n; i += SUMS) {
            FloatVector first = FloatVector.fromArray(Lanes.F32, x, i);
            FloatVector second = FloatVector.fromArray(Lanes.F32, x, i + Lanes.COUNT);
            DoubleVector d0 = (DoubleVector) first.convertShape(F2D, F64, 0);
            DoubleVector d1 = (DoubleVector) first.convertShape(F2D, F64, 1);
            DoubleVector d2 = (DoubleVector) second.convertShape(F2D, F64, 0);
            DoubleVector d3 = (DoubleVector) second.convertShape(F2D, F64, 1);
            s0 = d0.fma(d0, s0);
            s1 = d1.fma(d1, s1);
            s2 = d2.fma(d2, s2);
            s3 = d3.fma(d3, s3);
        }
        s0.intoArray(sums, 0);
        s1.intoArray(sums, lanes);
        s2.intoArray(sums, 2 * lanes);
        s3.intoArray(sums, 3 * lanes);
    }
}

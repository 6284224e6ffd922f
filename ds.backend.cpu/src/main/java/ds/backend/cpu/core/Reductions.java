package ds.backend.cpu.core;

import static jdk.incubator.vector.VectorOperators.F2D;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import ds.api.CoreKernels.Reduction;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/** Kernels that make one number of many. The order of summation depends on the dims alone. */
public final class Reductions {
    /** Elements whose squares are summed to one number: what one call of {@link #sumOfSquares} is given. */
    public static final long BLOCK = 64 * Lanes.CHUNK;

    private static final VectorSpecies<Double> F64 = DoubleVector.SPECIES_PREFERRED;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final int SUMS = 2 * F64.length(); // the elements of an F32 vector
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
        double[] sums = new double[SUMS]; // of elements i mod SUMS
        long whole = part.first() + (part.last() - part.first()) / SUMS * SUMS;
        switch (x.dtype()) {
            case F32 -> addSquares(from.memory(), part.first(), whole, sums);
            case BF16 -> addSquaresOfBf16(from.memory(), part.first(), whole, sums);
            case F16, F64, I32 -> whole = part.first();
        }
        float[] chunk = part.scratch().floats(0, Lanes.CHUNK);
        for (long i = whole; i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            from.read(i, chunk, n);
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
    private static void addSquares(MemorySegment x, long first, long last, double[] sums) {
        DoubleVector lower = DoubleVector.fromArray(F64, sums, 0);
        DoubleVector upper = DoubleVector.fromArray(F64, sums, F64.length());
        for (long i = first; i < last; i += SUMS) {
            FloatVector floats = FloatVector.fromMemorySegment(Lanes.F32, x, i * Float.BYTES, ORDER);
            DoubleVector d0 = (DoubleVector) floats.convertShape(F2D, F64, 0);
            DoubleVector d1 = (DoubleVector) floats.convertShape(F2D, F64, 1);
            lower = d0.fma(d0, lower);
            upper = d1.fma(d1, upper);
        }
        lower.intoArray(sums, 0);
        upper.intoArray(sums, F64.length());
    }

    /** The same for BF16. More of it in one loop, or parts of it in methods, and the compiler makes objects of vectors. */
    private static void addSquaresOfBf16(MemorySegment x, long first, long last, double[] sums) {
        DoubleVector lower = DoubleVector.fromArray(F64, sums, 0);
        DoubleVector upper = DoubleVector.fromArray(F64, sums, F64.length());
        for (long i = first; i < last; i += SUMS) {
            ShortVector halves = ShortVector.fromMemorySegment(Lanes.I16, x, i * Short.BYTES, ORDER);
            IntVector bits = (IntVector) halves.convertShape(ZERO_EXTEND_S2I, Lanes.I32, 0);
            FloatVector floats = bits.lanewise(LSHL, Short.SIZE).reinterpretAsFloats();
            DoubleVector d0 = (DoubleVector) floats.convertShape(F2D, F64, 0);
            DoubleVector d1 = (DoubleVector) floats.convertShape(F2D, F64, 1);
            lower = d0.fma(d0, lower);
            upper = d1.fma(d1, upper);
        }
        lower.intoArray(sums, 0);
        upper.intoArray(sums, F64.length());
    }

    private static void addSquares(float[] x, int n, double[] sums) {
        for (int i = 0; i < n; i++) {
            sums[i % SUMS] += (double) x[i] * x[i];
        }
    }
}

package ds.backend.cpu.core;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Unary;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import ds.backend.cpu.vector.Lanes;
import java.util.Arrays;

/**
 * Kernels that compute each element from those at the same place. Exponentials, logarithms and tangents are Java's own: those of
 * the Vector API are others before and after they are compiled. The fused kernels, which matter, have their own too.
 */
public final class Elementwise {
    private Elementwise() {}

    /** {@code y[i] = op(x[i])} for a part of the elements. */
    public static void unary(Part part, Unary op, Tensor x, Tensor y) {
        AnyElements from = AnyElements.of(x);
        AnyElements to = AnyElements.of(y);
        float[] a = part.scratch().floats(0, Lanes.CHUNK);
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            from.read(i, a, n);
            apply(op, a, n);
            to.write(a, i, n);
        }
    }

    private static void apply(Unary op, float[] a, int n) {
        switch (op) {
            case EXP -> {
                for (int i = 0; i < n; i++) {
                    a[i] = (float) Math.exp(a[i]);
                }
            }
            case LOG -> {
                for (int i = 0; i < n; i++) {
                    a[i] = (float) Math.log(a[i]);
                }
            }
            case TANH -> {
                for (int i = 0; i < n; i++) {
                    a[i] = (float) Math.tanh(a[i]);
                }
            }
            case SQRT -> {
                for (int i = 0; i < n; i++) {
                    a[i] = (float) Math.sqrt(a[i]);
                }
            }
            case RECIPROCAL -> {
                for (int i = 0; i < n; i++) {
                    a[i] = 1 / a[i];
                }
            }
            case SQUARE -> {
                for (int i = 0; i < n; i++) {
                    a[i] *= a[i];
                }
            }
        }
    }

    /** {@code y[i] = op(a[i], b[i])} for a part of the elements. */
    public static void binary(Part part, Binary op, Tensor a, Tensor b, Tensor y) {
        AnyElements left = AnyElements.of(a);
        AnyElements right = AnyElements.of(b);
        AnyElements to = AnyElements.of(y);
        float[] p = part.scratch().floats(0, Lanes.CHUNK);
        float[] q = part.scratch().floats(1, Lanes.CHUNK);
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            left.read(i, p, n);
            right.read(i, q, n);
            apply(op, p, q, n);
            to.write(p, i, n);
        }
    }

    /**
     * {@code y[i, :] = op(a[i, :], b)} for a part of the rows, where b is repeated.
     *
     * @param broadcast any but {@link Broadcast#NONE}
     */
    public static void binaryRepeated(Part part, Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        AnyElements left = AnyElements.of(a);
        AnyElements right = AnyElements.of(b);
        AnyElements to = AnyElements.of(y);
        long columns = a.shape().columns();
        float[] p = part.scratch().floats(0, Lanes.CHUNK);
        float[] q = part.scratch().floats(1, Lanes.CHUNK);
        for (long i = part.first(); i < part.last(); i++) {
            if (broadcast != Broadcast.ROW) {
                right.read(broadcast == Broadcast.COLUMN ? i : 0, q, 1);
                Arrays.fill(q, 0, (int) Math.min(Lanes.CHUNK, columns), q[0]);
            }
            for (long j = 0; j < columns; j += Lanes.CHUNK) {
                int n = (int) Math.min(Lanes.CHUNK, columns - j);
                left.read(i * columns + j, p, n);
                if (broadcast == Broadcast.ROW) {
                    right.read(j, q, n);
                }
                apply(op, p, q, n);
                to.write(p, i * columns + j, n);
            }
        }
    }

    private static void apply(Binary op, float[] a, float[] b, int n) {
        switch (op) {
            case ADD -> {
                for (int i = 0; i < n; i++) {
                    a[i] += b[i];
                }
            }
            case SUBTRACT -> {
                for (int i = 0; i < n; i++) {
                    a[i] -= b[i];
                }
            }
            case MULTIPLY -> {
                for (int i = 0; i < n; i++) {
                    a[i] *= b[i];
                }
            }
            case DIVIDE -> {
                for (int i = 0; i < n; i++) {
                    a[i] /= b[i];
                }
            }
            case MAX -> {
                for (int i = 0; i < n; i++) {
                    a[i] = Math.max(a[i], b[i]);
                }
            }
            case GREATER_EQUAL -> {
                for (int i = 0; i < n; i++) {
                    a[i] = a[i] >= b[i] ? 1 : 0;
                }
            }
        }
    }

    /** {@code y[i] = alpha · x[i] + beta · y[i]} for a part of the elements. */
    public static void axpby(Part part, double alpha, Tensor x, double beta, Tensor y) {
        if (alpha == 1 && beta == 0) {
            Copies.copy(part, x, y);
            return;
        }
        AnyElements from = AnyElements.of(x);
        AnyElements to = AnyElements.of(y);
        Scratch scratch = part.scratch();
        float[] p = scratch.floats(0, Lanes.CHUNK);
        float[] q = scratch.floats(1, Lanes.CHUNK);
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            from.read(i, p, n);
            if (beta == 0) {
                scale((float) alpha, p, n);
            } else {
                to.read(i, q, n);
                scaleAndAdd((float) alpha, p, (float) beta, q, n);
            }
            to.write(p, i, n);
        }
    }

    private static void scale(float alpha, float[] x, int n) {
        for (int i = 0; i < n; i++) {
            x[i] *= alpha;
        }
    }

    private static void scaleAndAdd(float alpha, float[] x, float beta, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            x[i] = alpha * x[i] + beta * y[i];
        }
    }
}

package ds.backend.cpu.vector;

import static jdk.incubator.vector.VectorOperators.EQ;

import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import jdk.incubator.vector.FloatVector;

/**
 * GELU in its tanh form (Hendrycks &amp; Gimpel, arXiv:1606.08415) after adding a bias. Since {@code 0.5 (1 + tanh z)} is the
 * logistic function of 2z,
 *
 * <pre>
 * s     = 1 / (1 + exp(-2 sqrt(2 / pi) (u + 0.044715 u³)))
 * gelu  = u s
 * gelu' = s + u s (1 - s) 2 sqrt(2 / pi) (1 + 3 · 0.044715 u²)
 * </pre>
 *
 * which costs one exponential and one division and does not cancel for negative u. Errors, in F32: at most
 * 2^-23 |u| for GELU and 2^-22 for its derivative.
 */
public final class GeluKernel {
    private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
    private static final float LINEAR = (float) (2 * SQRT_2_OVER_PI);
    private static final float CUBIC = (float) (2 * SQRT_2_OVER_PI * 0.044715);

    private GeluKernel() {}

    /**
     * {@code y = gelu(x + bias)} for a part of the rows.
     *
     * @param x {@code [m, n]}
     * @param bias {@code [n]}
     * @param y {@code [m, n]}; may be {@code x}
     * @param part rows
     */
    public static void forward(Tensor x, Tensor bias, Tensor y, Part part) {
        int n = (int) x.shape().columns();
        float[] b = part.scratch().floats(0, Lanes.padded(n));
        float[] u = part.scratch().floats(1, Lanes.CHUNK);
        Elements.of(bias).read(0, b, 0, n);
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        for (long row = part.first(); row < part.last(); row++) {
            for (int j = 0; j < n; j += Lanes.CHUNK) {
                int count = Math.min(Lanes.CHUNK, n - j);
                from.read(row * n + j, u, 0, count);
                gelu(u, b, j, Lanes.padded(count));
                to.write(u, 0, row * n + j, count);
            }
        }
    }

    /**
     * {@code dx = dy · gelu'(x + bias)} for one block of rows, and the sums of dx over them.
     *
     * @param dy {@code [m, n]}
     * @param x as in the forward pass
     * @param bias as in the forward pass
     * @param dx {@code [m, n]}; may be {@code dy}
     * @param sums reset to m rows and n columns
     * @param part a block of {@code sums}
     */
    public static void backward(Tensor dy, Tensor x, Tensor bias, Tensor dx, ColumnSums sums, Part part) {
        int n = (int) x.shape().columns();
        float[] b = part.scratch().floats(0, Lanes.padded(n));
        float[] u = part.scratch().floats(1, Lanes.CHUNK);
        float[] d = part.scratch().floats(2, Lanes.CHUNK);
        Elements.of(bias).read(0, b, 0, n);
        Elements from = Elements.of(x);
        Elements gradient = Elements.of(dy);
        Elements to = Elements.of(dx);
        for (long row = part.first(); row < part.last(); row++) {
            for (int j = 0; j < n; j += Lanes.CHUNK) {
                int count = Math.min(Lanes.CHUNK, n - j);
                from.read(row * n + j, u, 0, count);
                gradient.read(row * n + j, d, 0, count);
                add(b, j, u, Lanes.padded(count));
                multiply(u, d, sums.array(), sums.offset(part) + j, Lanes.padded(count));
                to.write(d, 0, row * n + j, count);
            }
        }
    }

    /** {@code u = gelu(u + bias[at ..])}. */
    private static void gelu(float[] u, float[] bias, int at, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector v = FloatVector.fromArray(Lanes.F32, u, i).add(FloatVector.fromArray(Lanes.F32, bias, at + i));
            v.div(exponential(v).add(1f)).intoArray(u, i);
        }
    }

    private static void add(float[] bias, int at, float[] u, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector b = FloatVector.fromArray(Lanes.F32, bias, at + i);
            FloatVector.fromArray(Lanes.F32, u, i).add(b).intoArray(u, i);
        }
    }

    /** {@code d *= gelu'(u)}, and {@code sums[at ..] += d}. For {@code 1 - s}, which would cancel, it takes {@code e s}. */
    private static void multiply(float[] u, float[] d, float[] sums, int at, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector v = FloatVector.fromArray(Lanes.F32, u, i);
            FloatVector e = exponential(v);
            FloatVector s = FloatVector.broadcast(Lanes.F32, 1f).div(e.add(1f));
            FloatVector rest =
                    e.blend(0f, e.compare(EQ, Float.POSITIVE_INFINITY)).mul(s); // s is 0 then
            FloatVector linear = FloatVector.broadcast(Lanes.F32, LINEAR);
            FloatVector inner = v.mul(v).fma(FloatVector.broadcast(Lanes.F32, 3 * CUBIC), linear);
            FloatVector slope = v.mul(inner).mul(rest).fma(s, s);
            FloatVector result = FloatVector.fromArray(Lanes.F32, d, i).mul(slope);
            result.intoArray(d, i);
            result.add(FloatVector.fromArray(Lanes.F32, sums, at + i)).intoArray(sums, at + i);
        }
    }

    /** {@return exp(-2 sqrt(2 / pi) (u + 0.044715 u³))} */
    private static FloatVector exponential(FloatVector u) {
        FloatVector linear = FloatVector.broadcast(Lanes.F32, -LINEAR);
        return Exponential.of(
                u.mul(u).fma(FloatVector.broadcast(Lanes.F32, -CUBIC), linear).mul(u));
    }
}

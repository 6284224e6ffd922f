package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Softmax cross-entropy and its gradient. A row of logits is read once, brought to {@code exp(x - max)} in the thread's
 * scratch, and written once as {@code (softmax - one-hot) · gradientScale}. The loss is {@code log(sum) + max - x[target]};
 * a NaN among the logits makes loss and gradient NaN.
 */
public final class CrossEntropyKernel {
    private CrossEntropyKernel() {}

    /**
     * The losses of a part of the rows, and the gradient in place of the logits unless {@code gradientScale} is 0.
     *
     * @param logits {@code [m, at least V]}; columns from V on are ignored, and their gradient is 0
     * @param targets I32 {@code [m]}
     * @param vocabulary V
     * @param losses F32 {@code [m]}
     * @param part rows
     * @throws IllegalArgumentException if a target is not in [0, V)
     */
    public static void run(
            Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses, Part part) {
        int columns = (int) logits.shape().columns();
        int v = (int) vocabulary;
        float[] row = part.scratch().floats(0, Lanes.padded(columns));
        Elements elements = Elements.of(logits);
        MemorySegment target = targets.host();
        MemorySegment loss = losses.host();
        for (long i = part.first(); i < part.last(); i++) {
            int t = target.getAtIndex(JAVA_INT, i);
            if (t < 0 || t >= v) {
                throw new IllegalArgumentException("target " + t + " in row " + i + " is not in [0, " + v + ")");
            }
            elements.read(i * columns, row, 0, v);
            Arrays.fill(row, v, Lanes.padded(v), Float.NEGATIVE_INFINITY);
            float logit = row[t];
            float max = RowSums.max(row, 0, Lanes.padded(v));
            float sum = Exponential.run(row, 0, Lanes.padded(v), max);
            loss.setAtIndex(JAVA_FLOAT, i, (float) (Math.log(sum) + ((double) max - logit)));
            if (gradientScale != 0) {
                scale(row, (float) (gradientScale / sum), Lanes.padded(v));
                row[t] -= (float) gradientScale;
                Arrays.fill(row, v, columns, 0f);
                elements.write(row, 0, i * columns, columns);
            }
        }
    }

    /**
     * {@code x[i, :] = exp(x[i, :] - logSumExp[i]) · scale} for a part of the rows.
     *
     * @param x {@code [m, n]}
     * @param logSumExp F32 {@code [m]}
     * @param part rows
     */
    public static void softmax(Tensor x, Tensor logSumExp, double scale, Part part) {
        int n = (int) x.shape().columns();
        float[] row = part.scratch().floats(0, Lanes.padded(n));
        Elements elements = Elements.of(x);
        MemorySegment shift = logSumExp.host();
        for (long i = part.first(); i < part.last(); i++) {
            elements.read(i * n, row, 0, n);
            Exponential.run(row, 0, Lanes.padded(n), shift.getAtIndex(JAVA_FLOAT, i));
            scale(row, (float) scale, Lanes.padded(n));
            elements.write(row, 0, i * n, n);
        }
    }

    private static void scale(float[] x, float factor, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.F32, x, i).mul(factor).intoArray(x, i);
        }
    }
}

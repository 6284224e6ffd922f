package ds.backend.cpu.vector;

import ds.api.Adam;
import ds.api.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * One step of Adam (Kingma &amp; Ba, arXiv:1412.6980) or AdamW (Loshchilov &amp; Hutter, arXiv:1711.05101) on F32 elements:
 *
 * <pre>
 * g = gradientScale · gradient  (+ weightDecay · w, unless decoupled)
 * m = beta1 m + (1 - beta1) g
 * v = beta2 v + (1 - beta2) g²
 * w = keep w - rate m / (sqrt(v / (1 - beta2^t)) + epsilon)
 * </pre>
 *
 * with {@code rate = learningRate / (1 - beta1^t)} and {@code keep = 1 - learningRate · weightDecay} if decoupled, else 1. It
 * moves 28 bytes per element: the memory's bandwidth is the limit. Each element is computed alike, wherever it lies, so that
 * any sharding gives the same bits. Factors are computed in double: {@code 1 - beta^t} cancels in F32 for small t, and
 * {@code 1 - beta2} for the usual beta2.
 */
public final class AdamKernel {
    private AdamKernel() {}

    /**
     * One step on a part of the elements.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param firstMoment F32 {@code [n]}; overwritten
     * @param secondMoment F32 {@code [n]}; overwritten
     * @param part elements
     */
    public static void step(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Part part) {
        Factors factors = new Factors(adam);
        Elements[] tensors = {
            Elements.of(weights), Elements.of(firstMoment), Elements.of(secondMoment), Elements.of(gradient)
        };
        float[][] arrays = new float[tensors.length][];
        for (int k = 0; k < arrays.length; k++) {
            arrays[k] = part.scratch().floats(k, Lanes.CHUNK);
        }
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            for (int k = 0; k < arrays.length; k++) {
                tensors[k].read(i, arrays[k], 0, n);
            }
            moments(factors, arrays[0], arrays[3], arrays[1], arrays[2], Lanes.padded(n));
            update(factors, arrays[0], arrays[1], arrays[2], Lanes.padded(n));
            for (int k = 0; k < 3; k++) {
                tensors[k].write(arrays[k], 0, i, n);
            }
        }
    }

    private static void moments(Factors c, float[] w, float[] g, float[] m, float[] v, int n) {
        FloatVector beta1 = FloatVector.broadcast(Lanes.F32, c.beta1);
        FloatVector beta2 = FloatVector.broadcast(Lanes.F32, c.beta2);
        FloatVector decay = FloatVector.broadcast(Lanes.F32, c.decay);
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector scaled = FloatVector.fromArray(Lanes.F32, g, i).mul(c.scale);
            FloatVector gradient = FloatVector.fromArray(Lanes.F32, w, i).fma(decay, scaled);
            FloatVector part = gradient.mul(c.rest1);
            FloatVector.fromArray(Lanes.F32, m, i).fma(beta1, part).intoArray(m, i);
            FloatVector square = gradient.mul(gradient).mul(c.rest2);
            FloatVector.fromArray(Lanes.F32, v, i).fma(beta2, square).intoArray(v, i);
        }
    }

    private static void update(Factors c, float[] w, float[] m, float[] v, int n) {
        FloatVector rate = FloatVector.broadcast(Lanes.F32, -c.rate);
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector root =
                    FloatVector.fromArray(Lanes.F32, v, i).mul(c.vScale).sqrt();
            FloatVector direction = FloatVector.fromArray(Lanes.F32, m, i).div(root.add(c.epsilon));
            FloatVector kept = FloatVector.fromArray(Lanes.F32, w, i).mul(c.keep);
            direction.fma(rate, kept).intoArray(w, i);
        }
    }

    /** What {@link Adam} says, as the loops need it. */
    private static final class Factors {
        private final float scale;
        private final float decay;
        private final float keep;
        private final float beta1;
        private final float beta2;
        private final float rest1;
        private final float rest2;
        private final float rate;
        private final float vScale;
        private final float epsilon;

        Factors(Adam adam) {
            double mCorrection = adam.biasCorrection() ? 1 - Math.pow(adam.beta1(), adam.step()) : 1;
            double vCorrection = adam.biasCorrection() ? 1 - Math.pow(adam.beta2(), adam.step()) : 1;
            scale = (float) adam.gradientScale();
            decay = adam.decoupled() ? 0f : (float) adam.weightDecay();
            keep = adam.decoupled() ? (float) (1 - adam.learningRate() * adam.weightDecay()) : 1f;
            beta1 = (float) adam.beta1();
            beta2 = (float) adam.beta2();
            rest1 = (float) (1 - adam.beta1());
            rest2 = (float) (1 - adam.beta2());
            rate = (float) (adam.learningRate() / mCorrection);
            vScale = (float) (1 / vCorrection);
            epsilon = (float) adam.epsilon();
        }
    }
}

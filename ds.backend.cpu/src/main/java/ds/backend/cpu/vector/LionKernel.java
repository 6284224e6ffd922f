package ds.backend.cpu.vector;

import ds.api.Lion;
import ds.api.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One step of Lion (Chen et al., arXiv:2302.06675, Algorithm 2) on F32 elements:
 *
 * <pre>
 * g = gradientScale · gradient
 * w = (1 - learningRate · weightDecay) w - learningRate sign(beta1 m + (1 - beta1) g)
 * m = beta2 m + (1 - beta2) g
 * </pre>
 *
 * with {@code sign(0) = 0}. It moves 20 bytes per element. Any sharding gives the same bits.
 */
public final class LionKernel {
    private LionKernel() {}

    /**
     * One step on a part of the elements.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param momentum F32 {@code [n]}; overwritten
     * @param part elements
     */
    public static void step(Lion lion, Tensor weights, Tensor gradient, Tensor momentum, Part part) {
        float scale1 = (float) ((1 - lion.beta1()) * lion.gradientScale());
        float scale2 = (float) ((1 - lion.beta2()) * lion.gradientScale());
        float beta1 = (float) lion.beta1();
        float beta2 = (float) lion.beta2();
        float rate = (float) -lion.learningRate();
        float keep = (float) (1 - lion.learningRate() * lion.weightDecay());
        ElementChunks.run(part, 2, new Tensor[] {weights, momentum, gradient}, (x, n) -> {
            for (int i = 0; i < n; i += Lanes.COUNT) {
                FloatVector w = FloatVector.fromArray(Lanes.F32, x[0], i);
                FloatVector m = FloatVector.fromArray(Lanes.F32, x[1], i);
                FloatVector g = FloatVector.fromArray(Lanes.F32, x[2], i);
                FloatVector sign = sign(m.mul(beta1).add(g.mul(scale1)));
                sign.mul(rate).add(w.mul(keep)).intoArray(x[0], i);
                m.mul(beta2).add(g.mul(scale2)).intoArray(x[1], i);
            }
        });
    }

    /** NaN stays NaN: {@code c - c} is zero elsewhere. */
    private static FloatVector sign(FloatVector c) {
        FloatVector zero = c.sub(c);
        return zero.add(1f, c.compare(VectorOperators.GT, 0f)).sub(1f, c.compare(VectorOperators.LT, 0f));
    }
}

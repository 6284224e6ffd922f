package ds.backend.cpu.vector;

import ds.api.Lamb;
import ds.api.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * The elementwise part of LAMB (You et al., arXiv:1904.00962, Algorithm 2) on F32 elements:
 *
 * <pre>
 * g = gradientScale · gradient
 * m = beta1 m + (1 - beta1) g
 * v = beta2 v + (1 - beta2) g²
 * u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weightDecay · w
 * </pre>
 *
 * Any sharding gives the same bits.
 */
public final class LambKernel {
    private LambKernel() {}

    /**
     * The moments of a part of the elements.
     *
     * @param gradient F32 {@code [n]}
     * @param first F32 {@code [n]}; overwritten
     * @param second F32 {@code [n]}; overwritten
     * @param part elements
     */
    public static void moments(Lamb lamb, Tensor gradient, Tensor first, Tensor second, Part part) {
        float scale = (float) lamb.gradientScale();
        float beta1 = (float) lamb.beta1();
        float beta2 = (float) lamb.beta2();
        float rest1 = (float) (1 - lamb.beta1());
        float rest2 = (float) (1 - lamb.beta2());
        ElementChunks.run(part, 2, new Tensor[] {first, second, gradient}, (x, n) -> {
            for (int i = 0; i < n; i += Lanes.COUNT) {
                FloatVector g = FloatVector.fromArray(Lanes.F32, x[2], i).mul(scale);
                FloatVector m = FloatVector.fromArray(Lanes.F32, x[0], i);
                m.mul(beta1).add(g.mul(rest1)).intoArray(x[0], i);
                FloatVector v = FloatVector.fromArray(Lanes.F32, x[1], i);
                v.mul(beta2).add(g.mul(g).mul(rest2)).intoArray(x[1], i);
            }
        });
    }

    /**
     * The direction of a part of the elements.
     *
     * @param tensors weights, first and second moments, each F32 {@code [n]}
     * @param direction F32 {@code [n]}; overwritten
     * @param part elements
     */
    public static void direction(Lamb lamb, Inputs tensors, Tensor direction, Part part) {
        float mScale = (float) lamb.firstCorrection();
        float vScale = (float) lamb.secondCorrection();
        float inside = lamb.epsilonInRoot() ? (float) lamb.epsilon() : 0;
        float outside = lamb.epsilonInRoot() ? 0 : (float) lamb.epsilon();
        float decay = (float) lamb.weightDecay();
        Tensor[] all = {direction, tensors.weights(), tensors.first(), tensors.second()};
        ElementChunks.run(part, 1, all, (x, n) -> {
            for (int i = 0; i < n; i += Lanes.COUNT) {
                FloatVector v = FloatVector.fromArray(Lanes.F32, x[3], i);
                FloatVector root = v.mul(vScale).add(inside).sqrt().add(outside);
                FloatVector m = FloatVector.fromArray(Lanes.F32, x[2], i);
                FloatVector w = FloatVector.fromArray(Lanes.F32, x[1], i);
                m.div(root).mul(mScale).add(w.mul(decay)).intoArray(x[0], i);
            }
        });
    }

    /**
     * What a direction is computed from.
     *
     * @param weights F32 {@code [n]}
     * @param first F32 {@code [n]}
     * @param second F32 {@code [n]}
     */
    public record Inputs(Tensor weights, Tensor first, Tensor second) {}
}

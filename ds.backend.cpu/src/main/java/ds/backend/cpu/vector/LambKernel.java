package ds.backend.cpu.vector;

import ds.api.Lamb;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
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
        FlatVectors.run(part, 2, new Tensor[] {first, second, gradient}, (x, from, bytes) -> {
            MemorySegment momentsAt = x[0];
            MemorySegment squaresAt = x[1];
            MemorySegment gradientsAt = x[2];
            for (int i = 0; i < bytes; i += FlatVectors.VECTOR_BYTES) {
                long at = from + i;
                FloatVector g = FlatVectors.load(gradientsAt, at).mul(scale);
                FloatVector m = FlatVectors.load(momentsAt, at);
                FlatVectors.store(m.mul(beta1).add(g.mul(rest1)), momentsAt, at);
                FloatVector v = FlatVectors.load(squaresAt, at);
                FlatVectors.store(v.mul(beta2).add(g.mul(g).mul(rest2)), squaresAt, at);
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
        FlatVectors.run(part, 1, all, (x, from, bytes) -> {
            MemorySegment directionsAt = x[0];
            MemorySegment weightsAt = x[1];
            MemorySegment momentsAt = x[2];
            MemorySegment squaresAt = x[3];
            for (int i = 0; i < bytes; i += FlatVectors.VECTOR_BYTES) {
                long at = from + i;
                FloatVector v = FlatVectors.load(squaresAt, at);
                FloatVector root = v.mul(vScale).add(inside).sqrt().add(outside);
                FloatVector m = FlatVectors.load(momentsAt, at);
                FloatVector w = FlatVectors.load(weightsAt, at);
                FlatVectors.store(m.div(root).mul(mScale).add(w.mul(decay)), directionsAt, at);
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

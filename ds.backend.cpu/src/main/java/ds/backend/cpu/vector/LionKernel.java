package ds.backend.cpu.vector;

import ds.api.Lion;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
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
        FlatVectors.run(part, 2, new Tensor[] {weights, momentum, gradient}, (x, from, bytes) -> {
            MemorySegment weightsAt = x[0];
            MemorySegment momentsAt = x[1];
            MemorySegment gradientsAt = x[2];
            for (int i = 0; i < bytes; i += FlatVectors.VECTOR_BYTES) {
                long at = from + i;
                FloatVector w = FlatVectors.load(weightsAt, at);
                FloatVector m = FlatVectors.load(momentsAt, at);
                FloatVector g = FlatVectors.load(gradientsAt, at);
                FloatVector sign = sign(m.mul(beta1).add(g.mul(scale1)));
                FlatVectors.store(sign.mul(rate).add(w.mul(keep)), weightsAt, at);
                FlatVectors.store(m.mul(beta2).add(g.mul(scale2)), momentsAt, at);
            }
        });
    }

    /** NaN stays NaN: {@code c - c} is zero elsewhere. */
    private static FloatVector sign(FloatVector c) {
        FloatVector zero = c.sub(c);
        return zero.add(1f, c.compare(VectorOperators.GT, 0f)).sub(1f, c.compare(VectorOperators.LT, 0f));
    }
}

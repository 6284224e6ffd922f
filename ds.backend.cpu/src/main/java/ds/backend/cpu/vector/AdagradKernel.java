package ds.backend.cpu.vector;

import ds.api.Adagrad;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * One step of Adagrad (Duchi, Hazan &amp; Singer, JMLR 12, 2011) on F32 elements, as in PyTorch:
 *
 * <pre>
 * g = gradientScale · gradient + weightDecay · w
 * s = s + g²
 * w = w - learningRate g / (sqrt(s) + epsilon)
 * </pre>
 *
 * It moves 20 bytes per element. Any sharding gives the same bits.
 */
public final class AdagradKernel {
    private AdagradKernel() {}

    /**
     * One step on a part of the elements.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param squares F32 {@code [n]}; overwritten
     * @param part elements
     */
    public static void step(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares, Part part) {
        float scale = (float) adagrad.gradientScale();
        float decay = (float) adagrad.weightDecay();
        float epsilon = (float) adagrad.epsilon();
        float rate = (float) -adagrad.learningRate();
        FlatVectors.run(part, 2, new Tensor[] {weights, squares, gradient}, (x, from, bytes) -> {
            MemorySegment weightsAt = x[0];
            MemorySegment sumsAt = x[1];
            MemorySegment gradientsAt = x[2];
            for (int i = 0; i < bytes; i += FlatVectors.VECTOR_BYTES) {
                long at = from + i;
                FloatVector w = FlatVectors.load(weightsAt, at);
                FloatVector s = FlatVectors.load(sumsAt, at);
                FloatVector g = FlatVectors.load(gradientsAt, at).mul(scale).add(w.mul(decay));
                FloatVector sum = s.add(g.mul(g));
                FlatVectors.store(sum, sumsAt, at);
                FlatVectors.store(g.div(sum.sqrt().add(epsilon)).mul(rate).add(w), weightsAt, at);
            }
        });
    }
}

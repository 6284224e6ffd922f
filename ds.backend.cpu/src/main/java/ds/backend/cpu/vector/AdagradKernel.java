package ds.backend.cpu.vector;

import ds.api.Adagrad;
import ds.api.Tensor;
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
        ElementChunks.run(part, 2, new Tensor[] {weights, squares, gradient}, (x, n) -> {
            for (int i = 0; i < n; i += Lanes.COUNT) {
                FloatVector w = FloatVector.fromArray(Lanes.F32, x[0], i);
                FloatVector s = FloatVector.fromArray(Lanes.F32, x[1], i);
                FloatVector g =
                        FloatVector.fromArray(Lanes.F32, x[2], i).mul(scale).add(w.mul(decay));
                FloatVector sum = s.add(g.mul(g));
                sum.intoArray(x[1], i);
                g.div(sum.sqrt().add(epsilon)).mul(rate).add(w).intoArray(x[0], i);
            }
        });
    }
}

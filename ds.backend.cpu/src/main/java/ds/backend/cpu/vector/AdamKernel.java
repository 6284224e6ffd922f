package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import ds.api.Adam;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
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
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final int VECTOR_BYTES = Lanes.COUNT * Float.BYTES;

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
        long whole = part.first() + Lanes.F32.loopBound(part.last() - part.first());
        MemorySegment w = weights.host();
        MemorySegment g = gradient.host();
        MemorySegment m = firstMoment.host();
        MemorySegment v = secondMoment.host();
        for (long i = part.first(); i < whole; i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, whole - i);
            vectors(factors, w, g, m, v, i * Float.BYTES, n * Float.BYTES);
        }
        for (long i = whole; i < part.last(); i++) {
            element(factors, w, g, m, v, i);
        }
    }

    /** Whole vectors, straight from memory to memory. */
    private static void vectors(
            Factors c,
            MemorySegment weights,
            MemorySegment gradients,
            MemorySegment moments,
            MemorySegment squares,
            long first,
            int bytes) {
        FloatVector beta1 = FloatVector.broadcast(Lanes.F32, c.beta1);
        FloatVector beta2 = FloatVector.broadcast(Lanes.F32, c.beta2);
        FloatVector decay = FloatVector.broadcast(Lanes.F32, c.decay);
        FloatVector rate = FloatVector.broadcast(Lanes.F32, -c.rate);
        for (int i = 0; i < bytes; i += VECTOR_BYTES) {
            long at = first + i;
            FloatVector w = FloatVector.fromMemorySegment(Lanes.F32, weights, at, ORDER);
            FloatVector g = FloatVector.fromMemorySegment(Lanes.F32, gradients, at, ORDER);
            FloatVector m = FloatVector.fromMemorySegment(Lanes.F32, moments, at, ORDER);
            FloatVector v = FloatVector.fromMemorySegment(Lanes.F32, squares, at, ORDER);
            FloatVector gradient = w.fma(decay, g.mul(c.scale));
            FloatVector moment = m.fma(beta1, gradient.mul(c.rest1));
            FloatVector square = v.fma(beta2, gradient.mul(gradient).mul(c.rest2));
            FloatVector direction = moment.div(square.mul(c.vScale).sqrt().add(c.epsilon));
            moment.intoMemorySegment(moments, at, ORDER);
            square.intoMemorySegment(squares, at, ORDER);
            direction.fma(rate, w.mul(c.keep)).intoMemorySegment(weights, at, ORDER);
        }
    }

    /** One element, of those that fill no vector: the same operations, and so the same bits. */
    private static void element(
            Factors c,
            MemorySegment weights,
            MemorySegment gradients,
            MemorySegment moments,
            MemorySegment squares,
            long i) {
        float w = weights.getAtIndex(JAVA_FLOAT_UNALIGNED, i);
        float gradient = Math.fma(w, c.decay, gradients.getAtIndex(JAVA_FLOAT_UNALIGNED, i) * c.scale);
        float moment = Math.fma(moments.getAtIndex(JAVA_FLOAT_UNALIGNED, i), c.beta1, gradient * c.rest1);
        float square = Math.fma(squares.getAtIndex(JAVA_FLOAT_UNALIGNED, i), c.beta2, gradient * gradient * c.rest2);
        float direction = moment / ((float) Math.sqrt(square * c.vScale) + c.epsilon);
        moments.setAtIndex(JAVA_FLOAT_UNALIGNED, i, moment);
        squares.setAtIndex(JAVA_FLOAT_UNALIGNED, i, square);
        weights.setAtIndex(JAVA_FLOAT_UNALIGNED, i, Math.fma(direction, -c.rate, w * c.keep));
    }

    /** What {@link Adam} says, as the loops need it. */
    static final class Factors {
        final float scale;
        final float decay;
        final float keep;
        final float beta1;
        final float beta2;
        final float rest1;
        final float rest2;
        final float rate;
        final float vScale;
        final float epsilon;

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

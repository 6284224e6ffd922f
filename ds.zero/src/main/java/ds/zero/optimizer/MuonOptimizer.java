package ds.zero.optimizer;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Unary;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.MatrixOptimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/**
 * Muon (Jordan et al., 2024): momentum on hidden matrices, orthogonalised by five steps of a Newton–Schulz iteration; AdamW for
 * all other parameters. Momentum takes gradients that are already averaged, unscaled and clipped. The scale is that of the
 * original, {@code sqrt(max(1, rows / columns))} of the matrix as it is stored.
 *
 * <p>A matrix keeps its momentum in {@code exp_avg}; its {@code exp_avg_sq} stays zero.
 */
final class MuonOptimizer implements MatrixOptimizer {
    private static final int ITERATIONS = 5;
    private static final double A = 3.4445;
    private static final double B = -4.7750;
    private static final double C = 2.0315;
    private static final double EPSILON = 1e-7;

    /** Elements before the matrices in scratch: two scalars, and what brings the rest to a cache line. */
    private static final long HEAD = 16;

    private final OptimizerConfig.Muon config;
    private final AdamOptimizer others;

    MuonOptimizer(OptimizerConfig.Muon config) {
        this.config = config;
        this.others = new AdamOptimizer(config.others());
    }

    @Override
    public List<String> states() {
        return others.states();
    }

    /** AdamW, at its own rate, which follows the schedule in proportion. */
    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        double rate = step.learningRate() * (config.others().learningRate() / config.learningRate());
        Step own = new Step(step.number(), rate, step.weightDecay(), step.gradientScale(), step.momentum());
        others.update(kernels, shard, own);
    }

    @Override
    public boolean transforms(Shape shape, boolean hidden) {
        return hidden && shape.dimCount() == 2;
    }

    /** Nesterov's form: {@code m = beta m + (1 - beta) g}, direction {@code (1 - beta) g + beta m}. */
    @Override
    public void direction(Kernels kernels, Shard shard, Step step, Tensor direction) {
        double beta = step.momentumOr(config.momentum());
        double taken = (1 - beta) * step.gradientScale();
        Tensor momentum = shard.states().getFirst();
        kernels.axpby(taken, shard.gradient(), beta, momentum);
        kernels.axpby(taken, shard.gradient(), 0, direction);
        kernels.axpby(beta, momentum, 1, direction);
    }

    @Override
    public long scratchElements(Shape matrix) {
        long side = Math.min(matrix.rows(), matrix.columns());
        return 2 * side * side + matrix.elements() + HEAD;
    }

    @Override
    public void transform(Kernels kernels, Tensor matrix, Scratch scratch) {
        normalise(kernels, matrix, scratch);
        Iteration iteration = new Iteration(kernels, matrix, scratch.elements());
        Tensor x = matrix;
        Tensor next = iteration.next;
        for (int i = 0; i < ITERATIONS; i++) {
            iteration.run(x, next);
            Tensor free = x;
            x = next;
            next = free;
        }
        double tall = (double) matrix.shape().rows() / matrix.shape().columns();
        kernels.axpby(Math.sqrt(Math.max(1, tall)), x, 0, matrix);
    }

    /** Divides a matrix by its Frobenius norm, so that no singular value exceeds 1. */
    private static void normalise(Kernels kernels, Tensor matrix, Scratch scratch) {
        Tensor norm = scratch.elements().slice(0, 1);
        Tensor epsilon = scratch.elements().slice(1, 1);
        kernels.fill(scratch.sum(), 0);
        kernels.sumOfSquares(matrix, scratch.sum());
        kernels.unary(Unary.SQRT, scratch.sum(), norm);
        kernels.fill(epsilon, EPSILON);
        kernels.axpby(1, epsilon, 1, norm);
        kernels.binary(Binary.DIVIDE, matrix, norm, Broadcast.SCALAR, matrix);
    }

    @Override
    public void apply(Kernels kernels, Tensor weights, Tensor direction, Step step) {
        kernels.axpby(-step.learningRate(), direction, 1 - step.learningRate() * step.weightDecay(), weights);
    }

    /** {@code X = a X + (b G + c G²) X} with {@code G = X Xᵀ}, or mirrored where that is the smaller product. */
    private static final class Iteration {
        private final Kernels kernels;
        private final boolean tall;
        private final Tensor gram;
        private final Tensor polynomial;
        private final Tensor next;

        Iteration(Kernels kernels, Tensor matrix, Tensor scratch) {
            long rows = matrix.shape().rows();
            long columns = matrix.shape().columns();
            long side = Math.min(rows, columns);
            this.kernels = kernels;
            this.tall = rows > columns;
            this.next = scratch.slice(HEAD, rows, columns);
            this.gram = scratch.slice(HEAD + rows * columns, side, side);
            this.polynomial = scratch.slice(HEAD + rows * columns + side * side, side, side);
        }

        void run(Tensor x, Tensor y) {
            Operand plain = Operand.of(x);
            Operand transposed = Operand.transposed(x);
            kernels.matmul(tall ? transposed : plain, tall ? plain : transposed, gram, 0);
            kernels.matmul(Operand.of(gram), Operand.of(gram), polynomial, 0);
            kernels.axpby(B, gram, C, polynomial);
            kernels.axpby(A, x, 0, y);
            Operand factor = Operand.of(polynomial);
            kernels.matmul(tall ? plain : factor, tall ? factor : plain, y, 1);
        }
    }
}

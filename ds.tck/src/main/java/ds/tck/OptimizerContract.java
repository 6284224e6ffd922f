package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import ds.api.Adagrad;
import ds.api.DType;
import ds.api.Lamb;
import ds.api.Lion;
import ds.api.Sgd;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps of the optimizers other than Adam. */
public interface OptimizerContract extends BackendContract {
    /** The flat tensors of one shard, on both sides. */
    record Operands(Twin weights, Twin gradient, Twin first, Twin second) {
        static Operands of(SideBySide sides, long n) {
            return new Operands(
                    sides.normal(DType.F32, 0, 1, n),
                    sides.normal(DType.F32, 0, 1, n),
                    sides.zeros(DType.F32, n),
                    sides.zeros(DType.F32, n));
        }

        Operands slice(long from, long n) {
            return new Operands(
                    weights.slice(from, n), gradient.slice(from, n), first.slice(from, n), second.slice(from, n));
        }
    }

    /** A step of each kernel with scalars that leave no term out. */
    enum Kind {
        /** Lion. */
        LION {
            @Override
            void step(SideBySide sides, Operands x, int number) {
                Lion lion = new Lion(1e-2, 0.9, 0.99, 0.1, 0.5);
                sides.run((k, s) -> k.lion(lion, s.of(x.weights), s.of(x.gradient), s.of(x.first)));
            }
        },
        /** Adagrad. */
        ADAGRAD {
            @Override
            void step(SideBySide sides, Operands x, int number) {
                Adagrad adagrad = new Adagrad(1e-2, 1e-10, 0.1, 0.5);
                sides.run((k, s) -> k.adagrad(adagrad, s.of(x.weights), s.of(x.gradient), s.of(x.first)));
            }
        },
        /** Gradient descent with Nesterov's momentum. */
        SGD {
            @Override
            void step(SideBySide sides, Operands x, int number) {
                Sgd sgd = new Sgd(1e-2, 0.9, 0, true, 0.1, number == 1, 0.5);
                sides.run((k, s) -> k.sgd(sgd, s.of(x.weights), s.of(x.gradient), s.of(x.first)));
            }
        },
        /** Both halves of LAMB, with a rate of its own. */
        LAMB {
            @Override
            void step(SideBySide sides, Operands x, int number) {
                Lamb lamb = new Lamb(0.9, 0.999, 1e-6, false, 0.1, true, number, 0.5);
                sides.run((k, s) -> {
                    k.lambMoments(lamb, s.of(x.gradient), s.of(x.first), s.of(x.second));
                    k.lambDirection(lamb, s.of(x.weights), s.of(x.first), s.of(x.second), s.of(x.gradient));
                    k.axpby(-1e-2, s.of(x.gradient), 1, s.of(x.weights));
                });
            }
        };

        abstract void step(SideBySide sides, Operands operands, int number);
    }

    @ParameterizedTest
    @EnumSource
    default void anyShardingOfAnOptimizersStepGivesTheSameBits(Kind kind) {
        for (long cut : new long[] {1, 5, 16, 31, 500}) {
            try (SideBySide sides = new SideBySide(backend())) {
                Operands whole = Operands.of(sides, 1003);
                Operands parts = Operands.of(sides, 1003);
                sides.run((k, s) -> {
                    k.copy(s.of(whole.weights()), s.of(parts.weights()));
                    k.copy(s.of(whole.gradient()), s.of(parts.gradient()));
                });
                for (int step = 1; step <= 3; step++) {
                    kind.step(sides, whole, step);
                    kind.step(sides, parts.slice(0, cut), step);
                    kind.step(sides, parts.slice(cut, 1003 - cut), step);
                }
                assertArrayEquals(sides.tested(whole.weights()), sides.tested(parts.weights()), "weights");
                assertArrayEquals(sides.tested(whole.first()), sides.tested(parts.first()), "first state");
                assertArrayEquals(sides.tested(whole.second()), sides.tested(parts.second()), "second state");
            }
        }
    }

    /** Gradients are integers and the betas multiples of 1/4: momenta are exact, and so are their signs, zero among them. */
    @ParameterizedTest
    @ValueSource(longs = {1, 17, 1003})
    default void lionFollowsTheReference(long n) {
        try (SideBySide sides = new SideBySide(backend())) {
            Operands x = Operands.of(sides, n);
            for (int step = 1; step <= 5; step++) {
                double[] integers = new double[(int) n];
                for (int i = 0; i < integers.length; i++) {
                    integers[i] = (i * 7 + step * 3) % 5 - 2;
                }
                Twin fresh = sides.values(DType.F32, integers, n);
                Lion lion = new Lion(1e-2, 0.5, 0.75, 0.1, 2);
                sides.run((k, s) -> k.lion(lion, s.of(x.weights()), s.of(fresh), s.of(x.first())));
                sides.check("momentum, step " + step, x.first(), Bound.EXACT);
                Bound weights = Bound.EACH.rounded(DType.F32, 3.0 * step).summed(DType.F32, 3.0 * step, 1e-2 * step);
                sides.check("weights, step " + step, x.weights(), weights);
            }
        }
    }

    @Test
    default void directionOfLionIsZeroWhereThereIsNone() {
        try (SideBySide sides = new SideBySide(backend())) {
            Twin weights = sides.values(DType.F32, new double[] {1, 1, 1, 1}, 4);
            Twin gradient = sides.values(DType.F32, new double[] {-2, 0, 2, Double.NaN}, 4);
            Twin momentum = sides.zeros(DType.F32, 4);
            Lion lion = new Lion(0.25, 0.5, 0.5, 0, 1);
            sides.run((k, s) -> k.lion(lion, s.of(weights), s.of(gradient), s.of(momentum)));
            sides.checkExactly("weights", new double[] {1.25, 1, 0.75, Double.NaN}, weights);
        }
    }

    /** Each step divides by a root that is at least as large as its gradient: a weight moves by at most the learning rate. */
    @ParameterizedTest
    @CsvSource({"1, 0", "17, 0.1", "1003, 0.01"})
    default void adagradFollowsTheReference(long n, double decay) {
        try (SideBySide sides = new SideBySide(backend())) {
            Operands x = Operands.of(sides, n);
            for (int step = 1; step <= 5; step++) {
                Twin fresh = sides.normal(DType.F32, 0, 1, n);
                Adagrad adagrad = new Adagrad(1e-2, 1e-8, decay, 0.5);
                sides.run((k, s) -> k.adagrad(adagrad, s.of(x.weights()), s.of(fresh), s.of(x.first())));
                // g may cancel between gradient and decay: its error is relative to the larger of the two
                double g = (0.5 + decay) * Bound.DEVIATIONS;
                sides.check("sum, step " + step, x.first(), Bound.EACH.summed(DType.F32, 8.0 * step, 2 * g * g));
                // of the first step's quotient g / |g| only the sign remains, whatever g's error
                Bound weights = Bound.EACH.rounded(DType.F32, 2.0 * step).summed(DType.F32, 16.0 * step * step, 1e-2);
                sides.check("weights, step " + step, x.weights(), weights);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 0.9, 0, false, 0", "17, 0.9, 0.5, false, 0.1", "1003, 0.9, 0, true, 0.01", "64, 0, 0, false, 0.1"})
    default void sgdFollowsTheReference(long n, double momentum, double dampening, boolean nesterov, double decay) {
        try (SideBySide sides = new SideBySide(backend())) {
            Operands x = Operands.of(sides, n);
            for (int step = 1; step <= 5; step++) {
                Twin fresh = sides.normal(DType.F32, 0, 1, n);
                Sgd sgd = new Sgd(1e-2, momentum, dampening, nesterov, decay, step == 1, 0.5);
                sides.run((k, s) -> k.sgd(sgd, s.of(x.weights()), s.of(fresh), s.of(x.first())));
                double velocity = step * (0.5 + decay) * Bound.DEVIATIONS;
                sides.check("velocity, step " + step, x.first(), Bound.EACH.summed(DType.F32, 6.0 * step, velocity));
                Bound weights = Bound.EACH
                        .rounded(DType.F32, 2.0 * step)
                        .summed(DType.F32, 8.0 * step * step, 2 * 1e-2 * velocity);
                sides.check("weights, step " + step, x.weights(), weights);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 0, true, false", "17, 0.1, true, true", "1003, 0.01, false, false"})
    default void lambFollowsTheReference(long n, double decay, boolean correction, boolean epsilonInRoot) {
        try (SideBySide sides = new SideBySide(backend())) {
            Operands x = Operands.of(sides, n);
            Twin direction = sides.output(DType.F32, n);
            for (int step = 1; step <= 5; step++) {
                Twin fresh = sides.normal(DType.F32, 0, 1, n);
                Lamb lamb = new Lamb(0.9, 0.95, 1e-3, epsilonInRoot, decay, correction, step, 0.5);
                sides.run((k, s) -> {
                    k.lambMoments(lamb, s.of(fresh), s.of(x.first()), s.of(x.second()));
                    k.lambDirection(lamb, s.of(x.weights()), s.of(x.first()), s.of(x.second()), s.of(direction));
                });
                double g = 0.5 * Bound.DEVIATIONS;
                sides.check("m, step " + step, x.first(), Bound.EACH.summed(DType.F32, 8.0 * step, g));
                sides.check("v, step " + step, x.second(), Bound.EACH.rounded(DType.F32, 16.0 * step));
                // |m| is at most sqrt(v / (1 - beta2)); without correction m̂ and v̂ are m and v, else at most 1 / (1 -
                // beta1) of m
                double ratio = 10 / Math.sqrt(1 - 0.95);
                Bound bound = Bound.EACH
                        .rounded(DType.F32, 4)
                        .summed(DType.F32, 32.0 * step, ratio + decay * Bound.DEVIATIONS);
                sides.check("direction, step " + step, direction, bound);
            }
        }
    }
}

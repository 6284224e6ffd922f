package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import ds.api.Adam;
import ds.api.DType;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps of Adam and AdamW. */
public interface AdamContract extends BackendContract {
    /** The four flat tensors of one shard, on both sides. */
    record States(Twin weights, Twin gradient, Twin first, Twin second) {
        static States of(SideBySide sides, long n) {
            return new States(
                    sides.normal(DType.F32, 0, 1, n),
                    sides.normal(DType.F32, 0, 1, n),
                    sides.zeros(DType.F32, n),
                    sides.zeros(DType.F32, n));
        }

        States slice(long from, long n) {
            return new States(
                    weights.slice(from, n), gradient.slice(from, n), first.slice(from, n), second.slice(from, n));
        }

        void step(SideBySide sides, Adam adam) {
            sides.run((k, s) -> k.adam(adam, s.of(weights), s.of(gradient), s.of(first), s.of(second)));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 0, true, true, 1",
        "17, 0.1, true, true, 1",
        "64, 0.1, false, true, 0.25",
        "1003, 0.01, true, false, 4",
        "33, 0, false, false, 1"
    })
    default void stepsFollowTheReference(long n, double decay, boolean decoupled, boolean correction, double scale) {
        try (SideBySide sides = new SideBySide(backend())) {
            States states = States.of(sides, n);
            for (int step = 1; step <= 5; step++) {
                Twin fresh = sides.normal(DType.F32, 0, 1, n);
                sides.run((k, s) -> k.copy(s.of(fresh), s.of(states.gradient())));
                Adam adam = new Adam(1e-2, 0.9, 0.95, 1e-8, decay, decoupled, correction, step, scale);
                states.step(sides, adam);
                // Terms of the first moment may cancel: its error is relative to the largest gradient so far. An update
                // is
                // at most lr / sqrt(1 − beta2) and each of its 16 roundings counts once.
                double g = scale * (1 + decay) * 2 * Bound.DEVIATIONS;
                double update = 1e-2 / Math.sqrt(1 - 0.95);
                sides.check("m, step " + step, states.first(), Bound.EACH.summed(DType.F32, 8.0 * step, g));
                sides.check("v, step " + step, states.second(), Bound.EACH.rounded(DType.F32, 16.0 * step));
                Bound weights = Bound.EACH
                        .rounded(DType.F32, 2.0 * step)
                        .summed(DType.F32, step, 2 * update)
                        .summed(DType.F32, 16.0 * step * step, update);
                sides.check("weights, step " + step, states.weights(), weights);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 5, 16, 31, 500})
    default void anyShardingGivesTheSameBits(long cut) {
        try (SideBySide sides = new SideBySide(backend())) {
            States whole = States.of(sides, 1003);
            States parts = States.of(sides, 1003);
            sides.run((k, s) -> {
                k.copy(s.of(whole.weights()), s.of(parts.weights()));
                k.copy(s.of(whole.gradient()), s.of(parts.gradient()));
            });
            for (int step = 1; step <= 3; step++) {
                Adam adam = new Adam(1e-2, 0.9, 0.999, 1e-8, 0.1, true, true, step, 0.5);
                whole.step(sides, adam);
                parts.slice(0, cut).step(sides, adam);
                parts.slice(cut, 1003 - cut).step(sides, adam);
            }
            assertArrayEquals(sides.tested(whole.weights()), sides.tested(parts.weights()), "weights");
            assertArrayEquals(sides.tested(whole.first()), sides.tested(parts.first()), "first moment");
            assertArrayEquals(sides.tested(whole.second()), sides.tested(parts.second()), "second moment");
        }
    }

    /** One pass gives the bits of three: also where elements fill no vector. */
    @ParameterizedTest
    @CsvSource({"1, BF16", "17, BF16", "1003, BF16", "33, F16", "20000, BF16"})
    default void roundedWeightsAreThoseOfASeparateConversion(long n, DType dtype) {
        Assumptions.assumeTrue(backend().supports(dtype));
        try (SideBySide sides = new SideBySide(backend())) {
            States apart = States.of(sides, n);
            States fused = States.of(sides, n);
            Twin gradient = sides.normal(dtype, 0, 1, n);
            Twin expected = sides.zeros(dtype, n);
            Twin rounded = sides.zeros(dtype, n);
            sides.run((k, s) -> {
                k.copy(s.of(apart.weights()), s.of(fused.weights()));
                k.copy(s.of(gradient), s.of(apart.gradient()));
            });
            for (int step = 1; step <= 3; step++) {
                Adam adam = new Adam(1e-2, 0.9, 0.999, 1e-8, 0.1, true, true, step, 0.5);
                apart.step(sides, adam);
                sides.run((k, s) -> {
                    k.copy(s.of(apart.weights()), s.of(expected));
                    k.adam(
                            adam,
                            s.of(fused.weights()),
                            s.of(gradient),
                            s.of(fused.first()),
                            s.of(fused.second()),
                            s.of(rounded));
                });
            }
            assertArrayEquals(sides.tested(apart.weights()), sides.tested(fused.weights()), "weights");
            assertArrayEquals(sides.tested(apart.first()), sides.tested(fused.first()), "first moment");
            assertArrayEquals(sides.tested(apart.second()), sides.tested(fused.second()), "second moment");
            assertArrayEquals(sides.tested(expected), sides.tested(rounded), "rounded weights");
        }
    }
}

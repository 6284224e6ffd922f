package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.comm.Communicator;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.spi.Optimizer;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.OptimizerConfig;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** 0/1 Adam on given gradients against a plain simulation: whole vectors, all ranks in one loop. */
class ZeroOneUpdateTest {
    private static final int STEPS = 60;
    private static final int VAR_FREEZE = 21;
    private static final int SHARD = 96;
    private static final int DECAYING = 50;
    private static final double DECAY = 0.1;
    private static final double EPSILON = 1e-6;
    private static final String PARAMS =
            "\"eps\": %s, \"var_freeze_step\": %d, \"var_update_scaler\": 3, \"local_step_scaler\": 9, \"local_step_clipper\": 4"
                    .formatted(EPSILON, VAR_FREEZE);

    /** By hand: three at each interval, the first multiple behind the last of the shorter one. */
    private static final List<Long> REFRESHES = List.of(1L, 2L, 3L, 4L, 6L, 8L, 12L, 16L, 20L);

    /** Nine updates at each interval, counted from 22: 1 to 30, 2 to 39, then 4. */
    private static final List<Long> EXCHANGES =
            List.of(22L, 23L, 24L, 25L, 26L, 27L, 28L, 29L, 30L, 32L, 34L, 36L, 38L, 40L, 44L, 48L, 52L, 56L, 60L);

    private static OptimizerConfig.ZeroOneAdam config() {
        return (OptimizerConfig.ZeroOneAdam) UnitRun.config("ZeroOneAdam", PARAMS);
    }

    @Test
    void intervalsDouble() {
        ZeroOneSchedule schedule = new ZeroOneSchedule(config());
        assertEquals(
                REFRESHES,
                LongStream.rangeClosed(1, VAR_FREEZE)
                        .filter(schedule::isRefresh)
                        .boxed()
                        .toList());
        assertEquals(
                EXCHANGES,
                LongStream.rangeClosed(VAR_FREEZE + 1, STEPS)
                        .filter(schedule::isExchange)
                        .boxed()
                        .toList());
        assertTrue(schedule.isApart(31) && !schedule.isApart(32) && !schedule.isApart(VAR_FREEZE));
    }

    private static float initial(int element) {
        return (float) Math.cos(0.7 * element);
    }

    /** Every ninth element has no gradient until the variance is frozen. */
    private static float gradient(int step, int rank, int element) {
        if (element % 9 == 5 && step <= VAR_FREEZE) {
            return 0;
        }
        CounterRandom random = new CounterRandom(CounterRandom.key(13, step, rank), 0);
        return (float) (0.2 * Math.sin(element + 0.05 * step) + random.uniform(element) - 0.5);
    }

    /** Falls to 0 for a while, as schedules may: nothing moves then, and nothing is divided by 0. */
    private static double rate(int step) {
        return step > 44 && step <= 52 ? 0 : 0.01 * (1 + step % 4);
    }

    private static final int MASTERS = 0;
    private static final int PUBLISHED = 1;

    /** {@return what each rank has after the last step: masters, and what the model computes with} */
    private static Map<Integer, float[][]> run(int ranks, int steps) throws Exception {
        Map<Integer, float[][]> weights = new ConcurrentHashMap<>();
        InProcessCommunicators.run(
                ranks, communicator -> weights.put(communicator.rank(), onRank(communicator, steps)));
        return weights;
    }

    private static float[][] onRank(Communicator communicator, int steps) {
        OptimizerConfig.ZeroOneAdam config = config();
        Optimizer made = Optimizers.of(config);
        ZeroOneSchedule schedule = new ZeroOneSchedule(config);
        long n = (long) communicator.worldSize() * SHARD;
        try (ReferenceBackend backend = new ReferenceBackend()) {
            Tensor masters = backend.allocate(DType.F32, Shape.of(n), "test");
            Tensor published = backend.allocate(DType.F32, Shape.of(n), "test");
            for (int i = 0; i < n; i++) {
                masters.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, initial(i));
            }
            List<StoredElements> states = made.states().stream()
                    .map(name ->
                            (StoredElements) new StoredElements.F32(backend.allocate(DType.F32, Shape.of(n), "test")))
                    .toList();
            Tensor gradient = backend.allocate(DType.F32, Shape.of(n), "test");
            var owned = new OwnedUnit.Owned(new StoredElements.F32(masters), gradient, states, Optional.of(published));
            Parameter decaying = new Parameter("matrix", Shape.of(2, DECAYING / 2), new Initializer.Constant(0));
            OwnedUnit unit = new OwnedUnit("unit", n, 0, 0, owned, List.of(new OwnedUnit.Placed(decaying, 0, true)));
            try (UnitUpdate update = UnitRun.open(made, backend, communicator, List.of(unit))) {
                long before = backend.memory().liveBytes();
                for (int step = 1; step <= steps; step++) {
                    boolean own = update.takesOwnGradients(step);
                    assertEquals(schedule.isLocal(step) || !REFRESHES.contains((long) step), own);
                    for (int i = 0; i < n; i++) {
                        float sum = 0;
                        for (int rank = 0; rank < communicator.worldSize(); rank++) {
                            sum += own && rank != communicator.rank() ? 0 : gradient(step, rank, i);
                        }
                        gradient.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, sum);
                    }
                    double scale = own ? 1 : 1.0 / communicator.worldSize();
                    var scalars = new Optimizer.Step(step, rate(step), DECAY, scale, OptionalDouble.empty());
                    update.prepare(scalars);
                    update.update(0, scalars);
                }
                assertEquals(before, backend.memory().liveBytes(), "an update keeps no memory of its own");
            }
            return new float[][] {
                masters.host().toArray(ValueLayout.JAVA_FLOAT), published.host().toArray(ValueLayout.JAVA_FLOAT)
            };
        }
    }

    /** All ranks in plain loops, with local weights that are taken back at an exchange, as DeepSpeed does; roundings to F32 of what is
     * compressed are the same, or else signs near 0 would differ. */
    private static final class Simulation {
        private final int ranks;
        private final int n;
        private final double[] weights; // of all ranks, at the last exchange
        private final double[][] own; // of each rank
        private final float[][] momenta;
        private final float[] variances;
        private final float[][] accumulated;
        private final float[][] workerErrors;
        private final float[] serverErrors;
        private double lrs;
        private int refreshes;

        Simulation(int ranks) {
            this.ranks = ranks;
            this.n = ranks * SHARD;
            this.weights = new double[n];
            this.own = new double[ranks][n];
            this.momenta = new float[ranks][n];
            this.variances = new float[n];
            this.accumulated = new float[ranks][n];
            this.workerErrors = new float[ranks][n];
            this.serverErrors = new float[n];
            for (int i = 0; i < n; i++) {
                weights[i] = initial(i);
                for (int rank = 0; rank < ranks; rank++) {
                    own[rank][i] = initial(i);
                }
            }
        }

        void step(int step) {
            double correction = 1 / (1 - Math.pow(0.9, step));
            if (step > VAR_FREEZE) {
                local(step, correction);
                return;
            }
            float[] mean = new float[n];
            if (REFRESHES.contains((long) step)) {
                refreshes++;
                for (int i = 0; i < n; i++) {
                    float sum = 0;
                    for (int rank = 0; rank < ranks; rank++) {
                        sum += gradient(step, rank, i);
                    }
                    float g = (float) (sum * (1.0 / ranks));
                    mean[i] = (float) ((1 - 0.9) * g + 0.9 * momenta[0][i]);
                    variances[i] = (float) (0.999 * variances[i] + (1 - 0.999) * (g * g));
                }
            } else {
                float[][] values = new float[ranks][n];
                for (int rank = 0; rank < ranks; rank++) {
                    for (int i = 0; i < n; i++) {
                        values[rank][i] = gradient(step, rank, i);
                    }
                }
                float[] signs = exchange(values, 1 - 0.9);
                for (int i = 0; i < n; i++) {
                    mean[i] = variances[i] > 0 ? Math.fma(0.9f, momenta[0][i], signs[i]) : 0;
                }
            }
            for (int i = 0; i < n; i++) {
                double keep = i < DECAYING ? 1 - rate(step) * DECAY : 1;
                weights[i] = keep * weights[i] - rate(step) * correction * mean[i] / root(i);
                for (int rank = 0; rank < ranks; rank++) {
                    momenta[rank][i] = mean[i];
                    own[rank][i] = weights[i];
                }
            }
        }

        private double root(int i) {
            return Math.sqrt(variances[i] / (1 - Math.pow(0.999, refreshes))) + EPSILON;
        }

        private void local(int step, double correction) {
            if (step == VAR_FREEZE + 1) {
                Arrays.fill(serverErrors, 0);
                for (float[] errors : workerErrors) {
                    Arrays.fill(errors, 0);
                }
            }
            lrs += rate(step) * correction;
            for (int i = 0; i < n; i++) {
                double keep = i < DECAYING ? 1 - rate(step) * DECAY : 1;
                weights[i] *= keep;
                for (int rank = 0; rank < ranks; rank++) {
                    float g = variances[i] > 0 ? gradient(step, rank, i) : 0;
                    momenta[rank][i] = (float) ((1 - 0.9) * g + 0.9 * momenta[rank][i]);
                    accumulated[rank][i] = (float) (rate(step) * correction * momenta[rank][i] + accumulated[rank][i]);
                    own[rank][i] = weights[i] - accumulated[rank][i] / root(i);
                }
            }
            if (!EXCHANGES.contains((long) step)) {
                return;
            }
            float[] mean = exchange(lrs == 0 ? momenta : accumulated, lrs == 0 ? 1 : 1 / lrs);
            for (int i = 0; i < n; i++) {
                weights[i] -= lrs * mean[i] / root(i);
                for (int rank = 0; rank < ranks; rank++) {
                    own[rank][i] = weights[i];
                    momenta[rank][i] = mean[i];
                    accumulated[rank][i] = 0;
                }
            }
            lrs = 0;
        }

        /** The mean times alpha; a shard is less than a block. */
        private float[] exchange(float[][] values, double alpha) {
            float[] sum = serverErrors.clone();
            for (int rank = 0; rank < ranks; rank++) {
                float[] value = new float[n];
                for (int i = 0; i < n; i++) {
                    value[i] = values[rank][i] + workerErrors[rank][i];
                }
                float[] scales = scales(value);
                for (int i = 0; i < n; i++) {
                    float scale = scales[i / SHARD];
                    boolean takesPart = variances[i] > 0;
                    sum[i] += (value[i] >= 0 ? 1 : -1) * (float) (scale * (1.0 / ranks));
                    workerErrors[rank][i] = takesPart ? value[i] - (value[i] >= 0 ? scale : -scale) : 0;
                }
            }
            float[] scales = scales(sum);
            float[] mean = new float[n];
            for (int i = 0; i < n; i++) {
                float scale = scales[i / SHARD];
                boolean takesPart = variances[i] > 0;
                mean[i] = takesPart ? (sum[i] >= 0 ? 1 : -1) * (float) (alpha * scale) : 0;
                serverErrors[i] = takesPart ? sum[i] - (sum[i] >= 0 ? scale : -scale) : 0;
            }
            return mean;
        }

        private float[] scales(float[] value) {
            float[] scales = new float[ranks];
            for (int shard = 0; shard < ranks; shard++) {
                double squares = 0;
                int count = 0;
                for (int i = shard * SHARD; i < (shard + 1) * SHARD; i++) {
                    squares += variances[i] > 0 ? Math.pow(value[i], 2) : 0;
                    count += variances[i] > 0 ? 1 : 0;
                }
                scales[shard] = (float) Math.sqrt(squares / count);
            }
            return scales;
        }
    }

    /** At the end of an interval; in the middle of one, where every rank has weights of its own; between refreshes. */
    @ParameterizedTest
    @CsvSource({"2,60", "3,60", "4,60", "3,59", "2,31", "2,19"})
    void isThePlainSimulation(int ranks, int steps) throws Exception {
        Map<Integer, float[][]> weights = run(ranks, steps);
        Simulation simulation = new Simulation(ranks);
        for (int step = 1; step <= steps; step++) {
            simulation.step(step);
        }
        double moved = 0;
        for (int rank = 0; rank < ranks; rank++) {
            assertArrayEquals(weights.get(0)[MASTERS], weights.get(rank)[MASTERS], "masters are the same on all ranks");
            float[] published = weights.get(rank)[PUBLISHED];
            for (int i = 0; i < published.length; i++) {
                double expected = simulation.own[rank][i];
                assertEquals(
                        expected, published[i], 1e-6 * (1 + Math.abs(expected)), "rank " + rank + ", element " + i);
                moved = Math.max(moved, Math.abs(published[i] - initial(i)));
            }
        }
        assertTrue(moved > 0.1, "weights moved by at most " + moved);
    }
}

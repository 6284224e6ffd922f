package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Signs;
import ds.api.Tensor;
import ds.api.comm.Communicator;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.spi.Optimizer;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.OptimizerConfig;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** 1-bit Adam on given gradients against a plain simulation: whole vectors, all ranks in one loop. */
class OneBitUpdateTest {
    private static final int STEPS = 60;
    private static final int FREEZE = 15;
    private static final double RATE = 0.01;
    private static final double DECAY = 0.1;
    private static final double EPSILON = 1e-6;

    /** Elements of the shard of a rank in each unit: one of less than a block, one of more. */
    private static final int[] SHARDS = {96, Signs.BLOCK + 544};

    private static final int DECAYING = 50; // elements at the beginning of each unit

    private static float initial(int element) {
        return (float) Math.cos(0.7 * element);
    }

    /** Every ninth element has no gradient while the optimizer warms up, and one afterwards. */
    private static float gradient(int unit, int step, int rank, int element) {
        if (element % 9 == 5 && step <= FREEZE) {
            return 0;
        }
        CounterRandom random = new CounterRandom(CounterRandom.key(11, unit, step, rank), 0);
        return (float) (0.2 * Math.sin(element + 0.05 * step) + random.uniform(element) - 0.5);
    }

    private static double rate(int step) {
        return RATE * (1 + step % 4);
    }

    private static float[][] run(int ranks, boolean correction) throws Exception {
        Map<Integer, float[][]> weights = new ConcurrentHashMap<>();
        InProcessCommunicators.run(
                ranks, communicator -> weights.put(communicator.rank(), onRank(communicator, correction)));
        for (int rank = 1; rank < ranks; rank++) {
            for (int unit = 0; unit < SHARDS.length; unit++) {
                assertArrayEquals(weights.get(0)[unit], weights.get(rank)[unit]);
            }
        }
        return weights.get(0);
    }

    private static float[][] onRank(Communicator communicator, boolean correction) {
        OptimizerConfig config = UnitRun.config(
                "OneBitAdam",
                "\"eps\": %s, \"freeze_step\": %d, \"bias_correction\": %s".formatted(EPSILON, FREEZE, correction));
        Optimizer made = Optimizers.of(config);
        try (ReferenceBackend backend = new ReferenceBackend()) {
            List<OwnedUnit> units = new ArrayList<>();
            for (int unit = 0; unit < SHARDS.length; unit++) {
                units.add(unit(unit, communicator.worldSize(), made, backend));
            }
            try (UnitUpdate update = UnitRun.open(made, backend, communicator, units)) {
                long before = backend.memory().liveBytes();
                for (int step = 1; step <= STEPS; step++) {
                    boolean own = update.takesOwnGradients(step);
                    assertEquals(step > FREEZE, own);
                    for (int unit = 0; unit < units.size(); unit++) {
                        fill(units.get(unit).owned().gradient(), unit, step, own, communicator);
                    }
                    double scale = own ? 1 : 1.0 / communicator.worldSize();
                    var scalars = new Optimizer.Step(step, rate(step), DECAY, scale, OptionalDouble.empty());
                    update.prepare(scalars);
                    for (int unit = 0; unit < units.size(); unit++) {
                        update.update(unit, scalars);
                    }
                }
                assertEquals(before, backend.memory().liveBytes(), "an update keeps no memory of its own");
            }
            float[][] weights = new float[units.size()][];
            for (int unit = 0; unit < units.size(); unit++) {
                OwnedUnit.Owned owned = units.get(unit).owned();
                weights[unit] = owned.weights().published().host().toArray(ValueLayout.JAVA_FLOAT);
                float[] momenta = owned.states().getFirst().published().host().toArray(ValueLayout.JAVA_FLOAT);
                for (int i = 0; i < momenta.length; i++) {
                    assertEquals(i % 9 == 5, momenta[i] == 0, "momentum of element " + i);
                }
            }
            return weights;
        }
    }

    private static OwnedUnit unit(int unit, int ranks, Optimizer made, ReferenceBackend backend) {
        long elements = (long) ranks * SHARDS[unit];
        Tensor weights = backend.allocate(DType.F32, Shape.of(elements), "test");
        for (int i = 0; i < elements; i++) {
            weights.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, initial(i));
        }
        List<StoredElements> states = made.states().stream()
                .map(name -> (StoredElements)
                        new StoredElements.F32(backend.allocate(DType.F32, Shape.of(elements), "test")))
                .toList();
        Tensor gradient = backend.allocate(DType.F32, Shape.of(elements), "test");
        Parameter decaying = new Parameter("matrix" + unit, Shape.of(2, DECAYING / 2), new Initializer.Constant(0));
        return new OwnedUnit(
                "unit" + unit,
                elements,
                0,
                0,
                new OwnedUnit.Owned(new StoredElements.F32(weights), gradient, states),
                List.of(new OwnedUnit.Placed(decaying, 0, true)));
    }

    private static void fill(Tensor target, int unit, int step, boolean own, Communicator communicator) {
        for (int i = 0; i < target.elements(); i++) {
            float sum = 0;
            for (int rank = 0; rank < communicator.worldSize(); rank++) {
                sum += own && rank != communicator.rank() ? 0 : gradient(unit, step, rank, i);
            }
            target.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, sum);
        }
    }

    /** Whole vectors in plain loops; the roundings to F32 are the same, or else signs near 0 would differ. */
    private static final class Simulation {
        private final int unit;
        private final int ranks;
        private final int n;
        private final float[] weights;
        private final float[] momenta;
        private final float[] variances;
        private final float[][] workerErrors;
        private final float[] serverErrors;
        private final boolean correction;

        Simulation(int unit, int ranks, boolean correction) {
            this.unit = unit;
            this.ranks = ranks;
            this.n = ranks * SHARDS[unit];
            this.weights = new float[n];
            this.momenta = new float[n];
            this.variances = new float[n];
            this.workerErrors = new float[ranks][n];
            this.serverErrors = new float[n];
            this.correction = correction;
            for (int i = 0; i < n; i++) {
                weights[i] = initial(i);
            }
        }

        void step(int step) {
            if (step <= FREEZE) {
                for (int i = 0; i < n; i++) {
                    float sum = 0;
                    for (int rank = 0; rank < ranks; rank++) {
                        sum += gradient(unit, step, rank, i);
                    }
                    float mean = (float) (sum * (1.0 / ranks));
                    momenta[i] = (float) (0.9 * momenta[i] + (1 - 0.9) * mean);
                    variances[i] = (float) (0.999 * variances[i] + (1 - 0.999) * (mean * mean));
                }
            } else {
                exchange(step);
            }
            double first = correction ? 1 - Math.pow(0.9, step) : 1;
            double second = correction ? 1 - Math.pow(0.999, Math.min(step, FREEZE)) : 1;
            for (int i = 0; i < n; i++) {
                double direction = momenta[i] / first / (Math.sqrt(variances[i] / second) + EPSILON);
                weights[i] -= (float) (rate(step) * (direction + (i < DECAYING ? DECAY * weights[i] : 0)));
            }
        }

        private void exchange(int step) {
            float[] value = serverErrors.clone();
            for (int rank = 0; rank < ranks; rank++) {
                float[] own = new float[n];
                for (int i = 0; i < n; i++) {
                    float kept = (float) (0.9 * momenta[i] + workerErrors[rank][i]);
                    own[i] = (float) ((1 - 0.9) * gradient(unit, step, rank, i) + kept);
                }
                float[] sent = compressed(own);
                for (int i = 0; i < n; i++) {
                    value[i] += (float) (sent[i] * (1.0 / ranks));
                    workerErrors[rank][i] = variances[i] > 0 ? own[i] - sent[i] : 0;
                }
            }
            float[] sent = compressed(value);
            for (int i = 0; i < n; i++) {
                momenta[i] = sent[i];
                serverErrors[i] = variances[i] > 0 ? value[i] - sent[i] : 0;
            }
        }

        private float[] compressed(float[] value) {
            float[] sent = new float[n];
            for (int i = 0; i < n; i++) {
                int shard = i / SHARDS[unit];
                int block = i % SHARDS[unit] / Signs.BLOCK;
                int first = shard * SHARDS[unit] + block * Signs.BLOCK;
                int end = Math.min(first + Signs.BLOCK, (shard + 1) * SHARDS[unit]);
                if (i == first) {
                    double squares = 0;
                    int count = 0;
                    for (int j = first; j < end; j++) {
                        squares += variances[j] > 0 ? Math.pow(value[j], 2) : 0;
                        count += variances[j] > 0 ? 1 : 0;
                    }
                    float scale = (float) Math.sqrt(squares / count);
                    for (int j = first; j < end; j++) {
                        sent[j] = variances[j] == 0 ? 0 : value[j] >= 0 ? scale : -scale;
                    }
                }
            }
            return sent;
        }
    }

    @ParameterizedTest
    @CsvSource({"2, true", "3, true", "4, true", "2, false"})
    void isThePlainSimulation(int ranks, boolean correction) throws Exception {
        float[][] weights = run(ranks, correction);
        for (int unit = 0; unit < SHARDS.length; unit++) {
            Simulation simulation = new Simulation(unit, ranks, correction);
            for (int step = 1; step <= STEPS; step++) {
                simulation.step(step);
            }
            double moved = 0;
            for (int i = 0; i < weights[unit].length; i++) {
                double bound = 1e-6 * (1 + Math.abs(simulation.weights[i]));
                assertEquals(simulation.weights[i], weights[unit][i], bound, "unit " + unit + ", element " + i);
                moved = Math.max(moved, Math.abs(weights[unit][i] - initial(i)));
            }
            assertTrue(moved > 0.1, "weights moved by at most " + moved);
        }
    }
}

package ds.zero.weight;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.api.layer.Sequential;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.TinyModel;
import ds.zero.config.Stage3;
import ds.zero.config.ZeroPlusPlus;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import ds.zero.unit.InFlight;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Over two ranks each of the tiny model's three units has 64 elements. */
class ShardedWeightsTest {
    private static final long UNIT_BYTES = 64 * Float.BYTES;

    /** One rank's weights: element i of parameter p is {@code 100 p + i}. */
    private static final class Rank implements AutoCloseable {
        final ReferenceBackend backend = new ReferenceBackend();
        final Sequential model = TinyModel.build();
        final List<Visit> training = Visit.ofTraining(model.layers());
        final Units units;
        final ShardedWeights weights;

        Rank(Communicator communicator, Stage3 limits) {
            this(communicator, limits, ZeroPlusPlus.NONE);
        }

        Rank(Communicator communicator, Stage3 limits, ZeroPlusPlus plusPlus) {
            this.units = new Units(model, communicator.rank(), communicator.worldSize(), true);
            InFlight changes =
                    new InFlight(units, backend.computeStream(), new InFlight.Limits(1000, true), new StepTimer());
            Stack stack = new Stack(backend, communicator);
            Gathering gathering = Gathering.of(plusPlus, limits, units, stack, changes);
            this.weights = new ShardedWeights(units, stack, DType.F32, changes, gathering, ShardHome.DEVICE);
            for (int p = 0; p < units.parameters().size(); p++) {
                Parameter parameter = units.parameters().get(p);
                Tensor values = backend.allocate(DType.F32, Shape.of(parameter.elements()), "test");
                for (long i = 0; i < parameter.elements(); i++) {
                    values.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, number(p, i));
                }
                weights.write(parameter, values, values.host());
            }
            for (int unit = 0; unit < units.count(); unit++) {
                weights.ownedChanged(unit);
            }
            weights.awaitChanges();
        }

        private static float number(int parameter, long element) {
            return 100f * parameter + (float) element;
        }

        void assertValues(List<Parameter> parameters) {
            for (Parameter parameter : parameters) {
                Tensor values = weights.value(parameter);
                assertEquals(parameter.shape(), values.shape());
                int p = units.parameters().indexOf(parameter);
                for (long i = 0; i < parameter.elements(); i++) {
                    assertEquals(number(p, i), values.host().getAtIndex(ValueLayout.JAVA_FLOAT, i), parameter.name());
                }
            }
        }

        /** Visits all layers, reading what each says it reads. */
        void microBatch() {
            weights.begin(training);
            for (Visit visit : training) {
                weights.enter(visit);
                assertValues(
                        switch (visit.direction()) {
                            case FORWARD -> visit.layer().parameters();
                            case BACKWARD -> visit.layer().readInBackward();
                        });
                weights.leave();
            }
        }

        long gatheredBytes() {
            var label = backend.memory().labels().get("gatheredWeights");
            return label == null ? 0 : label.peakBytes();
        }

        @Override
        public void close() {
            weights.close();
            backend.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 1000, 0, 1", // nothing ahead, nothing kept
        "64, 1000, 0, 2", // the next unit on its way
        "128, 1000, 0, 3",
        "0, 1000, 1000, 3", // everything kept for the backward pass
        "1000, 1000, 1000, 3",
        "1000, 128, 1000, 2", // as much as may live
        "1000, 1, 1000, 1", // a layer gets what it needs, but no more
    })
    void everyVisitFindsItsWeightsWithinTheLimits(long prefetch, long live, long reuse, long units) throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (Rank rank = new Rank(communicator, new Stage3(prefetch, live, reuse, 0, 0))) {
                rank.microBatch();
                rank.microBatch();
                assertEquals(units * UNIT_BYTES, rank.gatheredBytes());
                assertEquals(
                        3 * UNIT_BYTES / 2,
                        rank.backend.memory().labels().get("weights").liveBytes());
            }
        });
    }

    /** Encode, hidden 0, hidden 1, decode going forward; hidden 1 and hidden 0 coming back. */
    @Test
    void unitIsGatheredTwiceInAMicroBatch() throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (Rank rank = new Rank(communicator, Stage3.LEAST)) {
                var before = communicator.traffic();
                rank.microBatch();
                assertEquals(6 * 32, communicator.traffic().since(before).elements());
            }
        });
    }

    @Test
    void smallUnitsStayGatheredWithinTheBudget() throws Exception {
        // The first two units have 35 and 56 elements: the third one is over the budget for all.
        Stage3 limits = new Stage3(0, 1000, 0, 56, 100);
        InProcessCommunicators.run(2, communicator -> {
            try (Rank rank = new Rank(communicator, limits)) {
                var before = communicator.traffic();
                rank.microBatch();
                assertEquals(2 * 32, communicator.traffic().since(before).elements());
                assertEquals(
                        5 * UNIT_BYTES / 2,
                        rank.backend.memory().labels().get("weights").liveBytes());
            }
        });
    }

    @Test
    void oneRankGathersNothing() throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            try (Rank rank = new Rank(communicator, Stage3.LEAST)) {
                rank.microBatch();
                assertEquals(0, rank.gatheredBytes());
            }
        });
    }

    @Test
    void weightsCanBeReadInAnyOrderOutsideOfMicroBatches() throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (Rank rank = new Rank(communicator, new Stage3(0, 1, 0, 0, 0))) {
                rank.microBatch();
                rank.assertValues(rank.units.parameters().reversed());
                rank.assertValues(rank.units.parameters());
                assertEquals(2 * UNIT_BYTES, rank.gatheredBytes(), "what a layer with a tied weight reads at once");
                rank.microBatch();
            }
        });
    }

    @Test
    void visitOutOfOrderIsNamed() throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            try (Rank rank = new Rank(communicator, Stage3.LEAST)) {
                rank.weights.begin(rank.training);
                rank.weights.enter(rank.training.get(0));
                var e = assertThrows(IllegalStateException.class, () -> rank.weights.enter(rank.training.get(2)));
                assertTrue(e.getMessage().contains("FORWARD of layer hidden.1"), e.getMessage());
            }
        });
    }
}

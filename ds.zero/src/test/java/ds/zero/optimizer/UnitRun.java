package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.spi.Optimizer;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.OptimizerConfig;
import ds.zero.config.StatePrecision;
import ds.zero.config.ZeroConfig;
import ds.zero.onebit.Exchange;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.LongStream;

/**
 * A few updates of two units whose gradients are given, on ranks that are threads of this JVM.
 *
 * @param optimizer {@code optimizer.type}
 * @param params {@code optimizer.params}, as JSON members
 * @param ranks that share the units
 * @param sharded whether each rank updates its shard alone
 * @param gradients their type
 * @param kept how weights and states are kept
 */
record UnitRun(String optimizer, String params, int ranks, boolean sharded, DType gradients, Kept kept) {
    /** How weights and states are kept. */
    enum Kept {
        F32,
        SPLIT_AND_BF16,
        BF16
    }

    static final int STEPS = 6;
    static final double SCALE = 0.5;

    /** Parameters of each unit, those with weight decay first. The second unit is the model's last: nothing in it is hidden. */
    static final List<List<Parameter>> UNITS = List.of(
            List.of(matrix("wide", 5, 7), matrix("tall", 9, 4), vector("bias", 3)),
            List.of(matrix("head", 3, 3), vector("norm", 5)));

    UnitRun(String optimizer, String params, int ranks, boolean sharded, DType gradients) {
        this(optimizer, params, ranks, sharded, gradients, Kept.F32);
    }

    private static Parameter matrix(String name, long rows, long columns) {
        return new Parameter(name, Shape.of(rows, columns), new Initializer.Normal(0, 0.5));
    }

    private static Parameter vector(String name, long n) {
        return new Parameter(name, Shape.of(n), new Initializer.Constant(0.5f));
    }

    static OptimizerConfig config(String optimizer, String params) {
        String json = "{\"train_batch_size\": 1, \"optimizer\": {\"type\": \"%s\", \"params\": {%s}}}";
        return ZeroConfig.parse(json.formatted(optimizer, params), Known.ofWorld(1))
                .value()
                .optimizer();
    }

    static int elements(int unit) {
        return (int) UNITS.get(unit).stream().mapToLong(Parameter::elements).sum();
    }

    static float initial(int unit, int element) {
        return (float) (0.3 * Math.cos(1.7 * element + unit) + 0.05);
    }

    /** A gradient that F32, BF16 and F16 hold exactly, different for each step and element. */
    static float gradient(int unit, int step, int element) {
        return (float) Math.rint(64 * Math.sin(1.3 * step + 2.1 * element + unit)) / 32;
    }

    /** {@return the weights of each unit after the last step, put together from what the ranks own} */
    float[][] weights() throws Exception {
        float[][] whole = {new float[elements(0)], new float[elements(1)]};
        InProcessCommunicators.run(ranks, communicator -> onRank(communicator, whole));
        return whole;
    }

    /** {@return the update of units whose numbers are all in a backend's memory, handed over} */
    static UnitUpdate open(
            Optimizer optimizer, TensorBackend backend, Communicator communicator, List<OwnedUnit> units) {
        return UnitUpdate.of(
                optimizer,
                new Stack(backend, communicator),
                units,
                Transfers.local(backend.kernels(backend.computeStream())),
                new Exchange(true, new StepTimer()));
    }

    private void onRank(Communicator communicator, float[][] whole) {
        OptimizerConfig config = config(optimizer, params);
        Optimizer made = Optimizers.of(config);
        try (ReferenceBackend backend = new ReferenceBackend()) {
            List<OwnedUnit> units = new ArrayList<>();
            for (int unit = 0; unit < UNITS.size(); unit++) {
                units.add(unit(unit, communicator.rank(), made, backend));
            }
            try (UnitUpdate update = open(made, backend, communicator, units)) {
                long before = backend.memory().liveBytes();
                for (int step = 1; step <= STEPS; step++) {
                    for (int unit = 0; unit < units.size(); unit++) {
                        fill(units.get(unit), unit, step);
                    }
                    var scalars = new Optimizer.Step(
                            step, config.learningRate(), config.weightDecay(), SCALE, OptionalDouble.empty());
                    update.prepare(scalars);
                    for (int unit = 0; unit < units.size(); unit++) {
                        update.update(unit, scalars);
                    }
                }
                assertEquals(before, backend.memory().liveBytes(), "an update keeps no memory of its own");
            }
            for (int unit = 0; unit < units.size(); unit++) {
                collect(backend, units.get(unit), whole[unit]);
                checkStates(backend, units.get(unit), elements(unit));
            }
        }
    }

    private OwnedUnit unit(int unit, int rank, Optimizer made, ReferenceBackend backend) {
        long shard = Math.ceilDiv(elements(unit), ranks);
        long first = sharded ? rank * shard : 0;
        long owned = sharded ? shard : ranks * shard;
        StoredElements weights = stored(backend, unit, "weights", first, owned);
        Tensor initial = backend.allocate(DType.F32, Shape.of(owned), "test");
        for (int i = 0; i < owned; i++) {
            initial.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, initial(unit, (int) first + i));
        }
        weights.set(backend.kernels(backend.computeStream()), initial);
        List<StoredElements> states = made.states().stream()
                .map(name -> stored(backend, unit, name, first, owned))
                .toList();
        Tensor sum = backend.allocate(gradients, Shape.of(owned), "test");
        List<OwnedUnit.Placed> placed = new ArrayList<>();
        long offset = 0;
        for (Parameter parameter : UNITS.get(unit)) {
            placed.add(new OwnedUnit.Placed(parameter, offset, unit == 0));
            offset += parameter.elements();
        }
        return new OwnedUnit(
                "unit" + unit, ranks * shard, first, rank * shard, new OwnedUnit.Owned(weights, sum, states), placed);
    }

    private StoredElements stored(ReferenceBackend backend, int unit, String kind, long first, long owned) {
        if (kept == Kept.F32) {
            return new StoredElements.F32(backend.allocate(DType.F32, Shape.of(owned), "test"));
        }
        Tensor bf16 = backend.allocate(DType.BF16, Shape.of(owned), "test");
        if (kept == Kept.SPLIT_AND_BF16 && kind.equals("weights")) {
            return new StoredElements.Split(bf16, backend.allocate(DType.BF16, Shape.of(owned), "test"));
        }
        return new StateRounding(StatePrecision.Rounding.STOCHASTIC, 5).of(bf16, "unit" + unit, kind, first);
    }

    private static void fill(OwnedUnit unit, int number, int step) {
        Tensor sum = unit.owned().gradient();
        for (int i = 0; i < sum.elements(); i++) {
            float value = gradient(number, step, (int) unit.ownedFirst() + i);
            switch (sum.dtype()) {
                case F32 -> sum.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
                case BF16 ->
                    sum.host().setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToIntBits(value) >>> 16));
                case F16 -> sum.host().setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
                case F64, I32 -> throw new IllegalArgumentException(sum.toString());
            }
        }
    }

    private static void collect(ReferenceBackend backend, OwnedUnit unit, float[] whole) {
        StoredElements weights = unit.owned().weights();
        Tensor scratch = backend.allocate(DType.F32, Shape.of(weights.elements()), "test");
        Tensor values = weights.load(backend.kernels(backend.computeStream()), scratch);
        for (int i = 0; i < values.elements() && unit.ownedFirst() + i < whole.length; i++) {
            whole[(int) unit.ownedFirst() + i] = values.host().getAtIndex(ValueLayout.JAVA_FLOAT, i);
        }
    }

    /** The first state of every optimizer here, if it has one, follows the gradients, which are 0 for few elements. */
    private static void checkStates(ReferenceBackend backend, OwnedUnit unit, long elements) {
        if (unit.owned().states().isEmpty()) {
            return;
        }
        StoredElements state = unit.owned().states().getFirst();
        Tensor scratch = backend.allocate(DType.F32, Shape.of(state.elements()), "test");
        Tensor values = state.load(backend.kernels(backend.computeStream()), scratch);
        long real = Math.clamp(elements - unit.ownedFirst(), 0, values.elements());
        long zeros = LongStream.range(0, real)
                .filter(i -> values.host().getAtIndex(ValueLayout.JAVA_FLOAT, i) == 0)
                .count();
        assertTrue(zeros <= real / 4, zeros + " of " + real + " elements of a state are 0");
    }
}
